/* Reads past the end of a block (CWE-126). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "corpus.h"

/* `bytes` bytes of `c`, without a terminator while `bad`. */
static char *text_of(size_t bytes, char c, int bad) {
    char *p = malloc(bytes);
    memset(p, c, bytes);
    if (!bad)
        p[bytes - 1] = '\0';
    return p;
}

CASE(index_char) {
    char *p = text_of(80, 'a', 0);
    use(p[79 + bad]);
    error_made();
    free(p);
}

CASE(index_char_odd_size) {
    char *p = text_of(77, 'a', 0);
    use(p[76 + bad]);
    error_made();
    free(p);
}

CASE(index_int) {
    int *p = calloc(20, sizeof *p);
    use(p[19 + bad]);
    error_made();
    free(p);
}

CASE(loop_double) {
    char *p = text_of(50, 'a', 0);
    for (int i = 0; i < (bad ? 100 : 50); i++)
        use(p[i]);
    error_made();
    free(p);
}

CASE(loop_wide) {
    wchar_t *p = calloc(50, sizeof *p);
    for (int i = 0; i < (bad ? 100 : 50); i++)
        use(p[i]);
    error_made();
    free(p);
}

CASE(maximum_of_ints) {
    int *p = calloc(10, sizeof *p), most = 0;
    for (int i = 0; bad ? i <= 10 : i < 10; i++)
        most = p[i] > most ? p[i] : most;
    use(most);
    error_made();
    free(p);
}

CASE(memcpy_double) {
    char to[100];
    char *p = text_of(50, 'A', 0);
    memcpy(to, p, bad ? 100 : 50);
    error_made();
    use(to[40]);
    free(p);
}

CASE(memmove_double) {
    wchar_t to[100];
    wchar_t *p = calloc(50, sizeof *p);
    memmove(to, p, (bad ? 100 : 50) * sizeof *p);
    error_made();
    use(to[40]);
    free(p);
}

CASE(memcmp_long) {
    char zeroes[64] = {0};
    char *p = calloc(1, bad ? 32 : 64);
    use(memcmp(p, zeroes, 64));
    error_made();
    free(p);
}

CASE(memchr_long) {
    char *p = text_of(48, 'm', 0);
    p[47] = 'm';
    use(memchr(p, 'z', bad ? 100 : 48) != NULL);
    error_made();
    free(p);
}

CASE(strlen_unterminated) {
    char *p = text_of(64, 's', bad);
    use((long)strlen(p));
    error_made();
    free(p);
}

CASE(strlen_unterminated_odd_size) {
    char *p = text_of(61, 's', bad);
    use((long)strlen(p));
    error_made();
    free(p);
}

CASE(strcpy_unterminated) {
    char to[4096];
    char *p = text_of(100, 'A', bad);
    strcpy(to, p);
    error_made();
    use(to[0]);
    free(p);
}

CASE(strncpy_then_strlen) {
    char *p = malloc(16);
    strncpy(p, bad ? "exactly sixteen!" : "fifteen at most", 16);
    use((long)strlen(p));
    error_made();
    free(p);
}

CASE(strcmp_unterminated) {
    char *p = text_of(32, 'q', bad);
    char other[200];
    memset(other, 'q', sizeof other - 1);
    other[sizeof other - 1] = '\0';
    use(strcmp(p, other));
    error_made();
    free(p);
}

CASE(strchr_unterminated) {
    char *p = text_of(32, 'q', bad);
    use(strchr(p, 'r') != NULL);
    error_made();
    free(p);
}

CASE(printed_unterminated) {
    char *p = text_of(32, 'p', bad), out[4096];
    use(snprintf(out, sizeof out, "<%s>", p));
    error_made();
    free(p);
}

CASE(wcslen_unterminated) {
    wchar_t *p = malloc(20 * sizeof *p);
    wmemset(p, L'w', 20);
    p[bad ? 0 : 19] = bad ? L'w' : L'\0';
    use((long)wcslen(p));
    error_made();
    free(p);
}

CASE(number_unterminated) {
    char *p = text_of(16, '1', bad);
    use(strtol(p, NULL, 10));
    error_made();
    free(p);
}

CASE(write_call) {
    char *p = text_of(40, 'w', 0);
    int to = sink();
    use(write(to, p, bad ? 80 : 40));
    close(to);
    error_made();
    free(p);
}

CASE(fwrite_long) {
    char *p = text_of(40, 'w', 0);
    FILE *to = fopen("/dev/null", "w");
    use((long)fwrite(p, 1, bad ? 8000 : 40, to));
    fclose(to);
    error_made();
    free(p);
}

CASE(struct_of_the_wrong_type) {
    struct small {
        int64_t a, b;
    };
    struct wide {
        struct small base;
        int64_t c[4];
    } copy, *p = calloc(1, bad ? sizeof(struct small) : sizeof(struct wide));
    copy = *p;
    error_made();
    use(copy.c[0]);
    free(p);
}

CASE(page_sized_block) {
    char *p = calloc(1, 4096);
    use(p[4095 + bad]);
    error_made();
    free(p);
}

CASE(large_block) {
    char *p = calloc(1, 1 << 20);
    use(p[(1 << 20) - 1 + bad]);
    error_made();
    free(p);
}

CASE(realloc_shrunk) {
    int *p = calloc(100, sizeof *p);
    p = realloc(p, (bad ? 40 : 100) * sizeof *p);
    use(p[99]);
    error_made();
    free(p);
}
