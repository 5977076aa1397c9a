#include "argp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int argp_err_exit_status = 64;

/* Where the name of the option starts the word that it ends: its length. */
static size_t name_length(const char *word) {
    return strcspn(word, "=");
}

static const struct argp_option *find(const struct argp *argp, const char *word) {
    size_t length = name_length(word);

    for (const struct argp_option *o = argp->options; o != NULL && o->name != NULL; o++)
        if (strlen(o->name) == length && strncmp(o->name, word, length) == 0)
            return o;
    return NULL;
}

static void help(const struct argp *argp, const char *program) {
    size_t above = strcspn(argp->doc, "\v");

    printf("Usage: %s [OPTION...] %s\n%.*s\n\n", program, argp->args_doc, (int)above, argp->doc);
    for (const struct argp_option *o = argp->options; o != NULL && o->name != NULL; o++)
        printf("  --%s%s%s\n        %s\n", o->name, o->arg != NULL ? "=" : "",
               o->arg != NULL ? o->arg : "", o->doc);
    if (argp->doc[above] != '\0')
        printf("\n%s\n", argp->doc + above + 1);
    exit(0);
}

/* The option that argv[next - 1] is; its value may be the word behind it. */
static error_t take_option(const struct argp *argp, struct argp_state *state) {
    char *word = state->argv[state->next - 1] + 2;
    const struct argp_option *o = find(argp, word);
    char *value = NULL;

    if (strcmp(word, "help") == 0)
        help(argp, state->argv[0]);
    if (o == NULL)
        return EINVAL;
    if (word[name_length(word)] == '=')
        value = word + name_length(word) + 1;
    else if (o->arg != NULL && state->next < state->argc)
        value = state->argv[state->next++];
    if ((o->arg != NULL) != (value != NULL))
        return EINVAL;
    return argp->parser(o->key, value, state);
}

/* The words behind the first one that is no option are words too, but for those that begin with a dash. */
error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
                   void *input) {
    struct argp_state state = {.argc = argc, .argv = argv, .next = 1, .input = input};
    int words = 0, only_words = 0;
    error_t error = 0;

    (void)flags;
    (void)index;
    while (error == 0 && state.next < state.argc) {
        char *word = argv[state.next++];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = 1;
        } else if (!only_words && word[0] == '-' && word[1] != '\0') {
            error = word[1] == '-' ? take_option(argp, &state) : EINVAL;
        } else {
            words++;
            error = argp->parser(ARGP_KEY_ARG, word, &state);
        }
    }
    if (error == 0 && words == 0)
        error = argp->parser(ARGP_KEY_NO_ARGS, NULL, &state);
    return error == ARGP_ERR_UNKNOWN && words == 0 ? 0 : error;
}
