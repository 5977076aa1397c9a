/*
 * A target's memory, whatever it is. An implementation answers for any address, however wild.
 */
#ifndef RXPOOL_STATS_MEMORY_H
#define RXPOOL_STATS_MEMORY_H

#include "base/base.h"
#include "rxpool/stats.h"

/*
 * Working memory of the reader, mapped and not allocated, since in a program under the drop-in
 * every allocator call would change the table that is being read. Zero-initialised is empty.
 */
struct area {
    void *start;
    size_t size;
};
/*
 * Makes room for `size` bytes; what is there stays, what is new is zero. False when memory is
 * short.
 */
bool area_reserve(struct area *a, size_t size);
/* The same with the old contents gone and everything zero. */
bool area_renew(struct area *a, size_t size);
void area_release(struct area *a);

/* The system's part: `size` zero bytes (a multiple of 64 KiB) or NULL; and back again, with the same size. */
void *area_map(size_t size);
void area_unmap(void *start, size_t size);

struct piece {
    uint64_t address;
    void *out;
    size_t size;
};

struct memory {
    uint32_t pid;
    bool frozen; /* nothing changes between two reads: reading again is of no use */
    /*
     * Copies the pieces in their order, each later than the one before; false unless every byte was
     * had.
     */
    bool (*read)(struct memory *m, const struct piece *pieces, size_t count);
    /*
     * Calls visit with the start of every area that may begin with a range, until it returns true.
     */
    enum rxpool_stats_status (*each_area)(struct memory *m,
                                          bool (*visit)(void *context, uint64_t start),
                                          void *context, struct rxpool_stats_error *error);
    /* False once the target is no more. */
    bool (*alive)(struct memory *m);
    void (*close)(struct memory *m);
    void *process; /* Windows: its handle */
    /* Of a core file. */
    int fd;
    struct area headers; /* its program headers */
    size_t header_count;
    uint64_t file_size;
};

bool memory_read(struct memory *m, uint64_t address, void *out, size_t size);

enum rxpool_stats_status memory_open_process(struct memory *m, pid_t pid,
                                             struct rxpool_stats_error *error);
enum rxpool_stats_status memory_open_core(struct memory *m, const char *path,
                                          struct rxpool_stats_error *error);

/* Fills in *error (NULL is allowed) and returns `status`. */
enum rxpool_stats_status stats_fail(struct rxpool_stats_error *error,
                                    enum rxpool_stats_status status, const char *format, ...)
    RXP_PRINTF(3, 4);

#endif
