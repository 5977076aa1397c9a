/*
 * plat/scan.h on Linux: stopping the other threads.
 *
 * Each thread of /proc/self/task is sent a real-time signal that nobody else handles. The handler
 * notes where the thread stood and waits on a futex until the search is over. A thread that blocks
 * the signal is not sent it (it would get it long after) and goes on; so does one that does not
 * answer in time. Passes are made until one finds no thread that is new.
 *
 * A signal carries the number of its search, so that one that arrives late stops nobody; the
 * handler stays installed while such a signal may be on its way.
 */
#define _GNU_SOURCE
#include "plat/linux_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/text.h"
#include "plat/plat.h"
#include "plat/wait.h"

#define TIME_LIMIT_NS 2000000000u
#define ROUND_NS 1000000u
#define BLOCKED_TRIES 512u /* for a thread that blocks the signal: as a new thread does at first */
#define ASLEEP_TRIES                                                                               \
    32u /* one try of a thread that sleeps is worth so many: it will do so for long */
#define EXIT_BYTES 64u /* exit() is shorter */
#define SAVED 6u       /* registers that a function must keep for its caller */
#define FP_XSTATE 0x46505853u

struct scan_memory *scan_memory;

static struct {
    uint32_t search;  /* number of the search whose threads wait; 0 none */
    uint32_t last;    /* the latest number given */
    uint32_t answers; /* threads that have stopped, ever */
    uint32_t round;
    int signal; /* 0 none chosen yet */
    unsigned unstopped;
} stop;

/* --- in the stopped thread ------------------------------------------------------------------- */

/* The bytes that the kernel saved of the vector registers, where it says how many. */
static size_t vector_bytes(const struct _libc_fpstate *saved) {
    uint32_t software[2];
    if (saved == NULL)
        return 0;
    memcpy(software, (const char *)saved + 464, sizeof software);
    return software[0] == FP_XSTATE ? software[1] : sizeof *saved;
}

static void note_place(struct scan_thread *t, const ucontext_t *context) {
    const mcontext_t *m = &context->uc_mcontext;
    for (unsigned i = 0; i < SCAN_REGISTERS; i++)
        t->registers[i] = (uintptr_t)m->gregs[i];
    t->stack_pointer = (uintptr_t)m->gregs[REG_RSP];
    t->thread_pointer = (uintptr_t)pthread_self();
    t->vectors = (uintptr_t)m->fpregs;
    t->vector_bytes = vector_bytes(m->fpregs);
}

static void stop_here(int signal, siginfo_t *info, void *context) {
    int saved = errno;
    uint64_t value = (uintptr_t)info->si_value.sival_ptr;
    uint32_t search = (uint32_t)(value >> 32);
    (void)signal;
    if (info->si_code == SI_QUEUE && search != 0 &&
        search == __atomic_load_n(&stop.search, __ATOMIC_ACQUIRE)) {
        struct scan_thread *t = &scan_memory->thread[(uint32_t)value];
        /* Acquire: pairs with press's release, ahead of the signal; the place is this thread's. */
        rxp_check(atomic_load_explicit(&t->state, memory_order_acquire) == SCAN_THREAD_SENT);
        note_place(t, context);
        atomic_store_explicit(&t->state, SCAN_THREAD_STOPPED, memory_order_release);
        __atomic_add_fetch(&stop.answers, 1, __ATOMIC_RELEASE);
        plat_wake(&stop.answers, 1);
        while (__atomic_load_n(&stop.search, __ATOMIC_ACQUIRE) == search)
            plat_wait(&stop.search, search, PLAT_FOREVER);
    }
    errno = saved;
}

/* --- the signal ------------------------------------------------------------------------------ */

/* A real-time signal that does what it does by default, from the top down; false when there is none. */
static bool choose_signal(void) {
    struct sigaction now,
        ours = {.sa_sigaction = stop_here, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigfillset(&ours.sa_mask);
    for (int s = SIGRTMAX; s >= SIGRTMIN; s--) {
        if (sigaction(s, NULL, &now) != 0)
            continue;
        bool mine = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == stop_here;
        bool unused = (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
        if (mine || (unused && sigaction(s, &ours, NULL) == 0)) {
            stop.signal = s;
            return true;
        }
    }
    return false;
}

static void drop_signal(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    if (stop.unstopped == 0)
        sigaction(stop.signal, &action, NULL);
}

static bool send_signal(unsigned index) {
    siginfo_t info;
    uint64_t value = (uint64_t)stop.search << 32 | index;
    memset(&info, 0, sizeof info);
    info.si_signo = stop.signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)(uintptr_t)value;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), scan_memory->thread[index].tid, stop.signal,
                   &info) == 0;
}

/* --- the threads ----------------------------------------------------------------------------- */

