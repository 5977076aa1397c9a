/*
 * check/registry.h and quarantine.h: against a plain model, with threads, and the size. Built once over
 * each of the two implementations.
 */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "check/quarantine.h"
#include "check/sweep.h"

#define BASE ((uint64_t)0x700000000000)

static bool insert(uint64_t block, uint32_t size) {
    struct record_info info = {.block = block, .size = size, .tag = (uint32_t)(block >> 4)};
    return registry_insert(&info);
}

static void what_is_entered_is_found(void **state) {
    (void)state;
    struct record_info info;
    assert_false(registry_find(BASE + 16, &info));
    assert_true(insert(BASE + 16, 100));
    assert_true(registry_find(BASE + 16, &info));
    assert_int_equal(info.size, 100);
    assert_int_equal(info.state, RECORD_LIVE);
    assert_false(registry_find(BASE + 32, &info));
    assert_true(insert(BASE + 16, 200)); /* handed out again: the older block is gone */
    assert_true(registry_find(BASE + 16, &info));
    assert_int_equal(info.size, 200);
    registry_forget(BASE + 16, 9);
    assert_true(registry_find(BASE + 16, &info));
    assert_int_equal(info.state, RECORD_GHOST);
    assert_int_equal(info.free_site, 9);
}

static void a_vacated_address_is_unknown(void **state) {
    (void)state;
    struct record_info info;
    registry_vacate(BASE + 0x800);
    assert_true(insert(BASE + 0x800, 100));
    registry_forget(BASE + 0x800, 9);
    registry_vacate(BASE + 0x800);
    assert_false(registry_find(BASE + 0x800, &info));
    assert_false(registry_pin(BASE + 0x800, &info));
    struct take t = {.block = BASE + 0x800, .irql_most = 2, .held_most = quarantine_most()};
    assert_int_equal(quarantine_take(&t), TAKE_UNKNOWN);
    assert_true(insert(BASE + 0x800, 200));
    assert_true(registry_find(BASE + 0x800, &info));
    assert_int_equal(info.size, 200);
    registry_forget(BASE + 0x800, 9);
}

static void a_pin_belongs_to_live_blocks(void **state) {
    (void)state;
    struct record_info info;
    assert_false(registry_pin(BASE + 0x100, &info));
    assert_int_equal(info.state, RECORD_NONE);
    insert(BASE + 0x100, 1);
    assert_true(registry_pin(BASE + 0x100, &info));
    assert_true(registry_find(BASE + 0x100, &info));
    assert_int_equal(info.state, RECORD_BUSY);
    registry_unpin(BASE + 0x100, RECORD_LIVE);
    assert_true(registry_pin(BASE + 0x100, &info));
    info.size = 77;
    registry_resize(&info);
    assert_true(registry_find(BASE + 0x100, &info));
    assert_int_equal(info.state, RECORD_LIVE);
    assert_int_equal(info.size, 77);
    registry_forget(BASE + 0x100, 0);
    assert_false(registry_pin(BASE + 0x100, &info));
    assert_int_equal(info.state, RECORD_GHOST);
}

struct tally {
    uint64_t count, size;
};

static void tally_one(void *argument, const struct record_info *info) {
    struct tally *tally = argument;
    tally->count++;
    tally->size += info->size;
}

/* Random entries and removals over few addresses, so that each is used many times, against an array. */
static void it_agrees_with_a_model(void **state) {
    (void)state;
    enum { PLACES = 20000, STEPS = IF_TSAN(80000, 400000) };
    static uint32_t model[PLACES]; /* size of the live block, 0 none */
    uint64_t random = 12345, count = 0, size = 0;
    struct tally before = {0, 0}, after = {0, 0};
    registry_each_live(tally_one, &before);
    for (int step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t i = (uint32_t)(random >> 33) % PLACES;
        uint64_t block = BASE + 0x10000000 + i * (uint64_t)48;
        struct record_info info;
        bool found = registry_find(block, &info) && info.state == RECORD_LIVE;
        assert_int_equal(found, model[i] != 0);
        if (found) {
            assert_int_equal(info.size, model[i]);
            registry_forget(block, 1);
            model[i] = 0;
        } else {
            model[i] = step + 1;
            assert_true(insert(block, model[i]));
        }
    }
    for (int i = 0; i < PLACES; i++) {
        count += model[i] != 0;
        size += model[i];
    }
    registry_each_live(tally_one, &after);
    assert_int_equal(after.count - before.count, count);
    assert_int_equal(after.size - before.size, size);
}

