/* database.h - a SQLite file that keeps what it was told: exclusive, fully synchronised, with a
 * write-ahead log where the file system allows one. */
#ifndef DID_DATABASE_H
#define DID_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

typedef struct database database;

/* Open `path` or make it with `schema`. Fails DID_EFORMAT when it is damaged, not a `kind` of did
 * or of another version, DID_EIO when it cannot be used or another process has it. */
status database_open(database **out, const char *path, const char *kind, int version,
                     const char *schema);
void   database_close(database **d); /* After all statements are finalized. Safe on NULL. */

const char *database_path(const database *d);     /* Borrowed. Local. */
int64_t     database_last_row(const database *d); /* of the last insertion. Local. */

status database_execute(database *d, const char *text);
void   database_retract(database *d, const char *text); /* the same where a failure is being told */
status database_prepare(database *d, const char *text, sqlite3_stmt **out);

/* The next row of a query, *found false after the last; database_done makes it ready for another
 * time. */
status database_step(database *d, sqlite3_stmt *q, bool *found);
void   database_done(sqlite3_stmt *q);

/* A query that gives no rows, whole. */
status database_run(database *d, sqlite3_stmt *q);

const char *database_text(sqlite3_stmt *q, int column); /* Borrowed from the row. Local. */

/* CRC-32C of what a row holds, one value after the other. Local. */
uint32_t database_sum_number(uint32_t sum, int64_t x);
uint32_t database_sum_text(uint32_t sum, const char *text); /* NULL counts as empty */

#endif
