/*
 * check/scan.h: what holds a block and what does not. A test knows its blocks by the complement of
 * their addresses, and makes them far down the stack, so as not to hold them itself. fill=0, so that what
 * freed blocks held is still in them.
 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

#include "base/base.h"
#include "check/check.h"
#include "check/scan.h"
#include "plat/linux_scan.h"

#define TAG 0x74736554u
#define NOT_FOUND 99

typedef uintptr_t hidden; /* the complement of an address */

static void *shown(hidden h) {
    return (void *)~h;
}

static hidden hide(const void *p) {
    return ~(uintptr_t)p;
}

/* --- far down the stack ------------------------------------------------------------------------ */

struct order {
    void (*work)(struct order *o);
    ULONG size;
    hidden block[3];
};

static RXP_NOINLINE void run_below(struct order *o, unsigned depth) {
    volatile char room[4096];
    room[0] = room[sizeof room - 1] = 0;
    if (depth == 0)
        o->work(o);
    else
        run_below(o, depth - 1);
    room[1] = 0;
}

static void below(struct order *o, void (*work)(struct order *o)) {
    o->work = work;
    run_below(o, 16);
}

static void *allocate(ULONG size) {
    void *p = _RxAllocatePoolWithTag(NonPagedPool, size, TAG, (PSZ)__FILE__, __LINE__);
    assert_non_null(p);
    return memset(p, 0, size);
}

static void make_one(struct order *o) {
    o->block[0] = hide(allocate(o->size));
}

static hidden make(ULONG size) {
    struct order o = {.size = size};
    below(&o, make_one);
    return o.block[0];
}

static void free_one(struct order *o) {
    _RxFreePool(shown(o->block[0]), (PSZ)__FILE__, __LINE__);
}

static void drop(hidden h) {
    struct order o = {.block = {h}};
    below(&o, free_one);
}

static void put_one(struct order *o) {
    void *what = shown(o->block[1]);
    memcpy(shown(o->block[0]), &what, sizeof what);
}

/* Writes the address of `what` to the address `where`. */
static void put(hidden where, hidden what) {
    struct order o = {.block = {where, what}};
    below(&o, put_one);
}

static void clear(hidden where) {
    put(where, ~(hidden)0);
}

/* --- the question ------------------------------------------------------------------------------ */

struct question {
    hidden block;
    int reach;
};

static void compare(void *argument, const struct record_info *info, enum scan_reach reach) {
    struct question *q = argument;
    if (~info->block == q->block)
        q->reach = (int)reach;
}

static struct scan_outcome outcome; /* of the latest search */

static int reach_of(hidden block) {
    struct question q = {block, NOT_FOUND};
    assert_true(scan_begin(false, &outcome));
    scan_each(compare, &q);
    scan_end();
    return q.reach;
}

/* --- what holds -------------------------------------------------------------------------------- */

static void *global;
static __thread void *thread_local_block;

#define GLOBAL hide(&global)

static void nothing_holds(void **state) {
    (void)state;
    hidden h = make(100);
    assert_int_equal(reach_of(h), SCAN_LOST);
    assert_int_equal(outcome.unstopped, 0);
    drop(h);
    assert_int_equal(reach_of(h), NOT_FOUND);
}

