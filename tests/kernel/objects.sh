#!/bin/sh
# What the library for kernels and its drivers are made of.
#
#   objects.sh library LIBRARY           asks for documented exports of the kernel only, and uses no floating-point
#                                        or vector register
#   objects.sh free DRIVER               a free-build driver: nothing of ours in it
#   objects.sh checked DRIVER            a checked one: imports of documented exports only
#   objects.sh core FOLDER INCLUDE KIT   the core of minirdr is one source, with no #if of its own, for Linux free and
#                                        checked, Windows user mode and a Windows kernel
#   objects.sh identity INCLUDE KIT      the free build's names give the object code of the kit's
set -eu
tools=x86_64-w64-mingw32

# Documented, each with its page. The last four are what RtlCopyMemory and its like are, for compilers too.
exports='DbgBreakPoint DbgPrintEx ExAllocatePoolWithTag ExAllocatePoolWithTagPriority ExFreePool ExFreePoolWithTag
    ExRaiseStatus KdRefreshDebuggerNotPresent
    KeAcquireSpinLockRaiseToDpc KeReleaseSpinLock KeBugCheckEx KeDelayExecutionThread
    KeGetCurrentProcessorNumberEx MmGetSystemRoutineAddress MmIsAddressValid RtlInitUnicodeString PsGetCurrentThreadId RtlCaptureStackBackTrace
    memcpy memmove memset memcmp'
# What the drivers of these tests use themselves.
own='KeQueryPerformanceCounter InitializeSListHead ExpInterlockedPopEntrySList ExpInterlockedPushEntrySList
    ExQueryDepthSList KeEnterCriticalRegion KeLeaveCriticalRegion strcpy strlen _vsnprintf
    ZwClose ZwCreateFile ZwOpenKey ZwQueryValueKey ZwWriteFile'

# Names on stdin that are not in the list; ends with them on stderr when there are any.
only() {
    # shellcheck disable=SC2086 # words
    printf '%s\n' $1 | sort -u >"$work/allowed"
    sort -u >"$work/names"
    if [ ! -s "$work/names" ]; then
        echo "no names to look at" >&2
        exit 1
    fi
    if grep -vxF -f "$work/allowed" "$work/names" >"$work/others"; then
        echo "not among the documented exports:" >&2
        cat "$work/others" >&2
        exit 1
    fi
    echo "$(wc -l <"$work/names") names, all documented"
}

imports() {
    $tools-objdump -p "$1" | awk '/DLL Name:/ { inside = 1; next } /^$/ { inside = 0 }
        inside && NF == 3 && $1 ~ /^[0-9a-f]+$/ { print $3 }'
}

library() {
    $tools-nm "$1" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u >"$work/wanted"
    $tools-nm "$1" | awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' | sort -u >"$work/defined"
    comm -23 "$work/wanted" "$work/defined" | sed 's/^__imp_//' | only "$exports"
    if $tools-objdump -d "$1" | grep -E '%(xmm|ymm|mm|st)[0-9(]?' | head -n 5 | grep .; then
        echo "uses registers that a driver must not" >&2
        exit 1
    fi
}

free() {
    imports "$1" | grep -q . || { echo "no imports in $1" >&2; exit 1; }
    if { imports "$1"; $tools-nm "$1"; } | grep -E '\b_?Rx[A-Z]|\bcheck_|\bregistry_|\bquarantine_|\breport_'; then
        echo "something of ours is in $1" >&2
        exit 1
    fi
    echo "nothing of ours in $1"
}

core() {
    if grep -nE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)' "$1"/core*.c; then
        echo "the core tells platforms apart" >&2
        exit 1
    fi
    # Its header: the guard alone.
    [ "$(grep -cE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)' "$1/core.h")" = 1 ]
    ours="-I$2/rxpool/nt -I$2/rxpool"
    compile "$1" linux-free "gcc $ours"
    compile "$1" linux-checked "gcc $ours -DDBG=1"
    compile "$1" windows-user "$tools-gcc $ours -DDBG=1"
    compile "$1" windows-kernel "$tools-gcc -ffreestanding -mgeneral-regs-only -isystem $3 -I$2/rxpool -DDBG=1"
    # Each is what it should be: who is asked for a block, and how the names are spelt there.
    asks linux-free 'ExAllocatePoolWithTag' '_RxAllocatePoolWithTag'
    asks linux-checked '_RxAllocatePoolWithTag' 'ExAllocatePoolWithTag'
    asks windows-user '_RxAllocatePoolWithTag' '__imp_.*'
    asks windows-kernel '_RxAllocatePoolWithTag' 'ExAllocatePoolWithTag'
    asks windows-kernel '__imp_KeWaitForSingleObject|__imp_Ke.*|__imp_Ex.*' 'malloc'
}

compile() { # FOLDER NAME COMMAND
    mkdir "$work/$2"
    for source in "$1"/core*.c; do
        # shellcheck disable=SC2086 # words
        $3 -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-multichar -c "$source" \
            -o "$work/$2/$(basename "$source" .c).o"
    done
    echo "$2: $(find "$work/$2" -name '*.o' | wc -l) files"
}

asks() { # NAME WANTED NOT-WANTED
    $tools-nm "$work/$1"/*.o | awk '$1 == "U" { print $2 }' | sort -u >"$work/asked"
    grep -qxE "$2" "$work/asked" || { echo "$1: nothing asks for $2" >&2; exit 1; }
    ! grep -xE "$3" "$work/asked" || { echo "$1: asks for that" >&2; exit 1; }
}

# As tests/conform/identity.sh does with our own headers.
identity() {
    cat >"$work/calls.c" <<'END'
#include <ntifs.h>
#include <ntrxdef.h>
PVOID allocate(POOL_TYPE t, SIZE_T s, ULONG g) { return ALLOCATE(t, s, g); }
PVOID constant(VOID) { return ALLOCATE(PagedPool, 100, 0x74736554); }
VOID release(PVOID p) { RELEASE(p); }
VOID release_tag(PVOID p, ULONG g) { RELEASE_TAG(p, g); }
END
    ex='-DALLOCATE=ExAllocatePoolWithTag -DRELEASE=ExFreePool -DRELEASE_TAG=ExFreePoolWithTag'
    rx='-DALLOCATE=RxAllocatePoolWithTag -DRELEASE=RxFreePool -DRELEASE_TAG=RxFreePoolWithTag'
    for level in -O1 -O2; do
        code "$1" "$2" ex "$level $ex"
        code "$1" "$2" rx "$level $rx"
        code "$1" "$2" checked "$level $rx -DDBG=1"
        diff "$work/ex.txt" "$work/rx.txt"
        if cmp -s "$work/ex.txt" "$work/checked.txt"; then
            echo "the checked build is not told from the free one" >&2
            exit 1
        fi
    done
    echo "the same code"
}

code() { # INCLUDE KIT NAME FLAGS
    # shellcheck disable=SC2086 # words
    $tools-gcc $4 -ffreestanding -w -I"$1/rxpool" -isystem "$2" -c "$work/calls.c" -o "$work/calls.o"
    $tools-objdump -dr "$work/calls.o" >"$work/$3.txt"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command=$1
shift
case $command in
library | free | core | identity) "$command" "$@" ;;
checked) imports "$1" | only "$exports $own" ;;
*) echo "objects.sh: $command: no such check" >&2; exit 2 ;;
esac