/* A record and its share of the buckets: the promise is 96 bytes for each live block. */
static void a_million_blocks_take_little(void **state) {
    (void)state;
    enum { BLOCKS = IF_TSAN(100000, 1000000) };
    uint64_t before = registry_bytes();
    for (uint64_t i = 0; i < BLOCKS; i++)
        assert_true(insert(BASE + 0x100000000 + i * 112, 64));
    assert_in_range((registry_bytes() - before) / BLOCKS, 48, 96);
    struct record_info info;
    for (uint64_t i = 0; i < BLOCKS; i += 1001)
        assert_true(registry_find(BASE + 0x100000000 + i * 112, &info));
}

/* Addresses that are used again and again, whatever the size they are cut into, do not make it grow. */
static void ghosts_are_bounded(void **state) {
    (void)state;
    uint64_t bytes[2];
    for (int round = 0; round < 2; round++) {
        for (uint64_t step = 32; step <= 160; step += 16) {
            for (uint64_t block = 0; block < IF_TSAN(1 << 19, 1 << 22); block += step) {
                assert_true(insert(BASE + 0x300000000 + block, 1));
                registry_forget(BASE + 0x300000000 + block, 1);
            }
        }
        bytes[round] = registry_bytes();
    }
    assert_in_range(bytes[1] - bytes[0], 0, 64 << 10);
}

static enum record_state state_of(uint64_t block) {
    struct record_info info;
    return registry_find(block, &info) ? (enum record_state)info.state : RECORD_NONE;
}

static void a_walk_goes_round(void **state) {
    (void)state;
    enum { BLOCKS = 1000 };
    static bool seen[BLOCKS];
    uint64_t first = BASE + 0x400000000;
    uint64_t hand = 0;
    uint32_t found = 0, id;
    for (uint64_t i = 0; i < BLOCKS; i++)
        assert_true(insert(first + i * 64, (uint32_t)i + 1));
    for (int calls = 0; found < BLOCKS && calls < 10000000; calls++) {
        struct record_info info;
        if ((id = registry_next(&hand, &info)) == 0)
            continue;
        assert_int_equal(state_of(info.block),
                         info.state == RECORD_LIVE ? RECORD_BUSY : RECORD_SWEPT);
        registry_release(id, &info, SEEN_BY_SWEEP);
        if (info.block < first || info.block >= first + BLOCKS * 64)
            continue;
        found += !seen[info.size - 1];
        seen[info.size - 1] = true;
    }
    assert_int_equal(found, BLOCKS);
    for (uint64_t i = 0; i < BLOCKS; i++)
        registry_forget(first + i * 64, 1);
}

/* Makes the walk come to the block; answers its number. */
static uint32_t walk_to(uint64_t block, struct record_info *info) {
    uint64_t hand = 0;
    uint32_t id;
    for (int calls = 0; calls < 10000000; calls++) {
        if ((id = registry_next(&hand, info)) == 0)
            continue;
        if (info->block == block)
            return id;
        registry_release(id, info, SEEN_BY_SWEEP);
    }
    return 0;
}

/* Whether the quarantine lets the block out, with everything else that it holds. */
static bool let_out(uint64_t block) {
    struct record_info out[QUARANTINE_BATCH];
    unsigned count;
    bool found = false;
    while ((count = quarantine_pop(out, true, true)) != 0) {
        for (unsigned i = 0; i < count; i++)
            found = found || out[i].block == block;
    }
    return found;
}

static void *let_out_meanwhile(void *block) {
    return let_out((uintptr_t)block) ? block : NULL;
}

static void hold(uint64_t block) {
    assert_true(insert(block, 100));
    struct take t = {.block = block, .irql_most = 2, .held_most = quarantine_most()};
    assert_int_equal(quarantine_take(&t), TAKE_HELD);
    quarantine_keep(&t);
    assert_int_equal(state_of(block), RECORD_HELD);
}

