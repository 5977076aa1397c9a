/* rxpool explain CODE [P1 [P2 [P3 [P4]]]] */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "stopcodes.h"
#include "tool.h"

static const char valid[] =
    "rxpool explain CODE [PARAMETER...], the code in hexadecimal or by its name, "
    "up to four parameters in hexadecimal";

struct request {
    const char *code;
    uint64_t parameter[4];
    unsigned count;
};

static bool parse_hex(const char *s, uint64_t *value) {
    char *end;

    if (!isxdigit((unsigned char)*s))
        return false;
    errno = 0;
    *value = strtoull(s, &end, 16);
    return *end == '\0' && errno == 0;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct request *r = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (r->code == NULL) {
            r->code = argument;
            return 0;
        }
        if (r->count == RXP_COUNT(r->parameter) || !parse_hex(argument, &r->parameter[r->count])) {
            tool_message("explain: '%s' is not a parameter; valid: %s", argument, valid);
            exit(TOOL_USAGE);
        }
        r->count++;
        return 0;
    case ARGP_KEY_NO_ARGS:
        tool_message("explain: which code? valid: %s", valid);
        exit(TOOL_USAGE);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "CODE [PARAMETER...]",
    .doc = "Tells what a stop code and its parameters mean: rxpool explain 0xC2 0x0A "
           "0x7f0012345640 0x74736554.",
};

static const struct stop_code *find_code(const char *word) {
    uint64_t code = 0;
    bool number = parse_hex(word, &code);

    for (unsigned i = 0; i < stop_code_count; i++)
        if ((number && stop_codes[i].code == code) || strcasecmp(word, stop_codes[i].name) == 0)
            return &stop_codes[i];
    return NULL;
}

static const char *irql_name(uint64_t level) {
    static const char *const names[] = {"PASSIVE_LEVEL", "APC_LEVEL", "DISPATCH_LEVEL"};
    return level < RXP_COUNT(names) ? names[level] : "above DISPATCH_LEVEL";
}

static bool ends_with(const char *s, const char *end) {
    size_t a = strlen(s), b = strlen(end);
    return a >= b && strcmp(s + a - b, end) == 0;
}

/* "  2  address: 0x..." and, for what is no mere number, how it reads. */
static void print_parameter(unsigned number, const char *what, uint64_t value) {
    char tag[20];
    struct text t;

    printf("  parameter %u: 0x%" PRIX64 "  %s", number, value,
           what == NULL ? "(says nothing more)" : what);
    if (what != NULL && ends_with(what, "tag") && value <= UINT32_MAX) {
        text_init(&t, tag, sizeof(tag));
        text_tag(&t, (uint32_t)value);
        printf(" '%s'", tag);
    } else if (what != NULL && strcmp(what, "IRQL") == 0) {
        printf(" %s", irql_name(value));
    } else if (what != NULL && strcmp(what, "pool type") == 0) {
        printf(", %s", value & 1 ? "paged" : "nonpaged");
    }
    putchar('\n');
}

/* The cases name the other three parameters in their order. */
static const char *parameter_name(const struct stop_code *code, const struct stop_case *c,
                                  unsigned i) {
    if (c == NULL)
        return code->parameters[i];
    if (i + 1 == code->selector)
        return c->meaning;
    return c->parameters[i + 1 < code->selector ? i : i - 1];
}

static void print_cases(const struct stop_code *code) {
    if (code->selector != 0)
        printf("\nparameter %u tells:\n", code->selector);
    for (unsigned i = 0; i < code->case_count; i++) {
        const struct stop_case *c = &code->cases[i];
        printf("  0x%02" PRIX64 "  %s", c->value, c->meaning);
        const char *separator = " (";
        for (unsigned p = 0, number = 1; p < RXP_COUNT(c->parameters); p++, number++) {
            number += number == code->selector;
            if (c->parameters[p] == NULL)
                continue;
            printf("%s%u: %s", separator, number, c->parameters[p]);
            separator = ", ";
        }
        puts(*separator == ',' ? ")" : "");
    }
    for (unsigned i = 0; code->selector == 0 && i < RXP_COUNT(code->parameters); i++)
        if (code->parameters[i] != NULL)
            printf("  parameter %u  %s\n", i + 1, code->parameters[i]);
}

static void print_parameters(const struct stop_code *code, const struct request *r) {
    const struct stop_case *found = NULL;

    for (unsigned i = 0; code->selector != 0 && code->selector <= r->count && i < code->case_count;
         i++)
        if (code->cases[i].value == r->parameter[code->selector - 1])
            found = &code->cases[i];
    for (unsigned i = 0; i < r->count; i++) {
        const char *what = parameter_name(code, found, i);
        if (found == NULL && i + 1 == code->selector)
            what = "no case that is known here";
        print_parameter(i + 1, what, r->parameter[i]);
    }
}

int command_explain(int argc, char **argv) {
    struct request request = {0};

    tool_parse(&argp, argc, argv, valid, &request);
    const struct stop_code *code = find_code(request.code);
    if (code == NULL) {
        fprintf(stderr,
                "rxpool: explain: '%s' is no stop code that is known here; valid:", request.code);
        for (unsigned i = 0; i < stop_code_count; i++)
            fprintf(stderr, " 0x%X", stop_codes[i].code);
        fputc('\n', stderr);
        return TOOL_USAGE;
    }
    printf("0x%08X %s: %s\n", code->code, code->name, code->meaning);
    /* A few parameters without the one that tells the case cannot be read. */
    if (request.count == 0 || request.count < code->selector)
        print_cases(code);
    if (request.count > 0)
        print_parameters(code, &request);
    return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}
