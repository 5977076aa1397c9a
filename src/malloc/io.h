/*
 * Calls by which a program has the system read or write its blocks, looked at under checked=1 and special=: read(2),
 * write(2) and their like (io.c has the list). A system call answers EFAULT, or moves fewer bytes, where the
 * program itself would fault, and reads freed memory as any other.
 */
#ifndef RXPOOL_MALLOC_IO_H
#define RXPOOL_MALLOC_IO_H

/* From now on, where the options ask for it. Called when the library is loaded, behind checked_start. */
void io_start(void);

#endif
