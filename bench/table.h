/* table.h - the same line twice: for people in columns, for programs as one JSON object per line.
 *
 * Bench code puts everything it knows about a line into an object; the columns of the moment say
 * what of it people see. Only rank 0 has a table; everywhere else it is NULL, and writing to it
 * does nothing. */
#ifndef DID_TABLE_H
#define DID_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "measure.h"
#include "status.h"

typedef struct table table;

typedef struct column {
    const char *key; /* of the object */
    const char *title;
    int         width; /* in characters; negative: aligned to the left, as texts are */
    int         decimals;
} column;

/* Lines go to `people`, and to the new file `json` unless NULL. Fails DID_EIO, DID_ENOMEM.
 * Local. */
status table_open(table **out, FILE *people, const char *json);

/* Say how it went and close; nulls. Fails DID_EIO when something could not be written. Local. */
status table_close(table **t);

/* Begin a part with a title and its columns (borrowed). Local. */
void table_begin(table *t, const char *title, const column *columns, int n);

/* Write a line; the object is the table's from here on. An object with "valid": false shows its
 * first columns, as far as it has them, and then INVALID and "why" in place of any speed. Local. */
void table_line(table *t, json_t *line);

/* A remark for people only. Local. */
void table_remark(table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines written with "valid": false. Local; 0 without a table. */
int table_invalid(const table *t);

/* Put the times into a line: ms_min, ms_median, ms_max, slowest ("r1 host"), samples, calls.
 * Local. */
void table_times(json_t *line, const measured *m);

/* The same for what takes long, with s_min, s_median and s_max. Local. */
void table_seconds(json_t *line, const measured *m);

/* Say of a line that its answer is right, or wrong and why: valid, check, why. Local. */
void table_check(json_t *line, bool wrong, const char *why);

#endif
