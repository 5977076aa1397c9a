/* Writes past the end of a block (CWE-122). */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "corpus.h"

static const char long_text[] =
    "a text that is rather longer than the fifty bytes that wait for it here";
static const wchar_t long_wide[] = L"a wide text that is longer than the room that waits for it";

CASE(loop_char) {
    char *p = malloc(10);
    for (int i = 0; i < 10 + bad; i++)
        p[i] = 'a';
    error_made();
    free(p);
}

CASE(loop_int) {
    int *p = malloc(10 * sizeof *p);
    for (int i = 0; i < 10 + bad; i++)
        p[i] = i;
    error_made();
    free(p);
}

CASE(loop_int64) {
    int64_t *p = malloc(50 * sizeof *p);
    for (int i = 0; i < (bad ? 100 : 50); i++)
        p[i] = 5643;
    error_made();
    free(p);
}

CASE(loop_wide) {
    wchar_t *p = malloc(10 * sizeof *p);
    for (int i = 0; i < 10 + bad; i++)
        p[i] = L'A';
    error_made();
    free(p);
}

CASE(loop_struct) {
    struct pair {
        int one, two;
    } *p = malloc(50 * sizeof *p);
    for (int i = 0; i < (bad ? 100 : 50); i++)
        p[i].one = p[i].two = i;
    error_made();
    free(p);
}

CASE(loop_twice_the_size) {
    char *p = malloc(50);
    for (int i = 0; i < (bad ? 100 : 50); i++)
        p[i] = 'b';
    error_made();
    free(p);
}

CASE(loop_from_the_end) {
    char *p = malloc(33);
    for (int i = 32 + bad; i >= 0; i--)
        p[i] = 'c';
    error_made();
    free(p);
}

CASE(walking_pointer) {
    short *p = malloc(20 * sizeof *p), *end = p + 20;
    for (short *at = p; bad ? at <= end : at < end; at++)
        *at = 1;
    error_made();
    free(p);
}

CASE(memcpy_one_more) {
    char *p = malloc(24);
    memcpy(p, long_text, 24 + (size_t)bad);
    error_made();
    free(p);
}

CASE(memcpy_double) {
    char from[100];
    char *p = malloc(50);
    memset(from, 'C', sizeof from);
    memcpy(p, from, bad ? 100 : 50);
    error_made();
    free(p);
}

CASE(memmove_double) {
    int from[100] = {0};
    int *p = malloc(50 * sizeof *p);
    memmove(p, from, (bad ? 100 : 50) * sizeof *p);
    error_made();
    free(p);
}

CASE(memset_one_more) {
    char *p = malloc(100);
    memset(p, 0, 100 + (size_t)bad);
    error_made();
    free(p);
}

CASE(strcpy_terminator) {
    char *p = malloc(bad ? 10 : 11);
    strcpy(p, "AAAAAAAAAA");
    error_made();
    free(p);
}

CASE(strcpy_long) {
    char *p = malloc(bad ? 50 : sizeof long_text);
    strcpy(p, long_text);
    error_made();
    free(p);
}

CASE(strncpy_of_the_source) {
    char *p = malloc(bad ? 50 : sizeof long_text);
    strncpy(p, long_text, sizeof long_text);
    error_made();
    free(p);
}

CASE(strcat_no_room) {
    char *p = malloc(bad ? 12 : 13);
    strcpy(p, "twelve");
    strcat(p, " bytes");
    error_made();
    free(p);
}

CASE(strncat_bound) {
    char *p = malloc(40);
    strcpy(p, "what was there ");
    strncat(p, long_text, bad ? 39 : 40 - strlen(p) - 1);
    error_made();
    free(p);
}

CASE(sprintf_number) {
    char *p = malloc(8);
    sprintf(p, "%d", bad ? 1234567890 : 1234567);
    error_made();
    free(p);
}

CASE(snprintf_bound) {
    char *p = malloc(50);
    snprintf(p, bad ? 100 : 50, "%s", long_text);
    error_made();
    free(p);
}

static void format(char *out, size_t size, const char *form, ...) {
    va_list arguments;
    va_start(arguments, form);
    vsnprintf(out, size, form, arguments);
    va_end(arguments);
}

CASE(vsnprintf_bound) {
    char *p = malloc(16);
    format(p, bad ? 64 : 16, "%s %d", "key", 1000000007);
    format(p, bad ? 64 : 16, "%s %d", "a longer key", 1000000007);
    error_made();
    free(p);
}

