/* Which requests fail on purpose: see fail.h. */
#include "base/fail.h"

bool fail_passes(const struct options *o, uint64_t size, uint32_t tag, bool paged) {
    if (o->fail_type != OPTIONS_POOL_ANY && paged != (o->fail_type == OPTIONS_POOL_PAGED))
        return false;
    if (size < o->fail_size_least || size > o->fail_size_most)
        return false;
    return o->fail_tags[0] == '\0' || options_tag_in(o->fail_tags, tag);
}

/* So many of 100, by the seed and the request's number alone. */
static bool drawn(const struct options *o, uint64_t number) {
    uint64_t x = (o->fail_seed + 1) * 0x9E3779B97F4A7C15u + number * 0xD1B54A32D192ED03u;

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return (x >> 32) * 100 >> 32 < o->fail_number;
}

bool fail_by_number(const struct options *o, uint64_t number) {
    return o->fail == OPTIONS_FAIL_NTH ? number == o->fail_number
                                       : o->fail == OPTIONS_FAIL_PERCENT && drawn(o, number);
}
