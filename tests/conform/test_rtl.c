/* Lists, strings, memory and interlocked operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ntifs.h>

struct item {
    int number;
    LIST_ENTRY links;
    SINGLE_LIST_ENTRY link;
};

static struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};

static int number_of(PLIST_ENTRY entry) {
    return CONTAINING_RECORD(entry, struct item, links)->number;
}

static void doubly_linked_lists(void **state) {
    LIST_ENTRY head;

    (void)state;
    InitializeListHead(&head);
    assert_true(IsListEmpty(&head));
    InsertTailList(&head, &items[1].links);
    InsertTailList(&head, &items[2].links);
    InsertHeadList(&head, &items[0].links);
    InsertTailList(&head, &items[3].links);
    assert_false(IsListEmpty(&head));
    for (PLIST_ENTRY e = head.Flink, p = &head; e != &head; p = e, e = e->Flink) {
        assert_ptr_equal(e->Blink, p);
        assert_int_equal(number_of(e), p == &head ? 0 : number_of(p) + 1);
    }
    assert_false(RemoveEntryList(&items[1].links));
    assert_int_equal(number_of(RemoveHeadList(&head)), 0);
    assert_int_equal(number_of(RemoveTailList(&head)), 3);
    assert_true(RemoveEntryList(&items[2].links)); /* the last one */
    assert_true(IsListEmpty(&head));
}

static void singly_linked_lists(void **state) {
    SINGLE_LIST_ENTRY head = {NULL};

    (void)state;
    assert_null(PopEntryList(&head));
    PushEntryList(&head, &items[0].link);
    PushEntryList(&head, &items[1].link);
    assert_ptr_equal(PopEntryList(&head), &items[1].link);
    assert_ptr_equal(PopEntryList(&head), &items[0].link);
    assert_null(PopEntryList(&head));
}

static void counted_strings(void **state) {
    static const WCHAR text[] = u"Share";
    UNICODE_STRING a, b;
    WCHAR buffer[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    UNICODE_STRING copy = {0, sizeof buffer, buffer};
    static CHAR name[] = "name";
    STRING counted = RTL_CONSTANT_STRING(name);

    (void)state;
    assert_int_equal(counted.Length, 4);
    assert_int_equal(counted.MaximumLength, 5);
    RtlInitUnicodeString(&a, NULL);
    assert_int_equal(a.Length, 0);
    assert_int_equal(a.MaximumLength, 0);
    assert_null(a.Buffer);
    RtlInitUnicodeString(&a, text);
    assert_int_equal(a.Length, 10);
    assert_int_equal(a.MaximumLength, 12);
    assert_ptr_equal(a.Buffer, text);
    RtlCopyUnicodeString(&copy, &a);
    assert_int_equal(copy.Length, 10);
    assert_int_equal(buffer[5], 0);
    assert_int_equal(buffer[6], 1);
    assert_true(RtlEqualUnicodeString(&copy, &a, FALSE));
    buffer[0] = 's';
    assert_false(RtlEqualUnicodeString(&copy, &a, FALSE));
    assert_true(RtlEqualUnicodeString(&copy, &a, TRUE));
    assert_true(RtlCompareUnicodeString(&copy, &a, FALSE) > 0);
    assert_int_equal(RtlCompareUnicodeString(&copy, &a, TRUE), 0);
    copy.Length -= 2;
    assert_true(RtlCompareUnicodeString(&copy, &a, TRUE) < 0);
    assert_false(RtlEqualUnicodeString(&copy, &a, TRUE));

    copy.MaximumLength = 6; /* three characters, and no room for a terminator */
    buffer[3] = 1;
    RtlInitUnicodeString(&b, u"abcdef");
    RtlCopyUnicodeString(&copy, &b);
    assert_int_equal(copy.Length, 6);
    assert_int_equal(buffer[2], 'c');
    assert_int_equal(buffer[3], 1);
    RtlCopyUnicodeString(&copy, NULL);
    assert_int_equal(copy.Length, 0);
}

/*
 * Longer than a USHORT counts: as much as it can count, which is what a careful caller may rely on.
 */
static void an_endless_string(void **state) {
    static WCHAR endless[40000];
    UNICODE_STRING s;

    (void)state;
    for (size_t i = 0; i + 1 < RTL_NUMBER_OF(endless); i++)
        endless[i] = 'x';
    RtlInitUnicodeString(&s, endless);
    assert_int_equal(s.Length % 2, 0);
    assert_int_equal(s.Length, 0xFFFC);
    assert_int_equal(s.MaximumLength, 0xFFFE);
}

static void memory(void **state) {
    UCHAR a[16], b[16];

    (void)state;
    RtlFillMemory(a, sizeof a, 7);
    RtlCopyMemory(b, a, sizeof a);
    assert_true(RtlEqualMemory(a, b, 16));
    assert_int_equal(RtlCompareMemory(a, b, 16), 16);
    b[9] = 0;
    assert_false(RtlEqualMemory(a, b, 16));
    assert_int_equal(RtlCompareMemory(a, b, 16), 9);
    RtlMoveMemory(b, b + 1, 15);
    assert_int_equal(b[8], 0);
    RtlZeroMemory(a, 16);
    assert_int_equal(a[0] | a[15], 0);
}

static void interlocked(void **state) {
    volatile LONG l = 5;
    volatile LONG64 q = 5;
    int one, two;
    PVOID volatile p = &one;

    (void)state;
    assert_int_equal(InterlockedIncrement(&l), 6);
    assert_int_equal(InterlockedDecrement(&l), 5);
    assert_int_equal(InterlockedExchangeAdd(&l, 10), 5);
    assert_int_equal(InterlockedExchange(&l, 1), 15);
    assert_int_equal(InterlockedCompareExchange(&l, 9, 2), 1);
    assert_int_equal(InterlockedCompareExchange(&l, 9, 1), 1);
    assert_int_equal(InterlockedOr(&l, 6), 9);
    assert_int_equal(InterlockedAnd(&l, 12), 15);
    assert_int_equal(l, 12);
    assert_int_equal(InterlockedIncrement64(&q), 6);
    assert_int_equal(InterlockedDecrement64(&q), 5);
    assert_int_equal(InterlockedExchangeAdd64(&q, 1LL << 40), 5);
    assert_true(InterlockedCompareExchange64(&q, 7, (1LL << 40) + 5) == (1LL << 40) + 5);
    assert_int_equal(q, 7);
    assert_ptr_equal(InterlockedExchangePointer(&p, &two), &one);
    assert_ptr_equal(InterlockedCompareExchangePointer(&p, &one, &one), &two);
    assert_ptr_equal(InterlockedCompareExchangePointer(&p, &one, &two), &two);
    assert_ptr_equal(p, &one);
    KeMemoryBarrier();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubly_linked_lists),
        cmocka_unit_test(singly_linked_lists),
        cmocka_unit_test(counted_strings),
        cmocka_unit_test(an_endless_string),
        cmocka_unit_test(memory),
        cmocka_unit_test(interlocked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
