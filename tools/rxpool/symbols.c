/* rxpool symbols [FILE]: the functions, files and lines of a report's return addresses. */
#define _GNU_SOURCE
#include "symbols.h"

#include <argp.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "tool.h"

static const char valid[] = "rxpool symbols [FILE]";

/* --- a line ------------------------------------------------------------------------------------ */

/* A frame, the value of a key, and a row of a leak list; what may follow it stands in parentheses. */
#define PLACE                                                                                      \
    "^(  #[0-9]+ |[a-z ]+: |[a-z]+: .* [a-z]+ at )([^ ]*/.*)\\+0x([0-9a-f]+)( \\(.*\\))?\n?$"
enum { WHOLE, BEFORE, MODULE, OFFSET, BEHIND, PARTS };

static const regex_t *place_form(void) {
    static regex_t form;
    static bool made;
    if (!made && regcomp(&form, PLACE, REG_EXTENDED) != 0)
        return NULL;
    made = true;
    return &form;
}

static void put_named(FILE *out, const char *line, const regmatch_t part[PARTS], const char *module,
                      const char *name) {
    fprintf(out, "%.*s%s (%s%.*s)%s", (int)part[BEFORE].rm_eo, line, name, basename(module),
            (int)(part[OFFSET].rm_eo - part[MODULE].rm_eo), line + part[MODULE].rm_eo,
            line + part[OFFSET].rm_eo);
}

void symbols_put_line(FILE *out, const char *line) {
    const regex_t *form = place_form();
    regmatch_t part[PARTS];
    char *module = NULL, *name = NULL;
    if (form != NULL && regexec(form, line, PARTS, part, 0) == 0)
        module =
            strndup(line + part[MODULE].rm_so, (size_t)(part[MODULE].rm_eo - part[MODULE].rm_so));
    if (module != NULL)
        name = place_name(module, strtoull(line + part[OFFSET].rm_so, NULL, 16));
    if (name != NULL)
        put_named(out, line, part, module, name);
    else
        fputs(line, out);
    free(name);
    free(module);
}

/* --- the command ------------------------------------------------------------------------------- */

static error_t parse(int key, char *argument, struct argp_state *state) {
    const char **file = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (*file != NULL) {
            tool_message("symbols: '%s' is one file too many; valid: %s", argument, valid);
            exit(TOOL_USAGE);
        }
        *file = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "[FILE]",
    .doc = "Copies FILE, or its standard input, with the function, file and line of each return "
           "address in the reports that are in it.",
};

int command_symbols(int argc, char **argv) {
    const char *file = NULL;
    char *line = NULL;
    size_t capacity = 0;

    tool_parse(&argp, argc, argv, valid, &file);
    FILE *in = file == NULL ? stdin : fopen(file, "re");
    if (in == NULL) {
        tool_message("symbols: %s: %s", file, strerror(errno));
        return TOOL_UNREADABLE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* who waits for a report need not wait for the next one */
    while (getline(&line, &capacity, in) > 0)
        symbols_put_line(stdout, line);
    free(line);
    if (ferror(in)) {
        tool_message("symbols: %s: it cannot be read", file != NULL ? file : "standard input");
        return TOOL_UNREADABLE;
    }
    if (in != stdin)
        fclose(in);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        tool_message("symbols: standard output cannot be written");
        return TOOL_FAILED;
    }
    return TOOL_OK;
}
