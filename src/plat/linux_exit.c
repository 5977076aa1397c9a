/*
 * The process's end: heard of by the library's own destructor, so after the program's atexit handlers and
 * destructors, which may still free blocks.
 */
#include "plat/exit_hooks.h"
#include "plat/plat.h"

bool plat_at_exit(void (*hook)(void)) {
    return exit_hooks_add(hook);
}

__attribute__((destructor(101))) static void at_end(void) {
    exit_hooks_run();
}
