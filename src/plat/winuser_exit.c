/*
 * The end of a thread and of the process, as the image hears of them: by a TLS callback, which the loader calls on every
 * thread that ends in order, once a thread and not once a fiber, after what the C++ runtime destroys and after fiber-local
 * storage. A thread that is terminated gets no callback: its heap stays taken.
 */
#include "plat/exit_hooks.h"
#include "plat/plat.h"
#include "plat/thread_local.h"
#include "plat/winuser_watch.h"

#include <windows.h>

#define ROUNDS 4 /* in which a hook may call for another one, as POSIX has it */

struct exit_hook {
    void (*hook)(void *);
    void *argument; /* NULL: not wanted, or called */
};

static THREAD_LOCAL_DEFINE(struct exit_hook, exit_hooks[PLAT_EXIT_HOOKS]) = {{NULL, NULL}};

bool plat_at_thread_exit(void (*hook)(void *), void *argument) {
    struct exit_hook *own = THREAD_LOCAL(exit_hooks);

    for (unsigned i = 0; i < PLAT_EXIT_HOOKS; i++) {
        if (own[i].hook == NULL || own[i].hook == hook) {
            own[i] = (struct exit_hook){hook, argument};
            return true;
        }
    }
    return false;
}

/* True where one was called. */
static bool run_thread_hooks(struct exit_hook *own) {
    bool any = false;

    for (unsigned i = 0; i < PLAT_EXIT_HOOKS; i++) {
        void *argument = own[i].argument;
        if (argument != NULL) {
            own[i].argument = NULL;
            own[i].hook(argument);
            any = true;
        }
    }
    return any;
}

static void NTAPI thread_callback(PVOID image, DWORD reason, PVOID reserved) {
    (void)image;
    (void)reserved;
    if (reason == DLL_PROCESS_DETACH && winuser_is_ending())
        winuser_watch_end();
    if (reason != DLL_THREAD_DETACH)
        return;
    for (unsigned round = 0; round < ROUNDS && run_thread_hooks(THREAD_LOCAL(exit_hooks)); round++)
        ;
}

/* The C runtime's callbacks and those of its thread library sort before it. */
static const PIMAGE_TLS_CALLBACK callback __attribute__((section(".CRT$XLY"), used)) =
    thread_callback;

/* --- the process ------------------------------------------------------------------------------ */

bool plat_at_exit(void (*hook)(void)) {
    return exit_hooks_add(hook);
}

/* After the program's atexit handlers, while its other threads still run; not after a bare ExitProcess, of which thread_callback hears. */
__attribute__((destructor(101))) static void at_end(void) {
    exit_hooks_run();
    winuser_watch_end();
}
