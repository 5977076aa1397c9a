/* The parts of hold.c that need Windows' own headers, which know none of the kit's. */
#ifndef RXPOOL_TESTS_WINDOWS_HOLD_H
#define RXPOOL_TESTS_WINDOWS_HOLD_H

void hold_exit_process(unsigned status);
void hold_fault(void);
/* Writes the process id to `file`, and returns when it is gone. */
void hold_wait(const char *file);

#endif
