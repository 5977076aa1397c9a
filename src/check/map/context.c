/* Contexts and their biased locks: see context.h. */
#include "check/map/context.h"

#define CHUNK ((size_t)64 << 10)

THREAD_LOCAL_DEFINE(struct context *, context_of_thread) = NULL;

bool contexts_fenced;
struct context *contexts_late;

static struct {
    struct plat_lock lock; /* the list, ownership, and the right to want others' contexts */
    struct plat_lock late_lock;
    struct context *first;
    struct context *fresh, *fresh_end;
} contexts;

/* --- making ---------------------------------------------------------------------------------- */

/* With the lock. */
static struct context *make(void) {
    if (contexts.fresh == contexts.fresh_end) {
        struct context *chunk = plat_reserve(CHUNK, CHUNK);
        if (chunk == NULL)
            return NULL;
        if (!plat_commit(chunk, CHUNK)) {
            plat_release(chunk, CHUNK);
            return NULL;
        }
        contexts.fresh = chunk;
        contexts.fresh_end = chunk + CHUNK / sizeof *chunk;
    }
    static const struct known_site nowhere = {.line = UINT32_MAX};
    struct context *x = contexts.fresh++;
    x->patience = x->clock_uses = 1;
    x->allocated_at = x->freed_at = &nowhere;
    x->next = contexts.first;
    contexts.first = x;
    return x;
}

/* One that no thread has, or a new one. With the lock. */
static struct context *acquire(void) {
    struct context *x = contexts.first;
    while (x != NULL && x->owned)
        x = x->next;
    if (x == NULL)
        x = make();
    if (x != NULL) {
        x->owned = true;
        x->thread = plat_thread_id();
    }
    return x;
}

void contexts_start(void) {
    contexts_fenced = !plat_barrier();
    plat_lock_acquire(&contexts.lock);
    contexts_late = make();
    if (contexts_late != NULL) {
        contexts_late->owned = true;
        atomic_store_explicit(&contexts_late->busy, 1,
                              memory_order_relaxed); /* for ever: only by its lock */
    }
    plat_lock_release(&contexts.lock);
}

static void thread_ends(void *argument) {
    struct context *x = argument;
    context_mine = contexts_late; /* and so for what this thread's other hooks still free */
    plat_lock_acquire(&contexts.lock);
    x->owned = false;
    plat_lock_release(&contexts.lock);
}

/* --- the owner's side ------------------------------------------------------------------------- */

static RXP_COLD struct context *enter_late(void) {
    if (contexts_late != NULL)
        plat_lock_acquire(&contexts.late_lock);
    return contexts_late;
}

/* A thread's first call. */
static RXP_COLD struct context *adopt(void) {
    plat_lock_acquire(&contexts.lock);
    struct context *x = acquire();
    plat_lock_release(&contexts.lock);
    if (x == NULL)
        return NULL;
    context_mine = x;
    /* May itself allocate. Without the hook the context stays with a thread that is gone. */
    plat_at_thread_exit(thread_ends, x);
    return x;
}

RXP_NOINLINE struct context *context_enter_slow(void) {
    struct context *x = context_mine;
    if (x == NULL)
        x = adopt();
    if (x == NULL || x == contexts_late ||
        atomic_load_explicit(&x->busy, memory_order_relaxed) != 0)
        return enter_late();
    for (;;) {
        /* Sequentially consistent, both: pairs with contexts_lock where there is no plat_barrier. */
        atomic_exchange(&x->busy, 1);
        if (atomic_load(&x->wanted) == 0)
            return x;
        atomic_store_explicit(&x->busy, 0, memory_order_release);
        plat_lock_acquire(&contexts.lock); /* whoever wants it holds this */
        plat_lock_release(&contexts.lock);
    }
}

RXP_NOINLINE void context_leave_slow(struct context *x) {
    (void)x;
    plat_lock_release(&contexts.late_lock);
}

void context_pin(uint32_t record) {
    struct context *x = context_mine;
    if (x != NULL && x != contexts_late)
        atomic_store_explicit(&x->pinned, record, memory_order_relaxed);
}

/* --- the others' side -------------------------------------------------------------------------- */

/* A context without an owner gets one under the lock, and its last owner gave it up under the lock. */
static bool others_have_some(void) {
    const struct context *x = contexts.first;
    while (x != NULL && (x == context_mine || x == contexts_late || !x->owned))
        x = x->next;
    return x != NULL;
}

void contexts_lock(void) {
    plat_lock_acquire(&contexts.lock);
    for (struct context *x = contexts.first; x != NULL; x = x->next)
        atomic_store(&x->wanted, 1);
    if (!contexts_fenced && others_have_some())
        plat_barrier();
    for (struct context *x = contexts.first; x != NULL; x = x->next) {
        while (x != contexts_late && atomic_load(&x->busy) != 0)
            plat_yield();
    }
    plat_lock_acquire(&contexts.late_lock);
}

void contexts_unlock(void) {
    plat_lock_release(&contexts.late_lock);
    for (struct context *x = contexts.first; x != NULL; x = x->next)
        atomic_store_explicit(&x->wanted, 0, memory_order_release);
    plat_lock_release(&contexts.lock);
}

struct context *contexts_first(void) {
    return contexts.first;
}

void contexts_fork_child(void (*unpin)(uint32_t record)) {
    struct context *mine = context_mine;
    for (struct context *x = contexts.first; x != NULL; x = x->next) {
        uint32_t pinned = atomic_load_explicit(&x->pinned, memory_order_relaxed);
        if (x == mine || x == contexts_late)
            continue;
        x->owned = false;
        atomic_store_explicit(&x->pinned, 0, memory_order_relaxed);
        if (pinned != 0)
            unpin(pinned);
    }
    if (mine != NULL && mine != contexts_late)
        mine->thread = plat_thread_id();
}
