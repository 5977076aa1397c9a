/*
 * Comes first (-include) when a driver's unmodified source is compiled against mingw-w64's kit
 * headers into an ELF object for librxpool: the flags of rxpool-ddk.pc. It makes the compiler look
 * to those headers like the one that they were written for. Nothing of the driver's own source
 * needs it.
 */
#ifndef RXPOOL_DDK_PREFIX_H
#define RXPOOL_DDK_PREFIX_H

/* --- the target: 64-bit Windows, with mingw's 32-bit LONG (__LP64__ stays, mingw tests for it) ---
 */

#undef __linux__
#undef __linux
#undef linux
#undef __unix__
#undef __unix
#undef unix
#undef __gnu_linux__
#define _WIN32 1
#define _WIN64 1
#define _M_X64 100
#define _M_AMD64 100
#define _AMD64_ 1
#define __MINGW32__ 1
#define __MINGW64__ 1
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif

/* One calling convention. */
#define __stdcall
#define __cdecl
#define __fastcall
#define __thiscall
#define _stdcall
#define _cdecl
#define _fastcall

#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#define __unaligned
#define __ptr64

#define __declspec(x) RXPOOL_DECLSPEC_##x
#define RXPOOL_DECLSPEC_dllimport
#define RXPOOL_DECLSPEC_dllexport
#define RXPOOL_DECLSPEC_noreturn __attribute__((noreturn))
#define RXPOOL_DECLSPEC_noinline __attribute__((noinline))
#define RXPOOL_DECLSPEC_nothrow __attribute__((nothrow))
#define RXPOOL_DECLSPEC_noalias
#define RXPOOL_DECLSPEC_restrict
#define RXPOOL_DECLSPEC_deprecated
#define RXPOOL_DECLSPEC_novtable
#define RXPOOL_DECLSPEC_thread __thread
#define RXPOOL_DECLSPEC_selectany __attribute__((weak))
#define RXPOOL_DECLSPEC_align(n) __attribute__((aligned(n)))
#define RXPOOL_DECLSPEC_allocate(s)
#define RXPOOL_DECLSPEC_uuid(s)

/* --- intrinsics: mingw's header of them is x86 code for Windows; what the kit's inlines call is
 * here --- */

#define __INTRIN_H_

/* The library's; __readgsqword knows offset 0x188 only, the current thread. */
unsigned long long __readcr8(void);
void __writecr8(unsigned long long irql);
unsigned long long RxpoolReadGsQword(unsigned int offset) __asm__("__readgsqword");
#define __readgsqword RxpoolReadGsQword

#define _mm_pause __builtin_ia32_pause
#define __int2c() __builtin_trap()
#define _ReadWriteBarrier() __asm__ volatile("" ::: "memory")
#define __faststorefence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#ifdef __clang__
/*
 * clang knows the interlocked intrinsics, and these three with a type that the kit's excpt.h is not
 * ready for.
 */
#define _exception_code RxpoolExceptionCode
#define _exception_info RxpoolExceptionInfo
#define _abnormal_termination RxpoolAbnormalTermination
#else
#define RXPOOL_INTRINSIC static __inline__ __attribute__((always_inline, unused))
#define RXPOOL_INTERLOCKED(suffix, type)                                                           \
    RXPOOL_INTRINSIC type _InterlockedIncrement##suffix(volatile type *p) {                        \
        return __sync_add_and_fetch(p, 1);                                                         \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedDecrement##suffix(volatile type *p) {                        \
        return __sync_sub_and_fetch(p, 1);                                                         \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedExchangeAdd##suffix(volatile type *p, type v) {              \
        return __sync_fetch_and_add(p, v);                                                         \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedAdd##suffix(volatile type *p, type v) {                      \
        return __sync_add_and_fetch(p, v);                                                         \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedAnd##suffix(volatile type *p, type v) {                      \
        return __sync_fetch_and_and(p, v);                                                         \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedOr##suffix(volatile type *p, type v) {                       \
        return __sync_fetch_and_or(p, v);                                                          \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedXor##suffix(volatile type *p, type v) {                      \
        return __sync_fetch_and_xor(p, v);                                                         \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedExchange##suffix(volatile type *p, type v) {                 \
        return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                              \
    RXPOOL_INTRINSIC type _InterlockedCompareExchange##suffix(volatile type *p, type v, type c) {  \
        return __sync_val_compare_and_swap(p, c, v);                                               \
    }
RXPOOL_INTERLOCKED(, int)
RXPOOL_INTERLOCKED(64, long long)
#undef RXPOOL_INTERLOCKED

RXPOOL_INTRINSIC void *_InterlockedExchangePointer(void *volatile *p, void *v) {
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}
RXPOOL_INTRINSIC void *_InterlockedCompareExchangePointer(void *volatile *p, void *v, void *c) {
    return __sync_val_compare_and_swap(p, c, v);
}
RXPOOL_INTRINSIC unsigned char _BitScanForward(unsigned int *index, unsigned int mask) {
    if (mask != 0)
        *index = (unsigned int)__builtin_ctz(mask);
    return mask != 0;
}
RXPOOL_INTRINSIC unsigned char _BitScanReverse(unsigned int *index, unsigned int mask) {
    if (mask != 0)
        *index = 31u - (unsigned int)__builtin_clz(mask);
    return mask != 0;
}
#endif

#endif
