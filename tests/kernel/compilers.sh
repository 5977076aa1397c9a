#!/bin/sh
# The library for kernels by other compilers than its own.
#
#   compilers.sh msvc ROOT         clang as Microsoft's compiler, against our own headers: no GNU extension
#   compilers.sh i686 ROOT KIT     a 32-bit kernel, against the kit's: objects, and what they ask for
set -eu
command=$1 root=$2
if ! command -v clang >/dev/null; then
    echo "SKIP: clang is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root/src"
# What cmake/kernel.cmake lists, but for the file that the forced include is not for.
sources=$(sed -n '/^set(rxpool_km_sources/,/)/p' ../cmake/kernel.cmake | tr -d '()' | tr ' ' '\n' |
    grep '\.c$' | grep -v ntkernel_cpu)
[ "$(echo "$sources" | wc -l)" -gt 15 ]

# What the kernel has and a program has not; our headers declare what the library serves in user mode.
cat >"$work/kernel_names.h" <<'END'
#include <wdm.h>
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_ERROR_LEVEL 0
#define YieldProcessor() ((void)0)
typedef struct _PROCESSOR_NUMBER *PPROCESSOR_NUMBER;
ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...);
BOOLEAN NTAPI KdRefreshDebuggerNotPresent(VOID);
VOID NTAPI DbgBreakPoint(VOID);
BOOLEAN NTAPI MmIsAddressValid(PVOID VirtualAddress);
PVOID NTAPI MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName);
HANDLE NTAPI PsGetCurrentThreadId(VOID);
ULONG NTAPI KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber);
USHORT NTAPI RtlCaptureStackBackTrace(ULONG FramesToSkip, ULONG FramesToCapture, PVOID *BackTrace,
                                      PULONG BackTraceHash);
END
cat >"$work/string.h" <<'END'
#include <stddef.h>
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
END
own=$(clang -print-file-name=include)

msvc() {
    for file in $sources; do
        clang --target=x86_64-pc-windows-msvc -std=c11 -fsyntax-only -Wall -Wextra -Werror -Werror=gnu \
            -Wno-multichar -nostdinc -isystem "$work" -isystem "$own" -isystem ../include/rxpool/nt -I. \
            -I../include/rxpool -include "$work/kernel_names.h" -include plat/ntkernel.h "$file"
    done
    # The check can fail.
    echo 'int f(void) { return ({ 1; }); }' >"$work/gnu.c"
    if clang --target=x86_64-pc-windows-msvc -fsyntax-only -Werror=gnu "$work/gnu.c" 2>/dev/null; then
        echo "a GNU extension passes" >&2
        exit 1
    fi
}

# From the kernel and the hal; 64-bit division is the compiler's own library.
exports='@KfAcquireSpinLock@4 @KfReleaseSpinLock@8 @KfLowerIrql@4 @KfRaiseIrql@4 _DbgPrintEx
    _ExAllocatePoolWithTag@12 _ExAllocatePoolWithTagPriority@16 _ExFreePool@4 _ExFreePoolWithTag@8
    _KeBugCheckEx@20 _KeDelayExecutionThread@12 _KeGetCurrentIrql@0 _KeGetCurrentProcessorNumberEx@4
    _KeQueryInterruptTime@0 _MmIsAddressValid@4 _MmGetSystemRoutineAddress@4
    _RtlInitUnicodeString@8 _PsGetCurrentThreadId@0 _RtlCaptureStackBackTrace@16 _DbgBreakPoint@0 _ExRaiseStatus@4 _KdRefreshDebuggerNotPresent@0
    _memcpy _memmove _memset _memcmp ___udivdi3 ___umoddi3'

compile() { # FILE OBJECT FLAGS...
    file=$1 object=$2
    shift 2
    clang --target=i686-w64-windows-gnu -std=gnu11 -O2 -ffreestanding -mno-sse -mno-mmx -mno-x87 -Wall -Wextra \
        -Werror -Wno-multichar -Wframe-larger-than=512 -D_WIN32_WINNT=0x0602 -nostdinc -isystem "$own" \
        -isystem "$kit/.." -isystem "$kit" -I. -I../include/rxpool "$@" -c "$file" -o "$work/$object"
}

i686() {
    # The kit's headers are most of each file: once for all.
    compile plat/ntkernel.h ntkernel.pch -x c-header
    for file in $sources; do
        compile "$file" "$(echo "$file" | tr / _).o" -include-pch "$work/ntkernel.pch"
    done
    compile plat/ntkernel_cpu.c ntkernel_cpu.o
    nm "$work"/*.o | awk 'NF == 2 && $1 == "U" { print $2 }' | sed 's/^__imp_//' | sort -u >"$work/wanted"
    nm "$work"/*.o | awk 'NF == 3 { print $3 }' | sort -u >"$work/defined"
    # shellcheck disable=SC2086 # words
    printf '%s\n' $exports | sort -u >"$work/allowed"
    [ -s "$work/wanted" ]
    if comm -23 "$work/wanted" "$work/defined" | grep -vxF -f "$work/allowed"; then
        echo "these are no exports of a 32-bit kernel" >&2
        exit 1
    fi
}

case $command in
msvc) msvc ;;
i686) kit=$3; i686 ;;
*) echo "compilers.sh: $command: no such check" >&2; exit 2 ;;
esac
echo "$(echo "$sources" | wc -l) files"
