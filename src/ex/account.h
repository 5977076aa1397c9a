/*
 * Accounts and sites: who a byte belongs to.
 */
#ifndef RXPOOL_EX_ACCOUNT_H
#define RXPOOL_EX_ACCOUNT_H

#include "ex/state.h"

/* The id of the account with this key, made at its first use; ACCOUNT_OVERFLOW when there is room for no more. */
uint32_t account_of(uint64_t key);
struct account *account_at(uint32_t id);
/*
 * Folds the figures of a slab that retires into its account, around `hide`, which takes the slab out of
 * readers' sight: what they see is either the slab or the fold, and they read again where it was both or neither. Where
 * figures move from slab to slab that is a fold of none.
 */
void account_fold_begin(struct account *account);
void account_fold_end(struct account *account, uint64_t allocs, uint64_t frees);
/* Counts for a thread that has no heap. */
struct counters *account_shared_counters(uint32_t id);
bool accounts_init(void);

#endif
