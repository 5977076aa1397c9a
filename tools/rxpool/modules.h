/* The modules of a process by name: what a table's sites need to be places in code. */
#ifndef RXPOOL_TOOLS_MODULES_H
#define RXPOOL_TOOLS_MODULES_H

#include <sys/types.h>

struct modules;

/* Those that are loaded now, by /proc; NULL when that cannot be read. */
struct modules *modules_of(pid_t pid);
/* Those of the process whose core file this is: none where the file does not say. */
struct modules *modules_of_core(const char *path);
void modules_free(struct modules *modules);
/*
 * What is at a site of the form MODULE+0xOFFSET, in the words of places.h; the caller's to free. NULL
 * when nothing is known, as for a module that is not loaded any more, or of whose name there are two.
 */
char *modules_place(const struct modules *modules, const char *site);

#endif