/* What follows `key` in the text; NULL when it is not there. */
static const char *value_of(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at == NULL ? NULL : at + strlen(key);
}

/* Asks the system: does the thread block the signal, and will it run at all? */
static enum scan_thread_state ask(struct scan_thread *t) {
    char path[64];
    struct text name;
    text_init(&name, path, sizeof path);
    text_string(&name, "/proc/self/task/");
    text_decimal(&name, t->tid);
    text_string(&name, "/status");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, scan_memory->text, SCAN_TEXT_BYTES - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return fd < 0 && errno != ENOENT ? SCAN_THREAD_BLOCKED : SCAN_THREAD_ENDED;
    scan_memory->text[n] = '\0';
    const char *state = value_of(scan_memory->text, "\nState:\t");
    const char *blocked = value_of(scan_memory->text, "\nSigBlk:\t");
    if (state != NULL && (*state == 'Z' || *state == 'X'))
        return SCAN_THREAD_ENDED;
    if (blocked != NULL && !(strtoull(blocked, NULL, 16) >> (stop.signal - 1) & 1))
        return SCAN_THREAD_NEW;
    t->tries += state != NULL && *state != 'R' ? ASLEEP_TRIES - 1 : 0;
    return SCAN_THREAD_BLOCKED;
}

/* Sends the signal to a thread that can take it. True while something is expected of the thread. */
static bool press(struct scan_thread *t) {
    uint32_t state = atomic_load_explicit(&t->state, memory_order_acquire);
    if (state == SCAN_THREAD_NEW || state == SCAN_THREAD_ENDED || /* its id is another's now? */
        (state == SCAN_THREAD_BLOCKED && t->tries < BLOCKED_TRIES)) {
        t->tries++;
        state = ask(t);
        if (state == SCAN_THREAD_NEW) {
            atomic_store_explicit(&t->state, SCAN_THREAD_SENT, memory_order_release);
            if (send_signal((unsigned)(t - scan_memory->thread)))
                return true;
            state = errno == ESRCH ? SCAN_THREAD_ENDED : SCAN_THREAD_BLOCKED;
        }
        atomic_store_explicit(&t->state, state, memory_order_release);
    }
    return state == SCAN_THREAD_SENT || (state == SCAN_THREAD_BLOCKED && t->tries < BLOCKED_TRIES);
}

/* The thread's place; a new one at first sight. NULL when there are too many. */
static struct scan_thread *place_of(uint32_t tid) {
    unsigned i = 0;
    while (i < scan_memory->threads && scan_memory->thread[i].tid != tid)
        i++;
    if (i == SCAN_THREADS_MAX)
        return NULL;
    if (i == scan_memory->threads) {
        scan_memory->thread[i] = (struct scan_thread){.tid = tid};
        scan_memory->threads++;
    }
    return &scan_memory->thread[i];
}

