/*
 * Which requests fail= chooses, as far as that follows from the request and its number: for every pool that fails some on purpose.
 */
#ifndef RXPOOL_BASE_FAIL_H
#define RXPOOL_BASE_FAIL_H

#include "base/options.h"

/* Whether fail_type=, fail_size= and fail_tag= let a request of this kind fail. */
bool fail_passes(const struct options *o, uint64_t size, uint32_t tag, bool paged);
/* Whether fail=N or fail=P% chooses the request of this number, from 1 up. */
bool fail_by_number(const struct options *o, uint64_t number);

#endif
