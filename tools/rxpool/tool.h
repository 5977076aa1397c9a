/*
 * The rxpool command: one file for each subcommand, and what they share. Every message is one line
 * on stderr that begins with the command's name.
 */
#ifndef RXPOOL_TOOLS_TOOL_H
#define RXPOOL_TOOLS_TOOL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/base.h"
#include "rxpool/stats.h"

/* Exit statuses of the tool itself; `run` gives its command's. */
enum tool_status {
    TOOL_OK = 0,
    TOOL_FAILED = 1,       /* output could not be written */
    TOOL_USAGE = 2,        /* a word of the command line, or RXPOOL_OPTIONS, is not valid */
    TOOL_UNREADABLE = 3,   /* the target cannot be read, or has no pool */
    TOOL_CANNOT_RUN = 126, /* the command is there and cannot be run, or not on the pool */
    TOOL_NOT_FOUND = 127,  /* there is no such command */
};

/* Subcommands: argv[0] is "rxpool NAME". Which of them there are depends on the system. */
struct tool_command {
    const char *name; /* NULL ends the list */
    int (*run)(int argc, char **argv);
};
extern const struct tool_command tool_commands[];
extern const char tool_usage[];
int command_run(int argc, char **argv);
int command_stat(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_symbols(int argc, char **argv);

/* "rxpool: " and the message, one line on stderr. */
void tool_message(const char *format, ...) RXP_PRINTF(1, 2);

struct argp;
/*
 * Parses a subcommand's words with argp. On a word that is not valid it says which, and what is
 * (`valid`), and exits with TOOL_USAGE. Reports of the parser functions' own exit by themselves.
 */
void tool_parse(const struct argp *argp, int argc, char **argv, const char *valid, void *input);

/* Values of `run`'s options; what is not valid is told in one line, and ends with TOOL_USAGE. */
RXP_NORETURN void tool_bad_value(const char *option, const char *value, const char *what);
double tool_seconds(const char *option, const char *s);
const char *tool_side(const char *s); /* of --guard */

struct modules;
/* Prints the table of the last read; call sites with their places where `modules` (or NULL) knows them. */
void show_table(FILE *out, const struct rxpool_stats *stats, const struct modules *modules);
/*
 * Writes the table of the last read as one JSON record and a newline; false when it cannot be
 * written.
 */
bool write_json(FILE *out, const struct rxpool_stats *stats, const struct modules *modules);

/*
 * The path of the file `name` in the folder `folder` beside the folder that holds this program;
 * false when not there.
 */
bool beside_program(const char *folder, const char *name, char *path, size_t capacity);
/* The same of a library: beside an installed command, whatever this system calls the folder, or beside a built one. */
bool library_beside(const char *name, char *path, size_t capacity);

/*
 * Whether `command` (found as a shell finds it) can run on the pool: TOOL_OK, else one line was
 * said and this is the status to exit with.
 */
int check_program(const char *command);

/* The binary that owns a tag, from pooltag.txt; NULL where the file does not know it. */
const char *pooltag_binary(uint32_t tag);

#endif
