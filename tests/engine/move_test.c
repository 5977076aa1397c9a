/*
 * Large blocks that grow by moving their pages: what they hold, what is counted, and how many mappings that leaves. Run with
 * purge=1: what lived lately is forgotten at the next look, so that no other block has to grow for one to be moved.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_test.h"

#define MIB ((size_t)1 << 20)
#define SMALLEST (16 * MIB) /* that is moved */
#define LARGEST (40 * MIB)
#define STEP (64 * (size_t)1024)
#define BLOCKS 6u
#define MAPPINGS_MOST 512u
/* Under a sanitizer each page that is touched takes many times as long, and what it sees it sees soon. */
#define MOVES (SANITIZED ? 300u : 2000u)
#define STEPS (SANITIZED ? 100u : 300u)
#define STEPS_REFUSED (SANITIZED ? 30u : 100u) /* each copies a block */

/* In a process of its own: a fork's child moves less. */
static void in_child(void (*routine)(void)) {
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(240);
        routine();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status 0x%x", (unsigned)status);
}

static void *move_now(void *at, size_t size) {
    engine_trim();
    return engine_move(at, size);
}

/* --- a model ------------------------------------------------------------------------------------- */

static struct block {
    unsigned char *at;
    size_t size;
    uint64_t seed;
} block[BLOCKS];

/* A word at the end of every 15th page, so that pages without memory lie between. */
static void marks(const struct block *b, size_t from, size_t to, bool write) {
    for (size_t at = rxp_round_up(from, STEP); at + 4096 <= to; at += 15 * 4096) {
        uint64_t word = b->seed ^ at, *place = (uint64_t *)(b->at + at / 4096 * 4096 + 4088);
        if (write)
            *place = word;
        else if (*place != word)
            fail_msg("the word at %zu of %zu is lost", at, b->size);
    }
}

static void all_marks(const struct block *b, bool write) {
    marks(b, 0, b->size, write);
}

static void take(struct block *b, size_t size, uint64_t seed) {
    *b = (struct block){pool_alloc(test_key(1), size), size, seed};
    assert_non_null(b->at);
    all_marks(b, true);
}

static void give(struct block *b) {
    all_marks(b, false);
    pool_free(b->at);
    b->at = NULL;
}

static bool move(struct block *b, size_t size) {
    unsigned char *moved = move_now(b->at, size);

    if (moved == NULL)
        return false;
    assert_ptr_not_equal(moved, b->at);
    assert_true(engine_size(moved) >= size);
    assert_int_equal(engine_size(b->at), 0);
    b->at = moved;
    all_marks(b, false);
    b->size = size;
    all_marks(b, true);
    return true;
}

static void resize(struct block *b, size_t size) {
    if (!engine_resize(b->at, size))
        return;
    if (size < b->size)
        b->size = size;
    all_marks(b, false);
    b->size = size;
    all_marks(b, true);
}

static unsigned step(struct block *b, uint64_t r) {
    if (b->at == NULL)
        take(b, SMALLEST + (r >> 32) % (4 * MIB), r);
    else if (b->size > LARGEST)
        give(b);
    else if (r % 16 == 0)
        resize(b, SMALLEST + (r >> 32) % (b->size - SMALLEST + 1));
    else if (r % 4 == 0)
        resize(b, b->size + (r >> 32) % (12 * MIB));
    else
        return move(b, b->size + STEP + (r >> 32) % (2 * MIB));
    return 0;
}

static uint64_t live_bytes(void) {
    struct engine_totals totals;

    engine_totals(&totals);
    return totals.live_bytes;
}

static void counted_as_held(void) {
    uint64_t held = 0, count = 0;

    for (unsigned i = 0; i < BLOCKS; i++)
        if (block[i].at != NULL) {
            held += engine_size(block[i].at);
            count++;
        }
    assert_int_equal(live_bytes(), held);
    assert_int_equal(test_live_blocks(), count);
    pool_walk();
}

static unsigned random_steps(unsigned steps, uint64_t seed) {
    unsigned moved = 0;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < steps; i++) {
        uint64_t r = test_random(&seed);
        moved += step(&block[r % BLOCKS], r / BLOCKS);
        if (i % 16 == 0)
            counted_as_held();
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        if (block[i].at != NULL)
            give(&block[i]);
    counted_as_held();
    return moved;
}

static unsigned mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned lines = 0;
    int c;

    while ((c = getc(maps)) != EOF)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

static bool moves_here(void) {
    static struct block b;

    take(&b, SMALLEST, 1);
    bool moved = move(&b, SMALLEST + STEP);
    give(&b);
    return moved;
}

