/* The calling thread's IRQL. */
#ifndef RXPOOL_EX_IRQL_H
#define RXPOOL_EX_IRQL_H

#include "ex/ntthread.h"

void irql_set(KIRQL irql);

/* Declared by no header of ours: the kit's inline functions call them. */
unsigned long long __readcr8(void);
void __writecr8(unsigned long long irql);
unsigned long long __readgsqword(unsigned int offset);

#endif
