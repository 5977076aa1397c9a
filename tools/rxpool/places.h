/*
 * Places in code: a module's file and an offset in it, in the words of its debug information, or of its
 * symbols where it has none. Separate debug files are found as debuggers find them, by the build id and
 * by the name that the file gives.
 *
 * One thread at a time: threads that print what they learn here hold stderr (flockfile) meanwhile. What was
 * read of a file is kept.
 */
#ifndef RXPOOL_TOOLS_PLACES_H
#define RXPOOL_TOOLS_PLACES_H

#include <stdint.h>

/*
 * Of the call in front of the return address `offset` (less the address that the file is loaded at):
 *
 *   FUNCTION at FILE:LINE[, inlined in FUNCTION at FILE:LINE]...
 *   FUNCTION+0xOFFSET                     without debug information
 *
 * NULL when nothing is known; else the caller's to free.
 */
char *place_name(const char *module, uint64_t offset);

#endif
