/*
 * The list behind plat_at_exit, for the platform's file that hears of the process's end. That file has
 * plat_at_exit itself: who links the static library gets it by asking for the one, with the other.
 */
#ifndef RXPOOL_PLAT_EXIT_HOOKS_H
#define RXPOOL_PLAT_EXIT_HOOKS_H

#include <stdbool.h>

bool exit_hooks_add(void (*hook)(void));
/* Calls the hooks, the last one first. */
void exit_hooks_run(void);

#endif
