#define _GNU_SOURCE
#include <argp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tool.h"

const char *argp_program_version = "rxpool " RXPOOL_TOOL_VERSION;

void tool_message(const char *format, ...) {
    va_list arguments;

    fputs("rxpool: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static const struct argp_option *find_option(const struct argp *argp, const char *name,
                                             size_t length) {
    for (const struct argp_option *o = argp->options; o != NULL && o->name != NULL; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

/* The first option that is unknown or lacks its value; argp does not tell which it was. */
static const char *bad_word(const struct argp *argp, int argc, char **argv) {
    for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
        size_t length = strcspn(argv[i], "=");
        const struct argp_option *o =
            length > 2 ? find_option(argp, argv[i] + 2, length - 2) : NULL;
        if (o == NULL || (o->arg != NULL && argv[i][length] == '\0' && ++i == argc))
            return argv[i < argc ? i : argc - 1];
    }
    return argv[argc - 1];
}

/* argp's own complaints take two lines and do not say what is valid. */
void tool_parse(const struct argp *argp, int argc, char **argv, const char *valid, void *input) {
    if (argp_parse(argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS, NULL, input) == 0)
        return;
    tool_message("%s: '%s' is not valid here, or lacks its value; valid: %s",
                 argv[0] + strlen("rxpool "), bad_word(argp, argc, argv), valid);
    exit(TOOL_USAGE);
}

static void no_command(const char *word) {
    char valid[64];
    struct text t;

    text_init(&t, valid, sizeof(valid));
    for (const struct tool_command *c = tool_commands; c->name != NULL; c++) {
        text_string(&t, c == tool_commands ? "" : ", ");
        text_string(&t, c->name);
    }
    tool_message("'%s' is no command; valid: %s", word, valid);
}

int main(int argc, char **argv) {
    static char name[64];

    argp_err_exit_status = TOOL_USAGE;
    if (argc < 2) {
        fputs(tool_usage, stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(tool_usage, stdout);
        return TOOL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(argp_program_version);
        return TOOL_OK;
    }
    for (const struct tool_command *c = tool_commands; c->name != NULL; c++) {
        if (strcmp(argv[1], c->name) != 0)
            continue;
        snprintf(name, sizeof(name), "rxpool %s", c->name);
        argv[1] = name;
        return c->run(argc - 1, argv + 1);
    }
    no_command(argv[1]);
    return TOOL_USAGE;
}
