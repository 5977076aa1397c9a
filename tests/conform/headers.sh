#!/bin/sh
# Every public NT header compiles alone, in C and C++, with both compilers, in every build, without a warning.
# Usage: headers.sh INCLUDE_DIR
set -eu
include=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0

check() { # COMPILER LANGUAGE STANDARD FLAG FILE
    # shellcheck disable=SC2086 # FLAG may be several, or none
    "$1" -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Werror $4 -I"$include/rxpool/nt" \
        -I"$include/rxpool" -fsyntax-only "$5"
    count=$((count + 1))
}

for header in ntdef.h ntstatus.h wdm.h lookaside.h ntddk.h ntifs.h ntrxdef.h rxpool_override.h; do
    case $header in
    ntrxdef.h) builds='-UDBG -DDBG=0 -DDBG=1 -DRXPOOL_CHECKED=1 -DRXPOOL_USE_POOL2' ;;
    rxpool_override.h) builds='-UDBG -DDBG=1 -DRXPOOL_CHECKED=1' ;;
    *) builds='-UDBG -DDBG=1' ;;
    esac
    for build in $builds; do
        # Twice: a header must stand being included again.
        printf '#include <%s>\n#include <%s>\nint header_is_whole;\n' $header $header >"$work/alone.c"
        for cc in gcc clang; do
            if ! command -v $cc >/dev/null; then
                echo "SKIP: $cc is not installed"
                continue
            fi
            check $cc c c11 "$build" "$work/alone.c"
            check $cc c gnu11 "$build -fshort-wchar" "$work/alone.c"
            check $cc c++ c++11 "$build" "$work/alone.c"
        done
    done
done
echo "$count compilations"
[ $count -gt 0 ]