CASE(wcscpy_terminator) {
    wchar_t *p = malloc((bad ? 10 : 11) * sizeof *p);
    wcscpy(p, L"AAAAAAAAAA");
    error_made();
    free(p);
}

CASE(wcsncpy_bound) {
    wchar_t *p = malloc((bad ? 50 : 100) * sizeof *p);
    wcsncpy(p, long_wide, 100);
    error_made();
    free(p);
}

CASE(wcscat_no_room) {
    wchar_t *p = malloc((bad ? 8 : 9) * sizeof *p);
    wcscpy(p, L"wide");
    wcscat(p, L" one");
    error_made();
    free(p);
}

CASE(wmemset_in_bytes) {
    wchar_t *p = malloc(bad ? 20 : 20 * sizeof *p);
    wmemset(p, L'A', 20);
    error_made();
    free(p);
}

CASE(swprintf_bound) {
    wchar_t *p = malloc((bad ? 20 : sizeof long_wide / sizeof *p) * sizeof *p);
    swprintf(p, sizeof long_wide / sizeof *p, L"%ls", long_wide);
    error_made();
    free(p);
}

CASE(size_of_the_pointer) {
    struct record {
        double x, y;
        char name[16];
    } *p = malloc(bad ? sizeof p : sizeof *p);
    p->y = 1.7;
    strcpy(p->name, "x and y");
    error_made();
    free(p);
}

CASE(size_in_elements) {
    int *p = malloc(bad ? 10 : 10 * sizeof *p);
    for (int i = 0; i < 10; i++)
        p[i] = 0;
    error_made();
    free(p);
}

CASE(index_of_input) {
    int *p = calloc(10, sizeof *p);
    int index = atoi(bad ? "10" : "9");
    if (index >= 0)
        p[index] = 1;
    error_made();
    free(p);
}

CASE(size_wraps) {
    unsigned count = bad ? 0x40000001u : 16, bytes = count * (unsigned)sizeof(int);
    int *p = malloc(bytes);
    for (unsigned i = 0; i < 16; i++)
        p[i] = (int)i;
    error_made();
    free(p);
}

CASE(strdup_appended) {
    char *p = strdup(bad ? "file" : "file     ");
    strcpy(p + 4, ".text");
    error_made();
    free(p);
}

CASE(realloc_shrunk) {
    char *p = malloc(200);
    p = realloc(p, bad ? 100 : 200);
    memset(p, 'x', 200);
    error_made();
    free(p);
}

CASE(aligned_block) {
    double *p = aligned_alloc(64, 64);
    p[7 + bad] = 3.5;
    error_made();
    free(p);
}

CASE(flexible_array) {
    struct message {
        size_t length;
        char text[];
    } *m = malloc(sizeof *m + 20);
    m->length = 20;
    m->text[m->length - (bad ? 0 : 1)] = '\0';
    error_made();
    free(m);
}

CASE(rows_of_pointers) {
    char **rows = malloc(6 * sizeof *rows);
    for (int i = 0; i < 6; i++)
        rows[i] = NULL;
    rows[5 + bad] = NULL;
    error_made();
    free(rows);
}

CASE(beyond_the_neighbourhood) {
    char *p = malloc(40);
    p[bad ? 340 : 34] = 'f';
    error_made();
    free(p);
}

CASE(page_sized_block) {
    char *p = malloc(4096);
    p[4095 + bad] = 1;
    error_made();
    free(p);
}

CASE(large_block) {
    char *p = malloc(1 << 20);
    p[(1 << 20) - 1 + bad] = 1;
    error_made();
    free(p);
}

CASE(found_at_exit) {
    char *p = malloc(32);
    memset(p, 'e', 32 + (size_t)bad);
    error_made();
    free_at_exit(p);
}

static char *never_freed;

CASE(block_never_freed) {
    never_freed = malloc(72);
    memset(never_freed, 'n', 72 + (size_t)bad);
    error_made();
}

static void fill_30(void *p) {
    memset(p, 't', 30);
}

CASE(other_thread) {
    char *p = malloc(bad ? 24 : 30);
    in_thread(fill_30, p);
    error_made();
    free(p);
}

CASE(read_call) {
    char *p = malloc(bad ? 48 : 64);
    int from = source(64);
    use(read(from, p, 64));
    close(from);
    error_made();
    free(p);
}

CASE(scanned_word) {
    char *p = malloc(bad ? 8 : 12);
    use(sscanf("elevenchars and more", "%s", p));
    error_made();
    free(p);
}
