/*
 * Frees and allocations at the ends of things: destructors of thread-specific data, of thread-local
 * objects, atexit handlers, destructors of the program; and at its beginning, before any
 * constructor of ours.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "program.h"

#define ROUNDS 200

static pthread_key_t plain_key, returning_key;
static _Atomic int destroyed;
static char *from_constructor, *from_main;

/* glibc's registration of a C++ thread_local's destructor. */
extern int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *module);
extern void *__dso_handle;

static void free_and_allocate(void *block) {
    free(block);
    void *volatile again = malloc(300);
    require(again != NULL);
    free(again);
    destroyed++;
}

/* Sets the other key, whose destructor has run by now: POSIX runs the destructors again. */
static void free_and_set_again(void *block) {
    free(block);
    require(pthread_setspecific(plain_key, malloc(70)) == 0);
    destroyed++;
}

static void *thread_with_everything(void *argument) {
    require(pthread_setspecific(returning_key, malloc(50)) == 0);
    require(pthread_setspecific(plain_key, malloc(60)) == 0);
    require(__cxa_thread_atexit_impl(free_and_allocate, malloc(40), &__dso_handle) == 0);
    churn(0, 20);
    free(argument); /* of the thread that started this one */
    return malloc(1000);
}

/* Never allocates itself: its only call of the drop-in comes from a destructor at its end. */
static void *thread_that_only_frees_at_its_end(void *argument) {
    require(pthread_setspecific(plain_key, argument) == 0);
    return NULL;
}

static void at_exit(void) {
    free(from_main);
    churn(0, 50);
}

__attribute__((constructor(101))) static void early(void) {
    from_constructor = malloc(2000);
    require(from_constructor != NULL);
    strcpy(from_constructor, "early");
}

__attribute__((destructor)) static void late(void) {
    require(strcmp(from_constructor, "early") == 0);
    free(from_constructor);
    churn(0, 50);
}

int main(void) {
    require_drop_in();
    alarm(120);
    require(pthread_key_create(&plain_key, free_and_allocate) == 0);
    require(pthread_key_create(&returning_key, free_and_set_again) == 0);
    from_main = malloc(100);
    require(from_main != NULL && atexit(at_exit) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread, other;
        void *block = NULL;
        require(pthread_create(&thread, NULL, thread_with_everything, malloc(200)) == 0);
        require(pthread_create(&other, NULL, thread_that_only_frees_at_its_end, malloc(30)) == 0);
        require(pthread_join(thread, &block) == 0 && pthread_join(other, NULL) == 0);
        require(block != NULL);
        free(block); /* of a thread that is gone */
    }
    require(destroyed >= ROUNDS * 5);
    return 0;
}
