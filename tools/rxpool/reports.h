/*
 * The reports of a command and of its children, shown on stderr as they come, with the places in them
 * named (symbols.h).
 *
 * They are written to a file that is there for them alone: writers wait for nobody, what they wrote
 * stays when they are killed, and appended reports do not mix. When the file is gone, a process that
 * has outlived the command finds no folder for its report and gives it out on its own stderr.
 */
#ifndef RXPOOL_TOOLS_REPORTS_H
#define RXPOOL_TOOLS_REPORTS_H

#include <stdbool.h>

/* Makes the file, for one command; false where it cannot be made. */
bool reports_open(void);
/* Its path, fit for report= of RXPOOL_OPTIONS. */
const char *reports_path(void);
/* Shows what is written from now on, in a thread of its own that handles no signals. */
void reports_follow(void);
/* Ends that, when everything is shown that was written, and removes the file. */
void reports_close(void);

#endif
