/* Frees of what malloc never answered (CWE-590). */
#include <alloca.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "corpus.h"

static char global_bytes[100] = "global";

CASE(local_array) {
    char local[100] = "local";
    char *p = bad ? local : strdup(local);
    use(p[0]);
    free(p);
    error_made();
}

CASE(local_int) {
    long local = 5;
    long *p = bad ? &local : malloc(sizeof *p);
    free(p);
    error_made();
}

CASE(alloca_bytes) {
    char *p = bad ? alloca(100) : malloc(100);
    free(p);
    error_made();
}

CASE(global_array) {
    free(bad ? global_bytes : strdup(global_bytes));
    error_made();
}

CASE(static_array) {
    static long numbers[16];
    free(bad ? (void *)numbers : malloc(128));
    error_made();
}

CASE(string_constant) {
    char *p = bad ? (char *)"a constant" : strdup("a constant");
    free(p);
    error_made();
}

CASE(function_address) {
    free(bad ? (void *)(uintptr_t)&memcpy : NULL);
    error_made();
}

CASE(mapped_memory) {
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(bad ? p + 16 : NULL);
    error_made();
    munmap(p, 8192);
}

CASE(wild_number) {
    free(bad ? (void *)(uintptr_t)0x123456789A0 : NULL);
    error_made();
}

CASE(realloc_of_a_local) {
    char local[100] = "local";
    char *p = bad ? local : malloc(100);
    p = realloc(p, 200);
    error_made();
    free(p);
}

CASE(environment_text) {
    char *p = getenv("PATH");
    free(bad ? p : strdup(p));
    error_made();
}
