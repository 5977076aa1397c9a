/*
 * How a frame leads to its caller's on x86-64: one small rule for each pc, read from the call frame
 * information that every module carries in .eh_frame (frame pointers are optional, it is not).
 */
#ifndef RXPOOL_PLAT_LINUX_UNWIND_H
#define RXPOOL_PLAT_LINUX_UNWIND_H

#include "base/base.h"

enum unwind_cfa {
    CFA_END,    /* the last frame, or nothing is known: the walk ends here */
    CFA_STACK,  /* the stack pointer + offset */
    CFA_FRAME,  /* the frame pointer + offset */
    CFA_SAVED,  /* the word at the frame pointer + offset (functions that realign their stack) */
    CFA_SIGNAL, /* a signal's frame: the interrupted registers are in the ucontext */
};

enum unwind_frame {
    FRAME_SAME,     /* the caller's frame pointer is still in the register */
    FRAME_AT_CFA,   /* ... is saved at the CFA + offset */
    FRAME_AT_FRAME, /* ... is saved at the frame pointer + offset */
};

/* The CFA is the stack pointer before the call; the return address lies in the 8 bytes below it. */
struct unwind_rule {
    enum unwind_cfa cfa;
    enum unwind_frame frame;
    int32_t cfa_offset, frame_offset; /* bytes */
};

/*
 * The rule for the instruction at `pc` (of a return address, pass that less one). CFA_END where no
 * module covers it or its rule has no such form. *fixed: the module cannot be unloaded. Takes no
 * lock, allocates nothing.
 */
struct unwind_rule unwind_rule_of(uintptr_t pc, bool *fixed);
/* Whether some module covers `pc`. Takes no lock. */
bool unwind_covered(uintptr_t pc);

#endif
