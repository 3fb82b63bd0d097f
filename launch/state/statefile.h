/* statefile.h - the SQLite file that a journal is kept in: is it ours, is it whole, who has it.
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

enum { STATEFILE_VERSION = 1 };

typedef struct statefile {
    sqlite3   *db;
    char      *path;
    bool       fresh; /* nothing in it yet */
    wal_report log;   /* of its write-ahead log, as it was found */
} statefile;

/* Open the file at `path`, or make one, and take it for this process. Fails DID_EFORMAT when it is
 * not ours, of another version or damaged, DID_EIO when it cannot be used or another process has
 * it. Leader. */
status statefile_open(statefile *f, const char *path);

/* The same to look only: nothing is made, nothing is changed, not even the log. Fails DID_EINVAL
 * where an interrupted commit has to be rolled back first, as statefile_open does. Whether the file
 * is whole is left to statefile_check. Leader. */
status statefile_look(statefile *f, const char *path);

void statefile_close(statefile *f); /* Safe on one that was not opened. */

/* What SQLite finds wrong in the structure of the file, sentence by sentence. Leader. */
typedef void statefile_say(void *context, const char *sentence);
status       statefile_check(statefile *f, statefile_say *say, void *context);

/* Mark a fresh file as ours. Inside a transaction. Leader. */
status statefile_mark(statefile *f);

/* The failure that SQLite just met while `doing`, as a status and a sentence. Local. */
status statefile_explain(const statefile *f, const char *doing);

status statefile_execute(statefile *f, const char *sql); /* Leader. */

#endif
