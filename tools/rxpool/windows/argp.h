/*
 * As much of the GNU C library's argp as the tool's commands use, for systems without it: long options, single or
 * behind `=`, in front of the first word that is none, and --help.
 */
#ifndef RXPOOL_TOOLS_WINDOWS_ARGP_H
#define RXPOOL_TOOLS_WINDOWS_ARGP_H

typedef int error_t;

struct argp_option {
    const char *name; /* without dashes; NULL ends the list */
    int key;
    const char *arg; /* what the value is called; NULL for an option without one */
    int flags;       /* not used: 0 */
    const char *doc;
    int group; /* not used: 0 */
};

struct argp_state {
    int argc;
    char **argv;
    int next; /* index of the next word; a parser that sets it to argc ends the parsing */
    void *input;
};

/* Answers 0, an errno, or ARGP_ERR_UNKNOWN for a key that it does not know. */
typedef error_t (*argp_parser_t)(int key, char *argument, struct argp_state *state);

struct argp {
    const struct argp_option *options; /* NULL for none */
    argp_parser_t parser;
    const char *args_doc;
    const char *doc; /* --help shows what is behind a vertical tab below the options */
};

#define ARGP_ERR_UNKNOWN 7
#define ARGP_KEY_ARG 0             /* a word that is no option */
#define ARGP_KEY_NO_ARGS 0x1000002 /* at the end, where there was none */

/* Flags of argp_parse: both must be given, as nothing else is served. */
#define ARGP_IN_ORDER 0x08
#define ARGP_NO_ERRS 0x02

/* The program's, for --version. */
extern const char *argp_program_version;
extern int argp_err_exit_status;

/* 0, or not 0 where a word is unknown or lacks its value. --help prints and exits with 0. */
error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
                   void *input);

#endif
