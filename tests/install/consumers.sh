#!/bin/sh
# usage: consumers.sh BUILD SOURCE CC
# Installs BUILD under a fresh prefix, then builds and runs three users of it: one found by pkg-config,
# one by find_package, and a driver's file by pkg-config rxpool-ddk. The prefix is moved first: an
# installed tree must not know where it was made.
# shellcheck disable=SC2317,SC2046 # the functions are called by check; words are meant
set -eu
build=$1 source=$2 cc=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/rxpool-install.XXXXXX")
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/p"
prefix=$work/p
libdir=$(dirname "$(find "$prefix" -name librxpool.so)")
export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
status=0

check() { # NAME COMMAND ...: one verdict a line, its output only on failure
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok: $name"
    else
        echo "FAILED: $name: $*"
        cat "$work/log"
        status=1
    fi
}

for file in bin/rxpool include/rxpool/ntrxdef.h include/rxpool/nt/ntifs.h share/rxpool/pooltag.txt; do
    check "installed: $file" test -f "$prefix/$file"
done
for file in librxpool.so librxpool.a librxpool-malloc.so rxpool/elf.so cmake/rxpool/rxpool-config.cmake; do
    check "installed: $file" test -f "$libdir/$file"
done
check "the library has a soname" sh -c "objdump -p $libdir/librxpool.so | grep -q 'SONAME *librxpool.so.0'"
check "man pages" sh -c "ls $prefix/share/man/man1/*.1"

pkg_config_build() { # PROGRAM FLAG ...
    program=$1
    shift
    "$cc" "$source/plain.c" -o "$work/$program" "$@" -Werror $(pkg-config --cflags --libs rxpool)
}
check "cc x.c \$(pkg-config --cflags --libs rxpool)" pkg_config_build free
check "the free build's program runs" "$work/free"
check "the same with -DDBG=1" pkg_config_build checked -DDBG=1
check "the checked build's program runs" "$work/checked"

# The README's own example must do what the README says, apart from addresses and times.
readme_example() {
    awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$source/../../README.md" >"$work/example.c"
    (cd "$work" && "$cc" -DDBG=1 example.c -o example $(pkg-config --cflags --libs rxpool)) || return 1
    RXPOOL_OPTIONS=report=$work/report "$work/example" && { echo "it did not stop"; return 1; }
    awk '/^\*\*\* STOP/ { on = 1 } /^```$/ { on = 0 } on' "$source/../../README.md" >"$work/promised"
    for file in promised report; do
        sed 's/0[xX][0-9a-fA-F]\{8,\}/ADDRESS/g; s/thread [0-9]*/THREAD/; s/[0-9]* ms ago/TIME/' "$work/$file" >"$work/$file.plain"
    done
    diff "$work/promised.plain" "$work/report.plain"
}
check "the README's example" readme_example

check "find_package configures" cmake -G Ninja -S "$source/package" -B "$work/package" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DPLAIN="$source/plain.c"
check "find_package builds" cmake --build "$work/package"
check "rxpool::rxpool runs" "$work/package/plain-shared"
check "rxpool::rxpool_static runs" env -u LD_LIBRARY_PATH "$work/package/plain-static"

driver() { # OBJECT FLAGS ...
    object=$1
    shift
    "$cc" -Wall -Werror -c "$source/driver.c" -o "$work/$object" "$@"
}
driver_program() { # the driver's file knows no C library, so a file of its own starts it
    "$cc" "$source/start.c" "$work/$1" -o "$work/$1.out" $(pkg-config --libs rxpool) && "$work/$1.out"
}
check "a driver's file against rxpool's headers" driver own.o $(pkg-config --cflags rxpool)
check "it runs" driver_program own.o
kit=$(pkg-config --variable=kit rxpool-ddk)
if [ -f "$kit/ddk/ntifs.h" ]; then
    check "the same file against the mingw-w64 kit" driver kit.o $(pkg-config --cflags rxpool-ddk)
    check "it runs too" driver_program kit.o
else
    echo "FAILED: no kit headers in $kit (package mingw-w64-x86-64-dev)"
    status=1
fi
exit "$status"
