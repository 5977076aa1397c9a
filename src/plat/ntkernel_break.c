/* A breakpoint; alone, so that tests can put another in its place. */
#include "plat/plat.h"

/* Without a debugger it would stop the machine. */
void plat_break(void) {
    if (!KdRefreshDebuggerNotPresent())
        DbgBreakPoint();
}
