/* options.h - one table per command says everything about its options: names, kinds, limits,
 * defaults and help. Parsing, `--help` and the printed configuration all read that table.
 *
 * `--name value`, `--name=value`, `-x value` where a letter is given; a flag is `--name`, and
 * `--name=no` takes it back. `--options FILE` reads the same names from a file: one per line
 * ("name value" or "name = value"), blank lines and everything after " #" ignored, a value in
 * double quotes taken as it is. The command line wins over the file, the last mention over
 * earlier ones. */
#ifndef DID_OPTIONS_H
#define DID_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "status.h"

/* What a target holds: FLAG bool, TEXT const char *, COUNT int, REAL double, SEED uint64_t,
 * CHOICE int (the word's place in `value`, -1 while nobody chose). */
typedef enum {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_COUNT,
    OPTION_REAL,
    OPTION_SEED,
    OPTION_CHOICE
} option_kind;

/* A row with kind and a `name` is an option; one with `help` alone is a heading. */
typedef struct option {
    const char *name;     /* without dashes */
    char        letter;   /* short form; 0: none */
    option_kind kind;
    const char *value;    /* unit in --help: "DIR", "TOKENS"; of a CHOICE its words "fhs|quota" */
    const char *initial;  /* when nobody says; NULL: the target stays zero (CHOICE: -1) */
    const char *silent;   /* what that silence means, for --help and the printed configuration */
    const char *help;
    double      min, max; /* of COUNT and REAL; both included unless `open` */
    bool        open;     /* min itself is not allowed */
    size_t      offset;   /* of the target in the command's structure */
} option;

typedef struct option_table {
    const char   *command;  /* "generate" */
    const char   *summary;  /* what it does, one sentence */
    const char   *usage;    /* what follows the command */
    const option *option;
    int           n;
} option_table;

typedef struct options options;

/* Read `argc` words into `target` by `table`. The texts in target live as long as *out. Fails
 * DID_EINVAL (unknown option with its nearest neighbour, missing or bad value) with one sentence
 * that names the option (in a file: file and line), what was found and what is expected. Local. */
status options_read(options **out, const option_table *table, void *target, int argc,
                    char *const *argv);
void   options_close(options **o);

/* Did the user say `name` (a name of the table), in words or in the file? Local. */
bool options_given(const options *o, const char *name);

/* One line of the effective configuration, as an options file has it (a comment where nothing was
 * said and nothing stands for it): i = 0 ...; false after the last. *given: the user said it.
 * Local. */
bool options_line(const options *o, int i, bool *given, char *text, size_t size);

/* The effective configuration on the log: what the user said line by line, what holds otherwise
 * packed. Local. */
void options_say(const options *o);

/* Does the command line ask for help (`--help` or `-h`)? Local. */
bool options_help_asked(int argc, char *const *argv);

/* The help text of a command. Local. */
void options_help(const option_table *table, FILE *to);

#endif
