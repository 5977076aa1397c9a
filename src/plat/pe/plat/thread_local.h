/*
 * The names of elf/plat/thread_local.h for Windows images: native thread-local storage, as the PE
 * format documents it, written by hand, since GCC's own __thread for this target is emulated by a
 * call that allocates.
 *
 * A variable is a template in the image's .tls section. The loader copies the section for every
 * thread before the thread runs, and frees the copy after the thread's last callback: nothing is
 * made at a first use, and threads that were there before a LoadLibrary have theirs too. The
 * copies are per thread, not per fiber: a fiber uses those of the thread that it runs on.
 *
 *   gs:[0x58] -> array of copies, one for each image -> [_tls_index] -> copy, variable at its
 *                                                                       offset in .tls
 */
#ifndef RXPOOL_PLAT_THREAD_LOCAL_H
#define RXPOOL_PLAT_THREAD_LOCAL_H

#include "base/base.h"

/* The C runtime's, with the TLS directory of the image: which copy is this image's. */
extern unsigned long _tls_index;

/* Start of the calling thread's copy. Neither volatile nor a clobber: the compiler may keep it. */
RXP_INLINE char *thread_local_copy(void) {
    char **copies;

    __asm__("movq %%gs:0x58, %0" : "=r"(copies));
    return copies[_tls_index];
}

#define THREAD_LOCAL_DECLARE(type, name) extern type name
#define THREAD_LOCAL_DEFINE(type, name) type name __attribute__((section(".tls$"), used))
/* By name, which as an operand not every compiler takes for a constant. */
#define THREAD_LOCAL(name)                                                                         \
    (*__extension__({                                                                              \
        __typeof__(&(name)) thread_local_address;                                                  \
        __asm__("leaq " #name "@secrel32(%1), %0"                                                  \
                : "=r"(thread_local_address)                                                       \
                : "r"(thread_local_copy()));                                                       \
        thread_local_address;                                                                      \
    }))

#endif
