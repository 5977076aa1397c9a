#!/bin/sh
# In a free build the object code of the Rx names is that of the Ex names, and no Rx symbol is left.
# Usage: identity.sh INCLUDE_DIR
set -eu
include=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/calls.c" <<'END'
#include <ntifs.h>
#include "ntrxdef.h"
PVOID allocate(POOL_TYPE t, SIZE_T s, ULONG g) { return ALLOCATE(t, s, g); }
PVOID constant(VOID) { return ALLOCATE(PagedPool, 100, 0x74736554); }
VOID release(PVOID p) { RELEASE(p); }
VOID release_tag(PVOID p, ULONG g) { RELEASE_TAG(p, g); }
VOID check(PVOID p) { CHECK(p); }
PVOID name(VOID) { return (PVOID)(ULONG_PTR)ALLOCATE; }
END
ex='-DALLOCATE=ExAllocatePoolWithTag -DRELEASE=ExFreePool -DRELEASE_TAG=ExFreePoolWithTag -DCHECK(p)=(void)0'
rx='-DALLOCATE=RxAllocatePoolWithTag -DRELEASE=RxFreePool -DRELEASE_TAG=RxFreePoolWithTag -DCHECK(p)=RxCheckMemoryBlock(p)'

code() { # COMPILER LEVEL NAME FLAGS...
    compiler=$1 level=$2 name=$3
    shift 3
    "$compiler" "$level" "$@" -w -I"$include/rxpool/nt" -I"$include/rxpool" -c "$work/calls.c" -o "$work/calls.o"
    objdump -dr "$work/calls.o" >"$work/$name.txt"
    nm "$work/calls.o" >"$work/$name.names"
}

same() { # COMPILER LEVEL FLAGS...
    compiler=$1 level=$2
    shift 2
    # shellcheck disable=SC2086 # the flags are words
    code "$compiler" "$level" ex $ex "$@"
    # shellcheck disable=SC2086
    code "$compiler" "$level" rx $rx "$@"
    diff "$work/ex.txt" "$work/rx.txt"
    ! grep -E 'Rx|rxpool' "$work/rx.names"
}

for cc in gcc clang; do
    if ! command -v "$cc" >/dev/null; then
        echo "SKIP: $cc is not installed"
        continue
    fi
    for level in -O1 -O2; do
        same "$cc" "$level"
        same "$cc" "$level" -DDBG=0
        same "$cc" "$level" -DDBG=1 -DRXPOOL_CHECKED=0
    done
    # The comparison can fail: the checked build does not look the same.
    # shellcheck disable=SC2086
    code "$cc" -O2 ex $ex
    # shellcheck disable=SC2086
    code "$cc" -O2 rx $rx -DDBG=1
    if cmp -s "$work/ex.txt" "$work/rx.txt"; then
        echo "$cc: the checked build is not told from the free one"
        exit 1
    fi
    echo "$cc: the same code"
done
