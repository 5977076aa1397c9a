/* check/registry.h: against a plain model, with threads, and its size. */
#include "unit.h"

#include <pthread.h>

#include "check/registry.h"

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
    enum { PLACES = 20000, STEPS = 400000 };
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
    enum { BLOCKS = 1000000 };
    uint64_t before = registry_bytes();
    for (uint64_t i = 0; i < BLOCKS; i++)
        assert_true(insert(BASE + 0x100000000 + i * 112, 64));
    assert_in_range((registry_bytes() - before) / BLOCKS, 48, 96);
    struct record_info info;
    for (uint64_t i = 0; i < BLOCKS; i += 1001)
        assert_true(registry_find(BASE + 0x100000000 + i * 112, &info));
}

/* Ghosts are reused: addresses that are used once each do not make the registry grow without end. */
static void ghosts_are_bounded(void **state) {
    (void)state;
    uint64_t block = BASE + 0x300000000, bytes[2];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500000; i++, block += 16) {
            assert_true(insert(block, 1));
            registry_forget(block, 1);
        }
        bytes[round] = registry_bytes();
    }
    assert_in_range(bytes[1] - bytes[0], 0, 8 << 20);
}

enum { THREADS = 4, ROUNDS = 100000 };

static void *hammer(void *argument) {
    uint64_t own = BASE + 0x500000000 + (uint64_t)(uintptr_t)argument * 16;
    uintptr_t wrong = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t block = own + i % 512 * 64; /* interleaved with the other threads' */
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

static int ready(void **state) {
    (void)state;
    return registry_ready() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_entered_is_found),
        cmocka_unit_test(a_pin_belongs_to_live_blocks),
        cmocka_unit_test(it_agrees_with_a_model),
        cmocka_unit_test(ghosts_are_bounded),
        cmocka_unit_test(a_million_blocks_take_little),
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, ready, NULL);
}
