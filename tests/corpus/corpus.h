/*
 * A heap error is a function of one argument: with `bad` 1 it makes the error once, with `bad` 0 the
 * same code is correct. A case belongs to the class that its file is named after, and main.c runs one
 * case a process, so that what stops it can be told.
 */
#ifndef RXPOOL_CORPUS_H
#define RXPOOL_CORPUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct corpus_case {
    const char *name;
    void (*run)(int bad);
};

#define CASE(name)                                                                                 \
    static void name(int bad);                                                                     \
    static const struct corpus_case case_##name                                                    \
        __attribute__((used, section("corpus_cases"), aligned(sizeof(void *)))) = {#name, name};   \
    static void name(int bad)

/* The error lies behind us: tells compare.py that what stops the process now, stops it later. */
void error_made(void);
/* Uses a value, as a program does that goes on with what it has read. */
void use(long value);
/* Uses a block's address: what the optimizer does not see, it cannot remove. */
void use_pointer(const void *p);
/* Frees `p` when the process exits. */
void free_at_exit(void *p);
/* Runs work(argument) in another thread, and waits for its end. */
void in_thread(void (*work)(void *argument), void *argument);
/* Another reader of what a program writes: the descriptor of a pipe that swallows everything. */
int sink(void);
/* A descriptor from which `size` bytes can be read. */
int source(size_t size);

#ifdef __cplusplus
}
#endif

#endif
