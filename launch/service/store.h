/* store.h - the state file of the service: every job of every owner, on disk.
 *
 * SQLite with full synchronisation and a write-ahead log, one process at a time. What changes
 * between two commits is one transaction: an answer that promises something leaves after the
 * commit. Lines and standings carry CRC-32C sums; on opening, a row whose sum does not match is
 * named and not used: a standing begins again from its line, a line has to be submitted again.
 *
 * A document's key is (owner, job, custom_id, sample). Its serial is its place in the file and never
 * given to another. One thread at a time. */
#ifndef DID_STORE_H
#define DID_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

typedef struct store store;

/* DRAFTED waits with a draft behind it; the next world refines it. */
#define STORE_MAP(X)         \
    X(QUEUED, "queued")      \
    X(DRAFTING, "drafting")  \
    X(DRAFTED, "drafted")    \
    X(REFINING, "refining")  \
    X(DONE, "done")          \
    X(FAILED, "failed")      \
    X(CANCELLED, "cancelled")

typedef enum {
#define X(name, text) STORE_##name,
    STORE_MAP(X)
#undef X
        STORE_STATES
} store_state;

const char *store_word(store_state state); /* Borrowed. Local. */

/* Open the state file or make one. Fails DID_EFORMAT when it is damaged, not ours or of another
 * version, DID_EIO when it cannot be used or another process has it. */
status store_open(store **out, const char *path);
void   store_close(store **s); /* What was not committed is lost. Safe on NULL. */

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
    int64_t     bytes;   /* what each may grow to (expanse.h) */
} store_line;

/* What an owner may have unfinished. */
typedef struct store_quota {
    int64_t documents;
    int64_t bytes; /* they may grow to */
} store_quota;

/* All lines or none. A document that is known with the same line is counted in *known and left as
 * it is. Fails DID_EINVAL when one is known with another line, or `owner` would have more unfinished
 * than the quota; a job that has no documents then is gone. */
status store_submit(store *s, const char *owner, int64_t job, const store_line *lines, int n,
                    const store_quota *most, int *added, int *known);

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

#endif
