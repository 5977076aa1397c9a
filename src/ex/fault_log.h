/* What was failed on purpose: see fault.h. */
#ifndef RXPOOL_EX_FAULT_LOG_H
#define RXPOOL_EX_FAULT_LOG_H

#include "ex/fault.h"

/*
 * From now on every report ends with two lines, once something was failed:
 *
 *   injected: 2 failures, the last at SITE (allocation 17)
 *   replay: RXPOOL_OPTIONS=...
 *
 * Under fail_record=1 reports are left alone, and what would have failed is listed at exit.
 */
void fault_log_start(void);
/* One line on stderr: `line` and `file`. */
void fault_log_note(const char *line, const char *file);
/* Notes that request `number` with the call stack `stack` was failed; a fresh one goes into fail_file=. */
void fault_log_add(const struct fault_request *request, uint64_t number, uint64_t stack,
                   bool fresh);

#endif
