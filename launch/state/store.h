/* store.h - the state file: every document that was asked for and how far it has come, on disk.
 *
 * SQLite with full synchronisation and a write-ahead log, one process at a time. What changes
 * between two commits is one transaction: an answer that promises something leaves after the
 * commit. Jobs, lines and standings carry CRC-32C sums, because a flipped bit would otherwise pass
 * for data; on opening, a row whose sum does not match is named and not used: a standing begins
 * again from its line, a line has to be submitted again, a job's own row is a refusal.
 *
 * A service keeps the jobs of many owners; the file of a `did generate` holds one job that belongs
 * to itself. A document's key is (owner, job, custom_id, sample). Its serial is its place in the
 * file and never given to another. One thread at a time. */
#ifndef DID_STORE_H
#define DID_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "wal.h"

typedef struct store store;

/* DRAFTED waits with a draft behind it; the next world refines it. */
#define STORE_MAP(X)        \
    X(QUEUED, "queued")     \
    X(DRAFTING, "drafting") \
    X(DRAFTED, "drafted")   \
    X(REFINING, "refining") \
    X(DONE, "done")         \
    X(FAILED, "failed")     \
    X(CANCELLED, "cancelled")

typedef enum {
#define X(name, text) STORE_##name,
    STORE_MAP(X)
#undef X
        STORE_STATES
} store_state;

const char *store_word(store_state state); /* Borrowed. Local. */

/* Open the state file of a service, or make one. Fails DID_EFORMAT when it is damaged, not ours
 * or of another version, DID_EINVAL when it belongs to a did generate, DID_EIO when it cannot
 * be used or another process has it, DID_EFULL (as everything that writes) when the disk has no
 * room. */
status store_open(store **out, const char *path);

/* The same for a job that belongs to itself. `identity` is lines "name value" that every run of it
 * must bring alike; they are the job's terms. Fails DID_EINVAL when the file belongs to another job
 * (says what differs). */
status store_open_own(store **out, const char *path, const char *identity, int64_t *job);

void store_close(store **s); /* What was not committed is lost. Safe on NULL. */

/* How often a document may be lost with its world, without a checkpoint in between, before it
 * is set aside; STANDING_STRIKES unless said. Local. */
void store_set_strikes(store *s, int most);

bool store_fresh(const store *s);   /* made when it was opened, not found. Local. */
int  store_damaged(const store *s); /* rows put aside, commits lost in the log. Local. */

/* Make what was written since the last commit permanent. */
status store_commit(store *s);

/* The job `name` of `owner`; *job is 0 when there is none. */
status store_find_job(store *s, const char *owner, const char *name, int64_t *job);

/* The same, made when it is new. `terms` is what holds for all its documents. Fails DID_EINVAL when
 * it was begun with other terms, or the owner has `most` jobs already. */
status store_begin_job(store *s, const char *owner, const char *name, const char *terms, int most,
                       int64_t *job);

typedef struct store_line {
    const char *custom_id;
    int         samples; /* documents it asks for */
    const char *line;
    int64_t     bytes; /* what each may grow to (expanse.h) */
} store_line;

/* What an owner may have unfinished. */
typedef struct store_quota {
    int64_t documents;
    int64_t bytes; /* they may grow to */
} store_quota;

/* All lines or none. A document that is known with the same line is counted in *known and left
 * as it is. Fails DID_EINVAL when one is known with another line, or `owner` would have more
 * unfinished than the quota; a job that has no documents then is gone. */
status store_submit(store *s, const char *owner, int64_t job, const store_line *lines, int n,
                    const store_quota *most, int *added, int *known);

/* One document of a job, added when it is new. *text is its checkpoint or record, malloc'ed; NULL
 * where there is none. Fails DID_EINVAL when it is known with another line. */
typedef struct store_found {
    int64_t     serial; /* 0: not known */
    store_state state;
    char       *text;
} store_found;

status store_enter(store *s, int64_t job, const char *custom_id, int sample, const char *line,
                   store_found *out);
status store_find(store *s, int64_t job, const char *custom_id, int sample, store_found *out);

/* Called with the documents of a visit; a failure ends it. */
typedef status store_visit(void *context, int64_t serial, int64_t epoch);

/* All documents that are out. */
status store_each_out(store *s, store_visit *visit, void *context);

/* The records of a job in the order they came, after `*after`, while `enough` says false. `*after`
 * becomes the number of the last one. */
typedef bool store_reader(void *context, const char *record); /* true: enough */
status       store_read(store *s, int64_t job, int64_t *after, store_reader *reader, void *context);

typedef struct store_count {
    int64_t n[STORE_STATES];
} store_count;

int64_t store_open_documents(const store_count *c); /* neither finished nor cancelled. Local. */

int64_t     store_waiting(const store *s);             /* documents that wait for a world. Local. */
store_count store_counts(const store *s, int64_t job); /* of one job; 0: of all. Local. */

/* Called with every job of `owner`. */
typedef status store_job_visit(void *context, int64_t job, const char *name);
status         store_each_job(store *s, const char *owner, store_job_visit *visit, void *context);

/* ---- to look only ---- */

/* Open the state file of whomever, changing nothing; `say` is told what SQLite finds wrong in its
 * structure. Fails as store_open and statefile_look. Unsound records are not read. */
typedef void store_say(void *context, const char *sentence);
status       store_look(store **out, const char *path, store_say *say, void *context);

const wal_report *store_log(const store *s); /* as it was found. Borrowed. Local. */

/* A row as it stands; nothing of one that is not sound may be used. */
typedef struct store_row {
    int64_t     serial, job;
    const char *owner, *name; /* of the job; NULL: there is no such job */
    const char *custom_id;
    int         sample;
    store_state state;
    int64_t     finished;            /* number of its record, in the order they came; 0: none */
    const char *checkpoint, *record; /* NULL: none */
    bool        line_sound, sound;
} store_row;

/* Called with every row, in the order of submission. */
typedef status store_seen(void *context, const store_row *row);
status         store_scan(store *s, store_seen *seen, void *context);

/* Called with every job of everybody. */
typedef status store_job_seen(void *context, int64_t job, const char *owner, const char *name);
status         store_all_jobs(store *s, store_job_seen *seen, void *context);

bool store_owns_itself(const char *owner); /* Is this the owner of a did generate's job? Local. */

#endif
