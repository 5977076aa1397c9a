#!/bin/sh
# driver_style.c against the mingw-w64 kit's own headers: compiled with each compiler in the free and the
# checked build, linked with the library of this build and run.
# Usage: ddk.sh INCLUDE_DIR LIB_DIR
set -eu
include=$1
lib=$2
here=$(dirname "$0")
kit=${RXPOOL_KIT:-/usr/share/mingw-w64/include}
if [ ! -e "$kit/ddk/ntifs.h" ]; then
    echo "SKIP: $kit/ddk/ntifs.h is not there (package mingw-w64-x86-64-dev)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for cc in gcc clang; do
    if ! command -v $cc >/dev/null; then
        echo "SKIP: $cc is not installed"
        continue
    fi
    for build in -DDBG=0 -DDBG=1 -DRXPOOL_USE_POOL2; do
        $cc $build -O2 -Wall -Wextra -Werror -std=gnu11 -fms-extensions -fshort-wchar -ffreestanding \
            -Wno-multichar -nostdinc -include "$include/rxpool/ddk/prefix.h" -I"$include/rxpool" \
            -isystem "$include/rxpool/ddk" -isystem "$($cc -print-file-name=include)" \
            -isystem "$kit" -isystem "$kit/ddk" -c "$here/driver_style.c" -o "$work/driver.o"
        $cc "$work/driver.o" -L"$lib" -lrxpool -Wl,-rpath,"$lib" -o "$work/driver"
        echo "$cc $build"
        "$work/driver"
    done
done
