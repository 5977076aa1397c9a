/*
 * Comes first in every file of the library for kernels (a forced include): the kit, and instead of its
 * inline KeGetCurrentIrql a routine of ours.
 */
#ifndef RXPOOL_PLAT_NTKERNEL_H
#define RXPOOL_PLAT_NTKERNEL_H

/* What newer kits deprecate is what this library is over. */
#ifdef _MSC_VER
#pragma warning(disable : 4996)
#endif

#include <ntifs.h>

/* The kit's, in an object of its own (ntkernel_cpu.c): a test puts others in its place. Any IRQL. */
KIRQL ntkernel_irql(void);
ULONGLONG ntkernel_time(void); /* 100 ns units since the start */

#undef KeGetCurrentIrql
#define KeGetCurrentIrql() ntkernel_irql()

/* What older kits lack. */
#ifndef POOL_NX_ALLOCATION
#define POOL_NX_ALLOCATION 512
#endif
#ifndef POOL_ZERO_ALLOCATION
#define POOL_ZERO_ALLOCATION 1024
#endif
#ifndef PROTECTED_POOL
#define PROTECTED_POOL 0x80000000
#endif

#endif
