/*
 * The end of a process, as `rxpool run` on Windows gets to see it. Whoever runs a process makes, before its first instruction,
 * two objects named after its id: a mutex, which it holds, and an event.
 *
 *   the process at its end          whoever runs it
 *   sets ENDED                      waits for ENDED, or for the process's own end
 *   waits for LOOKING               reads the pool's table, and releases LOOKING
 *
 * A mutex, since it is free too once its holder is gone: no process waits for nobody.
 */
#ifndef RXPOOL_PLAT_WINUSER_WATCH_H
#define RXPOOL_PLAT_WINUSER_WATCH_H

#include "base/base.h"

#define WINUSER_WATCH_LOOKING "looking"
#define WINUSER_WATCH_ENDED "ended"
#define WINUSER_WATCH_NAME 64 /* room for a name */

/* Whether the process ends: its other threads are gone, wherever they were. */
bool winuser_is_ending(void);
void winuser_watch_name(char name[WINUSER_WATCH_NAME], const char *what, uint32_t process);
/*
 * At the process's end: waits until it has been looked at. Returns at once where nobody asked for that, and
 * when it is called again.
 */
void winuser_watch_end(void);

#endif
