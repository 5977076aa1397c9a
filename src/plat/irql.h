/*
 * The interrupt request level, for what must not be interrupted by other code on the same processor.
 * ntkernel.c implements it; where nothing interrupts a thread but a signal (no_irql.c) nothing is done.
 */
#ifndef RXPOOL_PLAT_IRQL_H
#define RXPOOL_PLAT_IRQL_H

/* Raises to DISPATCH_LEVEL; answers what the level was, for plat_irql_lower. At DISPATCH_LEVEL at most. */
unsigned plat_irql_raise(void);
void plat_irql_lower(unsigned irql);

#endif