static void skip_where_none_moves(void) {
    if (!moves_here()) {
        print_message("skipped: the system does not move pages\n");
        skip();
    }
}

static void what_a_block_holds_moves_with_it(void **state) {
    (void)state;
    skip_where_none_moves();
    assert_true(random_steps(STEPS, 4711) > STEPS / 3);
}

/* --- mappings ------------------------------------------------------------------------------------- */

static void few_mappings_after_many_moves(void **state) {
    (void)state;
    skip_where_none_moves();
    unsigned before = mappings(), moved = 0;
    uint64_t seed = 12;

    while (moved < MOVES) {
        struct block *b = &block[test_random(&seed) % 2];
        if (b->at == NULL)
            *b = (struct block){pool_alloc(test_key(1), SMALLEST), SMALLEST, seed};
        b->at[b->size - 1] = 1;
        void *at = move_now(b->at, b->size += STEP);
        assert_non_null(at);
        b->at = at;
        moved++;
        assert_int_equal(b->at[b->size - STEP - 1], 1);
        if (b->size > 2 * SMALLEST) {
            pool_free(b->at);
            b->at = NULL;
        }
    }
    for (unsigned i = 0; i < 2; i++)
        if (block[i].at != NULL)
            pool_free(block[i].at);
    memset(block, 0, sizeof block);
    if (!SANITIZED)
        assert_true(mappings() <= before + 8);
    counted_as_held();
}

static unsigned move_many(void **at, unsigned count) {
    unsigned moved = 0;

    for (unsigned i = 0; i < count; i++) {
        at[i] = pool_alloc(test_key(2), SMALLEST);
        assert_non_null(at[i]);
        *(unsigned *)at[i] = i;
        void *to = move_now(at[i], SMALLEST + STEP);
        if (to == NULL)
            continue;
        at[i] = to;
        moved++;
    }
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(*(unsigned *)at[i], i);
        pool_free(at[i]);
    }
    return moved;
}

static void so_many_at_a_time(void **state) {
    static void *at[MAPPINGS_MOST + 100];
    (void)state;
    skip_where_none_moves();
    unsigned before = mappings();
    assert_int_equal(move_many(at, MAPPINGS_MOST + 100), MAPPINGS_MOST);
    if (!SANITIZED)
        assert_true(mappings() <= before + 8);
    assert_int_equal(move_many(at, 10), 10);
    counted_as_held();
}

static void forked_child(void) {
    void *at;
    unsigned before = mappings(), moved = 0;

    for (unsigned i = 0; i < MAPPINGS_MOST + 200; i++)
        moved += move_many(&at, 1);
    assert_true(moved <= MAPPINGS_MOST);
    assert_true(SANITIZED || mappings() <= before + 2 * MAPPINGS_MOST);
    counted_as_held();
}

static void a_forked_child_does_not_collect_them(void **state) {
    (void)state;
    skip_where_none_moves();
    in_child(forked_child);
}

/* --- refusals --------------------------------------------------------------------------------------- */

/* Refuses every mremap with these flags; with any where they are 0. */
static bool refuse_mremap(uint32_t flags) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags, 0, flags == 0 ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {RXP_COUNT(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void all_refused(void) {
    if (refuse_mremap(0))
        assert_int_equal(random_steps(STEPS_REFUSED, 5), 0);
}

static void second_step_refused(void) {
    if (refuse_mremap(MREMAP_MAYMOVE | MREMAP_FIXED))
        assert_int_equal(random_steps(STEPS_REFUSED, 6), 0);
}

static void refused(void **state) {
    (void)state;
    in_child(all_refused);
    in_child(second_step_refused);
}

static void what_is_not_moved(void **state) {
    (void)state;
    assert_null(move_now(state, SMALLEST));
    void *small = pool_alloc(test_key(1), 1000), *large = pool_alloc(test_key(1), SMALLEST);
    assert_null(move_now(small, SMALLEST));
    assert_null(move_now((char *)large + 4096, 2 * SMALLEST));
    assert_null(move_now(large, SIZE_MAX));
    if (!SANITIZED && mlock(large, SMALLEST) == 0) {
        assert_null(move_now(large, 2 * SMALLEST));
        munlock(large, SMALLEST);
    }
    pool_free(small);
    pool_free(large);
    counted_as_held();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_block_holds_moves_with_it),
        cmocka_unit_test(few_mappings_after_many_moves),
        cmocka_unit_test(so_many_at_a_time),
        cmocka_unit_test(a_forked_child_does_not_collect_them),
        cmocka_unit_test(refused),
        cmocka_unit_test(what_is_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
