#ifndef RXPOOL_EX_FORK_H
#define RXPOOL_EX_FORK_H

/* Registers the fork handlers at the first call, with no lock held. */
void fork_register(void);

#endif
