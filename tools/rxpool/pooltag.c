/* pooltag.txt: `Tag - binary - description`; `rem` and `//` begin comments. */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define LINE_MOST 1024

struct entry {
    uint32_t tag;
    char *binary;
};

static struct {
    bool read;
    struct entry *entries;
    size_t count;
} known;

static char *trim(char *s) {
    s += strspn(s, " \t");
    s[strcspn(s, "\r\n")] = '\0';
    for (size_t n = strlen(s); n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'); n--)
        s[n - 1] = '\0';
    return s;
}

/* A tag ends before " - "; it may itself hold blanks and dashes. */
static void parse_line(char *line) {
    char *dash = strstr(line, " - ");
    struct entry e = {0};

    if (strncmp(line, "//", 2) == 0 || strncasecmp(line, "rem", 3) == 0 || dash == NULL)
        return;
    *dash = '\0';
    size_t length = strlen(trim(line));
    char *binary = dash + 3, *end = strstr(binary, " - ");
    if (length == 0 || length > sizeof(e.tag))
        return;
    if (end != NULL)
        *end = '\0';
    memcpy(&e.tag, trim(line), length);
    struct entry *grown = realloc(known.entries, (known.count + 1) * sizeof(e));
    if (grown == NULL)
        return;
    known.entries = grown;
    binary = trim(binary);
    if (binary[0] == '\0' || (e.binary = strdup(binary)) == NULL)
        return;
    known.entries[known.count++] = e;
}

static void read_file(void) {
    char path[PATH_MAX], line[LINE_MOST];

    known.read = true;
    FILE *f =
        beside_program("share/rxpool", "pooltag.txt", path, sizeof(path)) ? fopen(path, "r") : NULL;
    if (f == NULL)
        return;
    for (bool begins = true; fgets(line, sizeof(line), f) != NULL;) {
        bool ends = strchr(line, '\n') != NULL;
        if (begins) /* the rest of a line that is too long is its description */
            parse_line(line);
        begins = ends;
    }
    fclose(f);
}

const char *pooltag_binary(uint32_t tag) {
    if (!known.read)
        read_file();
    for (size_t i = 0; i < known.count; i++)
        if (known.entries[i].tag == tag)
            return known.entries[i].binary;
    return NULL;
}
