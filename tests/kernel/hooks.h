/* What hooks.c puts in the place of a kernel that is not there. */
#ifndef RXPOOL_TESTS_KERNEL_HOOKS_H
#define RXPOOL_TESTS_KERNEL_HOOKS_H

#include <ntifs.h>

/* The IRQL that the library sees: Wine's is always PASSIVE_LEVEL. */
KIRQL HookRaiseIrql(KIRQL NewIrql);
VOID HookLowerIrql(KIRQL NewIrql);

/* How often the library has raised it itself, to look at a block undisturbed, and lowered it. */
extern volatile LONG HookRaises, HookLowers;

/* The next allocations of blocks fail, so many of them; those of the library's own tables. */
extern volatile LONG HookFailures, HookTableFailures;
/* Tables that there are. */
extern volatile LONG HookTables;

/* Times that break= stopped the driver. */
extern volatile LONG HookBreaks;
/* Where ExRaiseStatus goes back to (__builtin_setjmp), with its status: nothing handles it in this kernel. */
extern PVOID HookRaise[5];
extern volatile LONG HookRaised;

/* Whether Driver Verifier watches the driver. */
extern BOOLEAN HookVerified;
/* What the pool last gave the library for a block, and how many bytes were asked for. */
extern PVOID HookBlock;
extern SIZE_T HookBytes;

/* Characters of the longest text that went to the debugger in one call. */
extern volatile LONG HookLongest;

#endif
