/* Refusals of memory, one in turn: see refuse.c. */
#ifndef RXPOOL_TESTS_REFUSE_H
#define RXPOOL_TESTS_REFUSE_H

/* The work that has to stand any refusal; answers what did not hold, or NULL. */
const char *refuse_work(void);

/* Whether `pointer` is NULL or its bytes can be written: fills it. */
void *refuse_touch(void *pointer, unsigned long size);

#endif
