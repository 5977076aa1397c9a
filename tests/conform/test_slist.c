/* S-lists: order, depth, layout, and many threads on one list. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ntifs.h>

#define THREADS 4
#define ENTRIES 64
#define ROUNDS 50000
#define FEW_ROUNDS 5000 /* where each entry's Next is read by the system */

static SLIST_HEADER head;

struct entry {
    SLIST_ENTRY link;
    volatile LONG owners;
    ULONG seen;
};

static struct entry entries[ENTRIES];

static void last_in_first_out(void **state) {
    (void)state;
    InitializeSListHead(&head);
    assert_null(ExInterlockedPopEntrySList(&head, NULL));
    assert_int_equal(ExQueryDepthSList(&head), 0);
    assert_null(ExInterlockedPushEntrySList(&head, &entries[0].link, NULL));
    assert_ptr_equal(ExInterlockedPushEntrySList(&head, &entries[1].link, NULL), &entries[0].link);
    assert_int_equal(QueryDepthSList(&head), 2);
    assert_ptr_equal((PVOID)(ULONG_PTR)(head.HeaderX64.NextEntry << 4), &entries[1]);
    assert_ptr_equal(InterlockedPopEntrySList(&head), &entries[1].link);
    assert_ptr_equal(InterlockedPopEntrySList(&head), &entries[0].link);
    assert_null(InterlockedPopEntrySList(&head));
}

static void flush_answers_the_chain(void **state) {
    PSLIST_ENTRY e;

    (void)state;
    InitializeSListHead(&head);
    assert_null(ExInterlockedFlushSList(&head));
    for (size_t i = 0; i < 3; i++)
        InterlockedPushEntrySList(&head, &entries[i].link);
    e = InterlockedFlushSList(&head);
    assert_ptr_equal(e, &entries[2].link);
    assert_ptr_equal(e->Next, &entries[1].link);
    assert_ptr_equal(e->Next->Next, &entries[0].link);
    assert_null(e->Next->Next->Next);
    assert_int_equal(ExQueryDepthSList(&head), 0);
}

static void *take_and_give(void *rounds) {
    LONG errors = 0;

    for (ULONG i = 0; i < *(const ULONG *)rounds; i++) {
        struct entry *e = (struct entry *)(void *)InterlockedPopEntrySList(&head);

        if (e == NULL)
            continue;
        errors += InterlockedIncrement(&e->owners) != 1;
        e->seen++;
        errors += InterlockedDecrement(&e->owners) != 0;
        InterlockedPushEntrySList(&head, &e->link);
    }
    return (void *)(LONG_PTR)errors;
}

static void pass_around(ULONG rounds) {
    pthread_t threads[THREADS];
    ULONG total = 0, depth = 0;
    void *errors;

    InitializeSListHead(&head);
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i].seen = 0;
    for (size_t i = 0; i < ENTRIES; i++)
        InterlockedPushEntrySList(&head, &entries[i].link);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &rounds), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &errors);
        assert_null(errors);
    }
    assert_int_equal(ExQueryDepthSList(&head), ENTRIES);
    for (PSLIST_ENTRY e = InterlockedFlushSList(&head); e != NULL; e = e->Next)
        depth++;
    assert_int_equal(depth, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++)
        total += entries[i].seen;
    assert_int_equal(total, THREADS * rounds); /* more entries than threads: never found empty */
}

/* While nobody knows yet whether freed blocks will be inaccessible. */
static void an_entry_has_one_owner_before_the_pool_starts(void **state) {
    (void)state;
    pass_around(FEW_ROUNDS);
}

static void an_entry_has_one_owner(void **state) {
    (void)state;
    ExFreePool(ExAllocatePoolWithTag(NonPagedPoolNx, 1, 'tseT'));
    pass_around(ROUNDS);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_in_first_out),
        cmocka_unit_test(flush_answers_the_chain),
        cmocka_unit_test(an_entry_has_one_owner_before_the_pool_starts),
        cmocka_unit_test(an_entry_has_one_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
