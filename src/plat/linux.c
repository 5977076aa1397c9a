/*
 * plat.h on Linux.
 */
#define _GNU_SOURCE
#include "plat/linux_proc.h"
#include "plat/linux_scan.h"
#include "plat/plat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* --- address space --------------------------------------------------------------------------- */

#define PAGE ((size_t)4096)
#define RESERVATIONS_MAX 128u /* ranges of the pool, and a few more */

/*
 * What is reserved now, for linux_reservation: no search for references looks into it. Entered without
 * a lock, since a search stops threads anywhere; one that finds no room here is searched in vain.
 */
static struct {
    _Atomic uintptr_t start; /* 0 unused, 1 being entered */
    uintptr_t end;
} reserved[RESERVATIONS_MAX];

static void enter_reservation(uintptr_t start, size_t size) {
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++) {
        uintptr_t unused = 0;
        if (!atomic_compare_exchange_strong(&reserved[i].start, &unused, 1))
            continue;
        reserved[i].end = start + size;
        atomic_store_explicit(&reserved[i].start, start, memory_order_release);
        return;
    }
}

static void leave_reservation(uintptr_t start) {
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++) {
        uintptr_t expected = start;
        if (atomic_compare_exchange_strong(&reserved[i].start, &expected, 0))
            return;
    }
}

bool linux_reservation(uintptr_t from, uintptr_t *start, uintptr_t *end) {
    bool found = false;
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++) {
        uintptr_t at = atomic_load_explicit(&reserved[i].start, memory_order_acquire);
        if (at <= 1 || reserved[i].end <= from || (found && at >= *start))
            continue;
        *start = at;
        *end = reserved[i].end;
        found = true;
    }
    return found;
}

void *plat_reserve(size_t size, size_t align) {
    size_t whole = size + 2 * align;
    char *map, *base, *end;

    if (whole < size)
        return NULL;
    map = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    base = (char *)rxp_round_up((uintptr_t)map + PAGE, align);
    end = base + size + PAGE;
    if (base - PAGE > map)
        munmap(map, (size_t)(base - PAGE - map));
    if (end < map + whole)
        munmap(end, (size_t)(map + whole - end));
    madvise(base - PAGE, size + 2 * PAGE, MADV_DONTDUMP);
    enter_reservation((uintptr_t)base, size);
    return base;
}

bool plat_commit(void *address, size_t size) {
    if (mprotect(address, size, PROT_READ | PROT_WRITE) != 0)
        return false;
    madvise(address, size, MADV_DODUMP);
    return true;
}

bool plat_purge(void *address, size_t size) {
    /* Refused for locked memory (mlockall): its pages stay, and must read as zero all the same. */
    if (madvise(address, size, MADV_DONTNEED) != 0)
        __builtin_memset(address, 0, size);
    return true;
}

void plat_release(void *address, size_t size) {
    leave_reservation((uintptr_t)address);
    munmap((char *)address - PAGE, size + 2 * PAGE);
}

size_t linux_number_in(const char *path) {
    char text[32];
    size_t number = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        number = number * 10 + (size_t)(text[i] - '0');
    if (fd >= 0)
        close(fd);
    return number;
}

/* The first number of statm: pages mapped. */
static size_t mapped_bytes(void) {
    return linux_number_in("/proc/self/statm") * PAGE;
}

size_t plat_address_space_left(void) {
    struct rlimit limit;
    size_t mapped;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    mapped = mapped_bytes();
    return limit.rlim_cur > mapped ? limit.rlim_cur - mapped : 0;
}

/* --- locks ----------------------------------------------------------------------------------- */

static void futex(uint32_t *word, int operation, uint32_t value) {
    int saved = errno;
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
    errno = saved;
}