struct directory_entry {
    uint64_t inode, offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* One pass over the threads: how many are expected to stop, or were seen for the first time. */
static unsigned pass(void) {
    unsigned expected = 0, before = scan_memory->threads;
    uint32_t me = (uint32_t)syscall(SYS_gettid);
    char *list = (char *)scan_memory->buffer;
    long n;
    stop.round++;
    stop.unstopped = 0;
    lseek(scan_memory->tasks, 0, SEEK_SET);
    while ((n = syscall(SYS_getdents64, scan_memory->tasks, list, SCAN_BUFFER_BYTES)) > 0) {
        for (long at = 0; at < n;) {
            const struct directory_entry *d = (const void *)(list + at);
            at += d->length;
            uint32_t tid = (uint32_t)strtoul(d->name, NULL, 10);
            if (tid == 0 || tid == me)
                continue;
            struct scan_thread *t = place_of(tid);
            if (t == NULL) {
                stop.unstopped++;
                continue;
            }
            t->round = stop.round;
            expected += press(t);
        }
    }
    return expected + (scan_memory->threads - before);
}

/* Those of the last pass that run on. What was seen before and is not any more has ended. */
static unsigned count_unstopped(void) {
    unsigned count = stop.unstopped;
    for (unsigned i = 0; i < scan_memory->threads; i++) {
        struct scan_thread *t = &scan_memory->thread[i];
        uint32_t state = atomic_load_explicit(&t->state, memory_order_acquire);
        count +=
            t->round == stop.round && (state == SCAN_THREAD_BLOCKED || state == SCAN_THREAD_SENT);
    }
    return count;
}

static void stop_threads(void) {
    uint64_t until = plat_clock_ns() + TIME_LIMIT_NS;
    uint32_t answers;
    do {
        answers = __atomic_load_n(&stop.answers, __ATOMIC_ACQUIRE);
        if (pass() == 0)
            break;
        plat_wait(&stop.answers, answers, ROUND_NS);
    } while (plat_clock_ns() < until);
    stop.unstopped = count_unstopped();
}

/* --- the thread that searches ---------------------------------------------------------------- */

size_t scan_read(uintptr_t start, void *out, size_t bytes) {
    struct iovec to = {out, bytes}, from = {(void *)start, bytes};
    ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    return n > 0 ? (size_t)n : 0;
}

/*
 * Where the program's own frames begin when it is inside exit(): at what exit's callee has pushed, which
 * are the registers of exit's caller. The first word that points into exit is the address to which
 * that callee returns; other C libraries may have none, and then every frame counts.
 */
static uintptr_t exit_frame(uintptr_t from) {
    size_t words = scan_read(from, scan_memory->buffer, SCAN_BUFFER_BYTES) / sizeof(uintptr_t);
    for (size_t i = SAVED; i < words; i++) {
        uintptr_t offset = scan_memory->buffer[i] - (uintptr_t)exit;
        if (offset > 0 && offset < EXIT_BYTES)
            return from + (i - SAVED) * sizeof(uintptr_t);
    }
    return from;
}

/*
 * The registers that a function must keep for its caller: as they are, and as the function with this
 * frame has saved them right below its frame pointer (others were saved by whoever needs them).
 */
__attribute__((no_sanitize("address"))) static void note_registers(struct scan_thread *self,
                                                                   const uintptr_t *frame) {
    __asm__ volatile("movq %%rbx, 0(%0)\n\tmovq %%rbp, 8(%0)\n\tmovq %%r12, 16(%0)\n\t"
                     "movq %%r13, 24(%0)\n\tmovq %%r14, 32(%0)\n\tmovq %%r15, 40(%0)"
                     :
                     : "r"(self->registers)
                     : "memory");
    for (unsigned i = 1; i < SAVED; i++)
        self->registers[SAVED + i] = *((const volatile uintptr_t *)frame - i);
}

static void note_self(uintptr_t frame, bool exiting) {
    struct scan_thread *self = &scan_memory->self;
    uintptr_t from = exiting ? exit_frame(frame) : frame;
    *self = (struct scan_thread){.stack_pointer = from + SCAN_RED_ZONE,
                                 .thread_pointer = (uintptr_t)pthread_self()};
    if (from == frame)
        note_registers(self, (const uintptr_t *)frame);
}

/* --- begin and end --------------------------------------------------------------------------- */

static bool get_memory(void) {
    size_t size = rxp_round_up(sizeof *scan_memory, (uintptr_t)64 << 10);
    void *memory = scan_memory != NULL ? scan_memory : plat_reserve(size, (size_t)64 << 10);
    if (memory == NULL || (scan_memory == NULL && !plat_commit(memory, size)))
        return false;
    scan_memory = memory;
    return true;
}

/* Whether memory can be read with care: a sandbox may forbid the call. */
static bool can_read(void) {
    uint32_t known = 0x5CA4u, copy = 0;
    return scan_read((uintptr_t)&known, &copy, sizeof copy) == sizeof copy && copy == known;
}

static void close_files(void) {
    const int fds[] = {scan_memory->maps, scan_memory->tasks, scan_memory->pagemap};
    for (unsigned i = 0; i < RXP_COUNT(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static const char *prepare(void) {
    if (!get_memory())
        return "there is no memory for it";
    scan_memory->maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    scan_memory->tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scan_memory->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    const char *refused = NULL;
    if (scan_memory->maps < 0 || scan_memory->tasks < 0)
        refused = "/proc/self cannot be read";
    else if (!can_read())
        refused = "process_vm_readv is not allowed";
    else if (!choose_signal())
        refused = "every real-time signal is in use";
    if (refused != NULL)
        close_files();
    return refused;
}

RXP_NOINLINE bool plat_scan_begin(bool exiting, struct plat_scan *out) {
    __builtin_unwind_init(); /* all registers of the caller's are saved at this function's start */
    int saved = errno;
    out->unstopped = 0;
    out->refused = prepare();
    if (out->refused == NULL) {
        scan_memory->threads = 0;
        stop.last = stop.last == UINT32_MAX ? 1 : stop.last + 1;
        __atomic_store_n(&stop.search, stop.last, __ATOMIC_RELEASE);
        stop_threads();
        note_self((uintptr_t)__builtin_frame_address(0), exiting);
        scan_memory->unstopped = out->unstopped = stop.unstopped;
    }
    errno = saved;
    return out->refused == NULL;
}

void plat_scan_end(void) {
    int saved = errno;
    __atomic_store_n(&stop.search, 0, __ATOMIC_RELEASE);
    plat_wake(&stop.search, UINT32_MAX);
    drop_signal();
    close_files();
    errno = saved;
}
