/* statefile.h - the SQLite file that a store is kept in: is it ours, is it whole, who has it.
 *
 * Write-ahead log where the file system can have one, full synchronisation, one process at a time.
 * Every failure names the file. One thread at a time. */
#ifndef DID_STATEFILE_H
#define DID_STATEFILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "wal.h"

enum { STATEFILE_VERSION = 3 };

typedef struct statefile {
    sqlite3   *db;
    char      *path;
    bool       fresh; /* nothing in it yet */
    wal_report log;   /* of its write-ahead log, as it was found */
} statefile;

/* Open the file at `path`, or make one, and take it for this process. Fails DID_EFORMAT when it is
 * not ours, of another version or damaged, DID_EIO when it cannot be used or another process has
 * it, DID_EFULL (as everything that writes) when the disk has no room. Leader. */
status statefile_open(statefile *f, const char *path);

/* The same to look only: nothing is made, nothing is changed, not even the log. Fails DID_EINVAL
 * where an interrupted commit has to be rolled back first, as statefile_open does. Whether the file
 * is whole is left to statefile_check. Leader. */
status statefile_look(statefile *f, const char *path);

void statefile_close(statefile *f); /* Safe on one that was not opened. */

/* What SQLite finds wrong in the structure of the file, sentence by sentence. Leader. */
typedef void statefile_say(void *context, const char *sentence);
status       statefile_check(statefile *f, statefile_say *say, void *context);

/* Make the tables of a fresh file and mark it as ours, all or nothing. Leader. */
status statefile_make(statefile *f, const char *schema);

/* The failure that SQLite just met while `doing`, as a status and a sentence. Local. */
status statefile_explain(const statefile *f, const char *doing);

/* ---- speaking to it; Leader ---- */

status statefile_execute(statefile *f, const char *sql);
void statefile_retract(statefile *f, const char *sql); /* the same where a failure is being told */
status statefile_prepare(statefile *f, const char *sql, sqlite3_stmt **out);

/* The next row of a query, *found false after the last; statefile_done makes it ready for another
 * time. */
status statefile_step(statefile *f, sqlite3_stmt *q, bool *found);
void   statefile_done(sqlite3_stmt *q);

status statefile_run(statefile *f, sqlite3_stmt *q); /* A query that gives no rows, whole. */

const char *statefile_text(sqlite3_stmt *q, int column); /* Borrowed from the row. Local. */

#endif