bool plat_lock_try(struct plat_lock *lock) {
    uint32_t unlocked = 0;
    return __atomic_compare_exchange_n(&lock->word, &unlocked, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

void plat_lock_acquire(struct plat_lock *lock) {
    for (int spin = 0; spin < 64; spin++) {
        if (plat_lock_try(lock))
            return;
        __builtin_ia32_pause();
    }
    while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
        futex(&lock->word, FUTEX_WAIT, 2);
}

void plat_lock_release(struct plat_lock *lock) {
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) == 2)
        futex(&lock->word, FUTEX_WAKE, 1);
}

/* --- threads --------------------------------------------------------------------------------- */

static __thread uint32_t own_id __attribute__((tls_model("initial-exec")));

uint32_t plat_thread_id(void) {
    if (own_id == 0)
        own_id = (uint32_t)syscall(SYS_gettid);
    return own_id;
}

/* One key for each hook; they are few, and never given back. */
static struct {
    struct plat_lock lock;
    unsigned count;
    void (*hook[PLAT_EXIT_HOOKS])(void *);
    pthread_key_t key[PLAT_EXIT_HOOKS];
} exits;

/* Other keys' destructors may still run after ours and free blocks; thread-local destructors of C++ ran before. */
bool plat_at_thread_exit(void (*hook)(void *), void *argument) {
    unsigned i = 0;
    plat_lock_acquire(&exits.lock);
    while (i < exits.count && exits.hook[i] != hook)
        i++;
    if (i == exits.count && i < PLAT_EXIT_HOOKS && pthread_key_create(&exits.key[i], hook) == 0) {
        exits.hook[i] = hook;
        exits.count++;
    }
    bool known = i < exits.count;
    plat_lock_release(&exits.lock);
    return known && pthread_setspecific(exits.key[i], argument) == 0;
}

bool plat_barrier(void) {
    static _Atomic bool registered;
    int saved = errno;
    if (!registered)
        registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    bool done = registered && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
    errno = saved;
    return done;
}

static void fork_prepare(void) {
    plat_lock_acquire(&exits.lock);
}

static void fork_parent(void) {
    plat_lock_release(&exits.lock);
}

static void fork_child(void) {
    own_id = 0;
    plat_lock_release(&exits.lock);
}

/* Ours are registered with the first: they are the last to be called before a fork, and the first after it. */
bool plat_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    static bool ours;
    if (!ours)
        ours = pthread_atfork(fork_prepare, fork_parent, fork_child) == 0;
    return ours && pthread_atfork(prepare, parent, child) == 0;
}

void plat_yield(void) {
    sched_yield();
}

/* --- time ------------------------------------------------------------------------------------ */

uint64_t plat_clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- reports --------------------------------------------------------------------------------- */

const char *plat_options(void) {
    return secure_getenv("RXPOOL_OPTIONS");
}

bool plat_configure(const char *spec) {
    (void)spec;
    return false;
}

size_t plat_report_take(char *out, size_t size, uint32_t *dropped) {
    (void)out;
    (void)size;
    *dropped = 0;
    return 0;
}

void plat_report(const char *file, const char *text, size_t length) {
    int saved = errno, fd = STDERR_FILENO;

    if (file != NULL && file[0] != '\0')
        fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        fd = STDERR_FILENO;
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text += n;
        length -= (size_t)n;
    }
    if (fd != STDERR_FILENO)
        close(fd);
    errno = saved;
}

void plat_stop(uint32_t code, const uint64_t parameter[4]) {
    (void)code;
    (void)parameter;
    abort();
}

void plat_break(void) {
    raise(SIGTRAP);
}

bool plat_read_memory(const void *address, void *out, size_t size) {
    struct iovec to = {out, size}, from = {(void *)(uintptr_t)address, size};
    int saved = errno;
    bool whole = process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)size;

    errno = saved;
    return whole;
}

void plat_allow_readers(bool any_of_user) {
    int saved = errno;
    /* Only the Yama module knows the call; where it is not there, nothing stands in a reader's way. */
    prctl(PR_SET_PTRACER, any_of_user ? PR_SET_PTRACER_ANY : (unsigned long)getppid(), 0, 0, 0);
    errno = saved;
}

bool plat_pool_is_guarded(void) {
    return false;
}
