/* journal.h - the state file: what has been asked for and how far it has come, on disk.
 *
 * SQLite with full synchronisation, write-ahead log, one process at a time. Every row of ours
 * carries a CRC-32C, because a flipped bit in a write-ahead log would otherwise pass for data; a
 * row whose sum does not match is named and not used: its document is generated again. One thread
 * at a time. */
#ifndef DID_JOURNAL_H
#define DID_JOURNAL_H

#include <stdbool.h>

#include "request.h"
#include "status.h"
#include "wal.h"

typedef struct journal journal;

typedef enum { JOURNAL_QUEUED, JOURNAL_DRAFTING, JOURNAL_DONE, JOURNAL_FAILED } journal_state;

/* A document's new state; text is its checkpoint (DRAFTING) or its record (DONE, FAILED). */
typedef struct journal_change {
    const char   *custom_id;
    int           sample;
    journal_state state;
    const char   *text;
} journal_change;

/* Open the state file at `path`, or make one. `identity` is lines "name value" that every run of
 * the job must bring alike. Fails DID_EINVAL when the file belongs to a job with another identity
 * (says what differs), DID_EFORMAT when it is damaged, not ours or of another version, DID_EIO
 * when it cannot be used or another process has it. Leader. */
status journal_open(journal **out, const char *path, const char *identity);
void   journal_close(journal **j);

bool journal_fresh(const journal *j);   /* made by journal_open, not found. Local. */
int  journal_damaged(const journal *j); /* rows dropped, commits lost in the log. Local. */

/* Make sure all requests are in; state[n] receives where each stands. One transaction. Asking again
 * changes nothing. Fails DID_EINVAL when an id is known with another content. Leader. */
status journal_submit(journal *j, const request *requests, int n, journal_state *state);

/* Write all changes in one transaction: after it they survive anything. Leader. */
status journal_write(journal *j, const journal_change *changes, int n);

/* Where a document stands and its checkpoint or record, malloc'ed; *text is NULL where there is
 * none. *known is false for an id that was never submitted. Leader. */
status journal_read(journal *j, const char *custom_id, int sample, bool *known,
                    journal_state *state, char **text);

/* Called with every finished record, in the order of submission. Leader. */
typedef status journal_visit(void *context, const char *custom_id, int sample, const char *record);
status         journal_each(journal *j, journal_visit *visit, void *context);

/* ---- to look only ---- */

/* Open the state file of whatever job, changing nothing; `say` is told what SQLite finds wrong in
 * its structure. Fails as journal_open and statefile_look. Leader. */
typedef void journal_say(void *context, const char *sentence);
status       journal_look(journal **out, const char *path, journal_say *say, void *context);

/* Its write-ahead log as it was found. Borrowed. Local. */
const wal_report *journal_log(const journal *j);

/* A row as it stands; nothing of one that is not sound may be used. */
typedef struct journal_row {
    const char   *custom_id;
    int           sample;
    journal_state state;
    const char   *checkpoint, *record; /* NULL: none */
    bool          sound;               /* its sum matches */
} journal_row;

/* Called with every row, in the order of submission. Leader. */
typedef status journal_seen(void *context, const journal_row *row);
status         journal_scan(journal *j, journal_seen *seen, void *context);

#endif
