/* What is to be called when the process ends: see exit_hooks.h. */
#include "plat/exit_hooks.h"

#include "plat/plat.h"

#define HOOKS_MAX 8u

static void (*hooks[HOOKS_MAX])(void);
static struct plat_lock hooks_lock;

bool exit_hooks_add(void (*hook)(void)) {
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

void exit_hooks_run(void) {
    for (unsigned i = HOOKS_MAX; i-- > 0;) {
        if (hooks[i] != NULL)
            hooks[i]();
    }
}
