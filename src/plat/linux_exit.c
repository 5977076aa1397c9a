/*
 * What runs when the process exits: from the library's own destructor, so after the program's atexit
 * handlers and destructors, which may still free blocks.
 */
#include "plat/plat.h"

#define HOOKS_MAX 8u

static void (*hooks[HOOKS_MAX])(void);
static struct plat_lock hooks_lock;

bool plat_at_exit(void (*hook)(void)) {
    bool entered = false;
    plat_lock_acquire(&hooks_lock);
    for (unsigned i = 0; i < HOOKS_MAX && !entered; i++) {
        entered = hooks[i] == NULL;
        if (entered)
            hooks[i] = hook;
    }
    plat_lock_release(&hooks_lock);
    return entered;
}

__attribute__((destructor(101))) static void run_hooks(void) {
    for (unsigned i = HOOKS_MAX; i-- > 0;) {
        if (hooks[i] != NULL)
            hooks[i]();
    }
}
