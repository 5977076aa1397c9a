/*
 * A thread's own variables: what an object format offers for them, under three names. CMake puts the
 * folder of the target's format (elf or pe) on the include path; both serve "plat/thread_local.h".
 *
 *   THREAD_LOCAL_DECLARE(int, name);       in a header, where another file defines it
 *   THREAD_LOCAL_DEFINE(int, name) = 1;    once; `static` may stand in front
 *   THREAD_LOCAL(name)                     the calling thread's, an lvalue
 *
 * No access calls anything or allocates. ELF: initial-exec, one load.
 */
#ifndef RXPOOL_PLAT_THREAD_LOCAL_H
#define RXPOOL_PLAT_THREAD_LOCAL_H

#define THREAD_LOCAL_DECLARE(type, name)                                                           \
    extern __thread type name __attribute__((tls_model("initial-exec")))
#define THREAD_LOCAL_DEFINE(type, name)                                                            \
    __thread type name __attribute__((tls_model("initial-exec")))
#define THREAD_LOCAL(name) name

#endif
