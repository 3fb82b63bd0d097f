/* ledger.h - every document of the job: waiting, out, or finished and written down exactly once.
 *
 * Keeps the state file, where there is one, and the output in step: a record reaches the state file
 * first and the output second, so the output can always be completed from the state file.
 *
 * A request with a source waits until that one is finished, and then begins with what it has left
 * (heritage.h). Sources are kept in the state file, so only a job that has one may hold them. */
#ifndef DID_LEDGER_H
#define DID_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "request.h"
#include "status.h"

typedef struct ledger ledger;

typedef struct ledger_settings {
    const request      *requests; /* borrowed until ledger_close; serial = index */
    int                 n_requests;
    const record_rules *rules;  /* borrowed until ledger_close */
    const char         *state;  /* path of the state file; NULL: none */
    const char         *output; /* path; NULL: stdout */
} ledger_settings;

/* Open state file and output and bring them in step. Fails DID_EINVAL when the output holds what
 * this job did not write, or as store_open_own and store_enter do. Leader. */
status ledger_open(ledger **out, const ledger_settings *settings);

/* The next document that nobody has; *serial is -1 when all are out or finished. *checkpoint is
 * malloc'ed, NULL where it begins from the start. Leader. */
status ledger_take(ledger *l, int64_t *serial, char **checkpoint);

/* It waits again, as it was last saved. Leader. */
void ledger_put_back(ledger *l, int64_t serial);

/* How often it was taken; 0: never, or there is none. Local. */
int  ledger_epoch(const ledger *l, int64_t serial);
bool ledger_out(const ledger *l, int64_t serial); /* taken, not finished. Local. */
bool ledger_over(const ledger *l, int64_t serial); /* finished, on disk or soon. Local. */
int  ledger_waiting(const ledger *l);             /* not taken, not finished. Local. */
int  ledger_held(const ledger *l);                /* not to be taken before another is finished. Local. */

/* What follows counts no silent documents. */
int  ledger_asked(const ledger *l);               /* all of them. Local. */
int  ledger_done(const ledger *l);                /* finished, earlier runs included. Local. */
int  ledger_failed(const ledger *l);              /* of those, without a text. Local. */
int  ledger_earlier(const ledger *l);             /* finished before this run. Local. */

/* Note a checkpoint, made in a stage that drafts or refines, or a record (of a silent document: what
 * it has left) for the next commit; the text is taken over. Leader. */
status ledger_save(ledger *l, int64_t serial, bool refining, char *text);
status ledger_finish(ledger *l, int64_t serial, char *line, bool failed);

/* What was noted becomes permanent: one transaction, then the lines of the output. Leader. */
status ledger_commit(ledger *l);

/* Bring the output to the disk. Leader. */
status ledger_sync(ledger *l);

/* Commit nothing more; sync and close. Fails DID_EIO. Sets NULL. Leader. */
status ledger_close(ledger **l);

#endif