static void a_held_block_stays_while_it_is_looked_at(void **state) {
    (void)state;
    uint64_t block = BASE + 0x4a0000000;
    struct record_info info;
    uint32_t time;
    atomic_store(&sweep_is_on, true);
    hold(block);
    uint32_t id = walk_to(block, &info);
    assert_int_not_equal(id, 0);
    assert_int_equal(info.state, RECORD_HELD);
    assert_int_equal(state_of(block), RECORD_SWEPT);
    pthread_t thread;
    void *left;
    assert_int_equal(pthread_create(&thread, NULL, let_out_meanwhile, (void *)(uintptr_t)block), 0);
    usleep(20000);
    assert_int_equal(state_of(block), RECORD_SWEPT);
    registry_release(id, &info, SEEN_BY_SWEEP);
    assert_int_equal(registry_seen(&info, &time), SEEN_BY_SWEEP);
    pthread_join(thread, &left);
    assert_true(left != NULL || let_out(block)); /* the other thread may have given up */
    assert_int_equal(state_of(block), RECORD_GHOST);
    hold(block);
    id = walk_to(block, &info);
    registry_release(id, &info, SEEN_DAMAGED);
    assert_int_equal(state_of(block), RECORD_SET_ASIDE);
    assert_false(let_out(block));
    atomic_store(&sweep_is_on, false);
}

/* Two frees of one block at a time: the quarantine lets one of them have it. */
static void one_of_two_takes_has_the_block(void **state) {
    (void)state;
    uint64_t block = BASE + 0x490000000;
    struct take t = {.block = block, .irql_most = 2, .held_most = quarantine_most()};
    assert_int_equal(quarantine_take(&t), TAKE_UNKNOWN);
    assert_true(insert(block, 64));
    assert_int_equal(quarantine_take(&t), TAKE_HELD);
    assert_int_equal(t.info.size, 64);
    struct take second = t;
    assert_int_equal(quarantine_take(&second), TAKE_NOT_LIVE);
    assert_int_equal(second.info.state, RECORD_FILLING);
    quarantine_keep(&t);
    assert_int_equal(quarantine_take(&second), TAKE_NOT_LIVE);
    assert_int_equal(second.info.state, RECORD_HELD);
    assert_true(insert(block, 65)); /* handed out again behind the quarantine's back */
    struct record_info out[QUARANTINE_BATCH];
    while (quarantine_pop(out, true, true) != 0)
        assert_int_not_equal(out[0].block, block);
    assert_true(registry_find(block, &out[0]));
    assert_int_equal(out[0].size, 65);
    registry_forget(block, 1);
}

enum { THREADS = 4, ROUNDS = IF_TSAN(20000, 100000) };

static void *hammer(void *argument) {
    uint64_t own = BASE + 0x500000000 + (uint64_t)(uintptr_t)argument * REGISTRY_GRANULE;
    uintptr_t wrong = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t block =
            own + i % 512 * 4 * REGISTRY_GRANULE; /* interleaved with the other threads' */
        struct record_info info;
        wrong += !insert(block, (uint32_t)i + 1);
        wrong += !registry_pin(block, &info) || info.size != i + 1;
        registry_unpin(block, RECORD_LIVE);
        registry_forget(block, 1);
        /* The ghost may have become another thread's record by now. */
        wrong += registry_find(block, &info) && info.state != RECORD_GHOST;
    }
    return (void *)wrong;
}

static void threads_do_not_disturb_each_other(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
}

/* Each thread marks and enters by turns: what it enters behind its own mark has that one or a later. */
static void *mark_and_enter(void *argument) {
    uint64_t own = BASE + 0x600000000 + ((uint64_t)(uintptr_t)argument << 28);
    uintptr_t wrong = 0;
    for (uint64_t i = 0; i < ROUNDS / 10; i++) {
        struct record_info before, behind;
        insert(own + i * 64, 1);
        uint32_t mark = registry_mark();
        insert(own + i * 64 + 32, 1);
        wrong += !registry_find(own + i * 64, &before) || before.mark >= mark;
        wrong += !registry_find(own + i * 64 + 32, &behind) || behind.mark < mark;
    }
    return (void *)wrong;
}

static void marks_part_the_blocks(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    uint32_t first = registry_mark();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, mark_and_enter, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(registry_mark(), first + THREADS * (ROUNDS / 10) + 1);
}

static int ready(void **state) {
    (void)state;
    return registry_ready() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_entered_is_found),
        cmocka_unit_test(a_vacated_address_is_unknown),
        cmocka_unit_test(a_pin_belongs_to_live_blocks),
        cmocka_unit_test(it_agrees_with_a_model),
        cmocka_unit_test(ghosts_are_bounded),
        cmocka_unit_test(a_walk_goes_round),
        cmocka_unit_test(a_held_block_stays_while_it_is_looked_at),
        cmocka_unit_test(one_of_two_takes_has_the_block),
        cmocka_unit_test(a_million_blocks_take_little),
        cmocka_unit_test(threads_do_not_disturb_each_other),
        cmocka_unit_test(marks_part_the_blocks),
    };
    return cmocka_run_group_tests(tests, ready, NULL);
}