static void a_global_holds(void **state) {
    (void)state;
    hidden h = make(100);
    put(GLOBAL, h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    clear(GLOBAL);
    assert_int_equal(reach_of(h), SCAN_LOST);
    drop(h);
}

static void a_local_variable_holds(void **state) {
    (void)state;
    void *volatile local = NULL;
    hidden h = make(100);
    put(hide((void *)&local), h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    local = NULL;
    assert_int_equal(reach_of(h), SCAN_LOST);
    drop(h);
}

static void a_thread_local_variable_holds(void **state) {
    (void)state;
    hidden h = make(100);
    put(hide(&thread_local_block), h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    clear(hide(&thread_local_block));
    drop(h);
}

/* Past the keys that lie in the thread's own structure. */
static void thread_specific_data_holds(void **state) {
    (void)state;
    pthread_key_t keys[64];
    hidden h = make(100);
    void **value = calloc(1, sizeof *value);
    for (int i = 0; i < 64; i++)
        assert_int_equal(pthread_key_create(&keys[i], NULL), 0);
    put(hide(value), h);
    assert_int_equal(pthread_setspecific(keys[63], value), 0);
    assert_int_equal(reach_of(h), SCAN_HELD);
    *value = NULL;
    for (int i = 0; i < 64; i++)
        pthread_key_delete(keys[i]);
    free(value);
    drop(h);
}

static void an_inner_address_holds(void **state) {
    (void)state;
    hidden h = make(100);
    put(GLOBAL, h - 24);
    assert_int_equal(reach_of(h), SCAN_HELD_INSIDE);
    put(GLOBAL, h - 99);
    assert_int_equal(reach_of(h), SCAN_HELD_INSIDE);
    clear(GLOBAL);
    drop(h);
}

static void an_address_that_is_not_aligned_does_not_hold(void **state) {
    (void)state;
    static _Alignas(8) unsigned char bytes[16];
    hidden h = make(100);
    put(hide(bytes + 1), h);
    assert_int_equal(reach_of(h), SCAN_LOST);
    memset(bytes, 0, sizeof bytes);
    drop(h);
}

static void a_chain_holds(void **state) {
    (void)state;
    hidden a = make(100), b = make(5000), c = make(64);
    put(GLOBAL, a);
    put(a - 40, b);
    put(b - 4992, c);
    assert_int_equal(reach_of(c), SCAN_HELD);
    clear(a - 40);
    assert_int_equal(reach_of(a), SCAN_HELD);
    assert_int_equal(reach_of(b), SCAN_LOST);
    assert_int_equal(reach_of(c), SCAN_LOST_THROUGH);
    clear(GLOBAL);
    drop(a);
    drop(b);
    drop(c);
}

static void a_ring_is_lost(void **state) {
    (void)state;
    hidden ring[3] = {make(64), make(64), make(64)};
    int lost = 0, through = 0;
    for (int i = 0; i < 3; i++)
        put(ring[i], ring[(i + 1) % 3]);
    for (int i = 0; i < 3; i++) {
        int reach = reach_of(ring[i]);
        lost += reach == SCAN_LOST;
        through += reach == SCAN_LOST_THROUGH;
    }
    assert_int_equal(lost, 1);
    assert_int_equal(through, 2);
    for (int i = 0; i < 3; i++)
        drop(ring[i]);
}

static SLIST_HEADER list;

static void push_one(struct order *o) {
    ExpInterlockedPushEntrySList(&list, shown(o->block[0]));
}

static void an_s_list_holds(void **state) {
    (void)state;
    hidden entry[3];
    InitializeSListHead(&list);
    for (int i = 0; i < 3; i++) {
        struct order o = {.block = {entry[i] = make(48)}};
        below(&o, push_one);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(reach_of(entry[i]), SCAN_HELD);
    list.Region |= 15; /* bits of the head that are no part of the address */
    for (int i = 0; i < 3; i++)
        assert_int_equal(reach_of(entry[i]), i == 2 ? SCAN_HELD_INSIDE : SCAN_HELD);
    InitializeSListHead(&list);
    assert_int_equal(reach_of(entry[0]), SCAN_LOST_THROUGH);
    assert_int_equal(reach_of(entry[2]), SCAN_LOST);
    for (int i = 0; i < 3; i++)
        drop(entry[i]);
}

/* Addresses stay in freed blocks: in the quarantine, and in the pool's own free ones. */
static void freed_blocks_do_not_hold(void **state) {
    (void)state;
    hidden h = make(100), holder = make(64);
    put(GLOBAL, holder);
    put(holder - 16, h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    drop(holder);
    assert_int_equal(reach_of(h), SCAN_LOST);
    clear(GLOBAL);
    drop(h);
}

static void make_plain(struct order *o) {
    o->block[0] = hide(ExAllocatePoolWithTag(NonPagedPool, 256, TAG + 1));
    memset(shown(o->block[0]), 0, 256);
}

static void free_plain(struct order *o) {
    ExFreePool(shown(o->block[0]));
}

/* Of a mixed slab, and of one that its account has to itself. */
static void plain_blocks_hold_until_they_are_freed(void **state) {
    (void)state;
    enum { PLAIN = 3000 };
    static hidden plain[PLAIN];
    hidden h = make(100);
    for (int i = 0; i < PLAIN; i++) {
        struct order o;
        below(&o, make_plain);
        plain[i] = o.block[0];
    }
    for (int i = 0; i < PLAIN; i += PLAIN - 1) {
        put(plain[i] - 128, h);
        assert_int_equal(reach_of(h), SCAN_HELD);
        clear(plain[i] - 128);
        assert_int_equal(reach_of(h), SCAN_LOST);
        put(plain[i] - 128, h);
        struct order o = {.block = {plain[i]}};
        below(&o, free_plain);
        assert_int_equal(reach_of(h), SCAN_LOST);
    }
    for (int i = 1; i < PLAIN - 1; i++)
        ExFreePool(shown(plain[i]));
    drop(h);
}

static void signed_memory_holds(void **state) {
    (void)state;
    static _Alignas(16) unsigned char memory[256];
    hidden h = make(100);
    void *block = _RxSignMemoryBlock(memory, sizeof memory, 0, TAG, (PSZ)__FILE__, __LINE__);
    assert_non_null(block);
    put(hide(block), h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    assert_ptr_equal(_RxUnsignMemoryBlock(block, (PSZ)__FILE__, __LINE__), memory);
    memset(memory, 0, sizeof memory);
    drop(h);
}

/* --- other memory ------------------------------------------------------------------------------ */

static void mapped_memory_holds(void **state) {
    (void)state;
    hidden h = make(100);
    char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    put(hide(map + 500000), h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    mprotect(map, 1 << 20, PROT_READ); /* sealed */
    assert_int_equal(reach_of(h), SCAN_HELD);
    munmap(map, 1 << 20);
    assert_int_equal(reach_of(h), SCAN_LOST);
    drop(h);
}

static void shared_memory_holds(void **state) {
    (void)state;
    hidden h = make(100);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    put(hide(map + 4096), h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    munmap(map, 8192);
    drop(h);
}

/* Pages that a program takes away inside its own block, and a file that ends before its mapping does. */
static void what_cannot_be_read_is_passed_over(void **state) {
    (void)state;
    hidden h = make(100), large = make(16 * 4096);
    char name[] = "/tmp/rxpool-scan-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0 && ftruncate(fd, 8192) == 0);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    map[0] = map[4096] = 1;
    assert_int_equal(ftruncate(fd, 0), 0);
    put(GLOBAL, large);
    put(large - 15 * 4096, h);
    assert_int_equal(mprotect((char *)shown(large) + 4096, 4096, PROT_NONE), 0);
    assert_int_equal(reach_of(h), SCAN_HELD);
    mprotect((char *)shown(large) + 4096, 4096, PROT_READ | PROT_WRITE);
    munmap(map, 8192);
    close(fd);
    unlink(name);
    clear(GLOBAL);
    drop(large);
    drop(h);
}

/* 64 GiB that nobody has touched take no time. */
static void untouched_memory_is_passed_over(void **state) {
    (void)state;
    size_t size = (size_t)1 << 36;
    hidden h = make(100);
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(map != MAP_FAILED);
    put(hide(map + size / 2), h);
    assert_int_equal(reach_of(h), SCAN_HELD);
    munmap(map, size);
    drop(h);
}

/* --- other threads ------------------------------------------------------------------------------ */

static struct {
    hidden block;
    _Atomic int ready, go;
} other;

static void wait_for_go(void) {
    other.ready = 1;
    while (!other.go)
        usleep(1000);
}

static void *hold_on_stack(void *argument) {
    void *volatile local;
    (void)argument;
    local = shown(other.block);
    wait_for_go();
    local = NULL;
    return local;
}

static void *hold_in_thread_local(void *argument) {
    (void)argument;
    thread_local_block = shown(other.block);
    wait_for_go();
    thread_local_block = NULL;
    return NULL;
}

/* The address is in r12 and nowhere else, in a loop without a call. */
static void *hold_in_register(void *argument) {
    (void)argument;
    __asm__ volatile("movq %0, %%r12\n\tnotq %%r12\n\tmovl $1, %1\n"
                     "1:\tpause\n\tcmpl $0, %2\n\tje 1b\n\txorl %%r12d, %%r12d"
                     :
                     : "m"(other.block), "m"(other.ready), "m"(other.go)
                     : "r12", "memory");
    return NULL;
}

/* The same in a vector register. */
static void *hold_in_vector(void *argument) {
    (void)argument;
    __asm__ volatile("movq %0, %%r12\n\tnotq %%r12\n\tmovq %%r12, %%xmm7\n\txorl %%r12d, %%r12d\n\t"
                     "movl $1, %1\n"
                     "1:\tpause\n\tcmpl $0, %2\n\tje 1b\n\tpxor %%xmm7, %%xmm7"
                     :
                     : "m"(other.block), "m"(other.ready), "m"(other.go)
                     : "r12", "xmm7", "memory");
    return NULL;
}

static void *hold_with_signals_blocked(void *argument) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    return hold_on_stack(argument);
}

static int reach_in_thread(void *(*hold)(void *)) {
    pthread_t thread;
    other.block = make(100);
    other.ready = other.go = 0;
    assert_int_equal(pthread_create(&thread, NULL, hold, NULL), 0);
    while (!other.ready)
        usleep(1000);
    int reach = reach_of(other.block);
    other.go = 1;
    pthread_join(thread, NULL);
    drop(other.block);
    return reach;
}

static void another_thread_holds(void **state) {
    (void)state;
    assert_int_equal(reach_in_thread(hold_on_stack), SCAN_HELD);
    assert_int_equal(reach_in_thread(hold_in_thread_local), SCAN_HELD);
    assert_int_equal(reach_in_thread(hold_in_register), SCAN_HELD);
    assert_int_equal(reach_in_thread(hold_in_vector), SCAN_HELD);
    assert_int_equal(outcome.unstopped, 0);
}

static void a_thread_that_cannot_be_stopped_holds(void **state) {
    (void)state;
    assert_int_equal(reach_in_thread(hold_with_signals_blocked), SCAN_HELD);
    assert_int_equal(outcome.unstopped, 1);
}

/* What a returned function left below the stack pointer is not held. */
static void *leave_on_stack(void *argument) {
    struct order o = {.block = {GLOBAL, other.block}};
    below(&o, put_one);
    clear(GLOBAL);
    wait_for_go();
    return argument;
}

static void the_unused_part_of_a_stack_does_not_hold(void **state) {
    (void)state;
    assert_int_equal(reach_in_thread(leave_on_stack), SCAN_LOST);
}

/* --- while threads work ------------------------------------------------------------------------- */

enum { WORKERS = 4, SLOTS = 64 };
static void **slots[WORKERS];
static _Atomic int working;

static void *work(void *argument) {
    void **own = slots[(uintptr_t)argument];
    for (uint64_t random = (uintptr_t)argument + 1; working;) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        void **slot = &own[random >> 40 & (SLOTS - 1)];
        if (*slot != NULL)
            _RxFreePool(*slot, (PSZ)__FILE__, __LINE__);
        *slot = _RxAllocatePoolWithTag(PagedPool, 16 + (ULONG)(random >> 52), TAG, (PSZ)__FILE__,
                                       __LINE__);
    }
    for (int i = 0; i < SLOTS; i++)
        if (own[i] != NULL)
            _RxFreePool(own[i], (PSZ)__FILE__, __LINE__);
    return NULL;
}

static void *come_and_go(void *argument) {
    while (working) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, hold_with_signals_blocked, argument) == 0)
            pthread_join(thread, NULL);
    }
    return NULL;
}

struct tally {
    int lost, held;
};

static void tally(void *argument, const struct record_info *info, enum scan_reach reach) {
    struct tally *t = argument;
    (void)info;
    t->lost += reach <= SCAN_LOST_THROUGH;
    t->held += reach > SCAN_LOST_THROUGH;
}

static void working_threads_lose_nothing(void **state) {
    (void)state;
    pthread_t thread[WORKERS + 1];
    int held = 0;
    working = 1;
    other.go = 1;
    other.block = 0;
    for (uintptr_t i = 0; i < WORKERS; i++) {
        slots[i] = calloc(SLOTS, sizeof(void *));
        pthread_create(&thread[i], NULL, work, (void *)i);
    }
    pthread_create(&thread[WORKERS], NULL, come_and_go, NULL);
    for (int round = 0; round < 100 || held < 10000; round++) {
        struct tally t = {0, 0};
        assert_true(scan_begin(false, &outcome));
        scan_each(tally, &t);
        scan_end();
        assert_int_equal(t.lost, 0);
        held += t.held;
    }
    working = 0;
    for (int i = 0; i <= WORKERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < WORKERS; i++)
        free(slots[i]);
}

static void a_forked_child_searches_its_own(void **state) {
    (void)state;
    hidden kept = make(100), lost = make(100);
    put(GLOBAL, kept);
    pid_t child = fork();
    if (child == 0)
        _exit(reach_of(kept) == SCAN_HELD && reach_of(lost) == SCAN_LOST ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    clear(GLOBAL);
    drop(kept);
    drop(lost);
}

enum { PAGES = 9 };

/* Bit i: page i of the map is one that the program can have left something in. */
static unsigned pages_told(const char *map, bool writable, bool only_words) {
    uintptr_t at = (uintptr_t)map, end = at + PAGES * PAGE_SIZE, from, to;
    unsigned told = 0;
    scan_only_words = only_words;
    while (scan_next_pages(&at, end, writable, &from, &to)) {
        for (; from < to; from += PAGE_SIZE)
            told |= 1u << (from - (uintptr_t)map) / PAGE_SIZE;
    }
    scan_only_words = false;
    assert_true(at >= end);
    return told;
}

/* As systems tell it that know runs of pages, and those that do not. */
static void written_pages_are_told(void **state) {
    (void)state;
    char *map =
        mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    map[0] = map[3 * PAGE_SIZE] = map[4 * PAGE_SIZE + 9] = map[8 * PAGE_SIZE] = 1;
    assert_true(scan_begin(false, &outcome));
    for (int writable = 0; writable < 2; writable++) {
        assert_int_equal(pages_told(map, writable != 0, false), 0x119);
        assert_int_equal(pages_told(map, writable != 0, true), 0x119);
    }
    scan_end();
    munmap(map, PAGES * PAGE_SIZE);
}

static void the_answer_is_the_number_of_lost_blocks(void **state) {
    (void)state;
    hidden a = make(100), b = make(200);
    put(GLOBAL, a);
    assert_int_equal(RxPoolScan(), 1);
    clear(GLOBAL);
    assert_int_equal(RxPoolScan(), 2);
    drop(a);
    drop(b);
    assert_int_equal(RxPoolScan(), 0);
}

enum { PLAIN_BLOCKS = 400 };
static hidden plain[PLAIN_BLOCKS];

static void make_many_plain(struct order *o) {
    (void)o;
    for (unsigned i = 0; i < PLAIN_BLOCKS; i++)
        plain[i] = hide(_RxAllocatePoolForOthers(PagedPool, 80, TAG + 1, (PSZ)__FILE__, __LINE__));
}

static void free_every_other(struct order *o) {
    for (unsigned i = (unsigned)o->size; i < PLAIN_BLOCKS; i += 2)
        ExFreePool(shown(plain[i]));
}

/* So many of one tag that they have slabs of their own, where only the list of the free ones tells. */
static void plain_blocks_that_others_have_freed_are_not_lost(void **state) {
    struct order o = {.size = 1};
    (void)state;
    below(&o, make_many_plain);
    assert_int_equal(RxPoolScan(), PLAIN_BLOCKS);
    below(&o, free_every_other);
    assert_int_equal(RxPoolScan(), PLAIN_BLOCKS / 2);
    o.size = 0;
    below(&o, free_every_other);
    assert_int_equal(RxPoolScan(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_holds),
        cmocka_unit_test(a_global_holds),
        cmocka_unit_test(a_local_variable_holds),
        cmocka_unit_test(a_thread_local_variable_holds),
        cmocka_unit_test(thread_specific_data_holds),
        cmocka_unit_test(an_inner_address_holds),
        cmocka_unit_test(an_address_that_is_not_aligned_does_not_hold),
        cmocka_unit_test(a_chain_holds),
        cmocka_unit_test(a_ring_is_lost),
        cmocka_unit_test(an_s_list_holds),
        cmocka_unit_test(freed_blocks_do_not_hold),
        cmocka_unit_test(plain_blocks_hold_until_they_are_freed),
        cmocka_unit_test(plain_blocks_that_others_have_freed_are_not_lost),
        cmocka_unit_test(signed_memory_holds),
        cmocka_unit_test(mapped_memory_holds),
        cmocka_unit_test(shared_memory_holds),
        cmocka_unit_test(what_cannot_be_read_is_passed_over),
        cmocka_unit_test(untouched_memory_is_passed_over),
        cmocka_unit_test(another_thread_holds),
        cmocka_unit_test(a_thread_that_cannot_be_stopped_holds),
        cmocka_unit_test(the_unused_part_of_a_stack_does_not_hold),
        cmocka_unit_test(working_threads_lose_nothing),
        cmocka_unit_test(a_forked_child_searches_its_own),
        cmocka_unit_test(written_pages_are_told),
        cmocka_unit_test(the_answer_is_the_number_of_lost_blocks),
    };
#ifdef __SANITIZE_THREAD__
    puts("SKIP: TSan does not know that a signal has stopped the other threads, and delays it");
    return 77;
#endif
    setenv("RXPOOL_OPTIONS", "fill=0:report=/dev/null", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
