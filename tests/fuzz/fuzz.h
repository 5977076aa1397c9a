/*
 * What the fuzz targets share. A target is LLVMFuzzerTestOneInput over bytes that it reads as a program
 * of operations; the fuzzer runs it with bytes of its own making, replay.c with the files of seeds/. The pool
 * lives on from one input to the next, so each input ends with everything freed and looked at.
 *
 * Reports do not go out: a wrapper around plat_report counts them by what they say.
 */
#ifndef RXPOOL_FUZZ_H
#define RXPOOL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- input ----------------------------------------------------------------------------------- */

struct input {
    const uint8_t *at, *end;
};

/* 0 when there is nothing left. */
unsigned take_byte(struct input *in);
uint64_t take_word(struct input *in);
/* One of 0 to n - 1, n up to 256. */
unsigned take_below(struct input *in, unsigned n);
/* A size from 1 to `most`: small ones, and those where a rule begins to hold, more often. */
uint32_t take_size(struct input *in, uint32_t most);
/* A POOL_TYPE that may be allocated, with modifiers. */
uint32_t take_type(struct input *in);

/* --- reports --------------------------------------------------------------------------------- */

/* Counts of what was reported since fuzz_forget. */
struct said {
    unsigned stops;       /* all of them; and of these: */
    unsigned late_writes; /* to a block that was freed */
    unsigned by_sweep;    /* damage to a live block that the sweep found */
    unsigned lists;       /* the pool's free list */
    unsigned warnings;
    unsigned leaks;
    unsigned notes; /* lines without a report, such as that memory is short */
};

extern struct said said;
void fuzz_forget(void);
/* The options of the target, before the pool is first used. */
void fuzz_options(const char *options);

/* Ends the run, with the last report. */
_Noreturn void fuzz_failed(const char *file, int line, const char *what);
#define MUST(what) ((what) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #what))
#define MUST_EQUAL(a, b)                                                                           \
    do {                                                                                           \
        uint64_t is = (uint64_t)(a), should = (uint64_t)(b);                                       \
        if (is != should) {                                                                        \
            fprintf(stderr, "%s is %llu, not %llu\n", #a, (unsigned long long)is,                  \
                    (unsigned long long)should);                                                   \
            fuzz_failed(__FILE__, __LINE__, #a " == " #b);                                         \
        }                                                                                          \
    } while (0)

/* --- blocks of malloc's kind ----------------------------------------------------------------- */

#define FUZZ_HEAP_TAG 0x7A75464Du /* "MFuz" */
/* Memory for check/heap.h out of the pool. */
void fuzz_heap_start(void);

#endif
