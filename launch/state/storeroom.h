/* storeroom.h - inside a state file: its tables, its rows and their sums.
 *
 * For store.c and standing.c alone; everybody else speaks to these. */
#ifndef DID_STOREROOM_H
#define DID_STOREROOM_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "rota.h"
#include "statefile.h"
#include "status.h"
#include "store.h"

typedef enum {
    QUERY_FIND_JOB,
    QUERY_ADD_JOB,
    QUERY_LAST_JOB,
    QUERY_DROP_JOB,
    QUERY_TERMS,
    QUERY_JOBS,
    QUERY_FIND,
    QUERY_FIND_KEY,
    QUERY_ADD,
    QUERY_CHANGE,
    QUERY_DROP,
    QUERY_ALL,
    QUERY_ALL_JOBS,
    QUERY_NEXT,
    QUERY_OUT,
    QUERY_LATER,
    QUERY_OPEN_OF_JOB,
    QUERY_OPEN_OF_ID,
    QUERY_LAST,
    STOREROOM_QUERIES
} storeroom_query;

struct store {
    statefile     file;
    sqlite3_stmt *query[STOREROOM_QUERIES];
    int64_t       last; /* number of the record that came last */
    rota          rota; /* the jobs, counted */
    int           damaged, strikes;
    bool          begun, looking;
};

/* A document as the file has it; its texts are the query's. */
typedef struct storeroom_document {
    int64_t     place, job;
    const char *custom_id;
    int         sample;
    const char *line;
    int         state, was; /* as it is, as it was read */
    int64_t     epoch;
    int         failures;
    const char *signature, *checkpoint, *record;
    int64_t     finished;   /* number of the record, in the order they came; 0: none */
    bool        line_sound; /* what was asked for is as it was written */
    bool        sound;      /* and so is what has become of it */
} storeroom_document;

/* Open the file for use; rows whose sum does not match are named and put aside. */
status storeroom_open(store *s, const char *path);

/* Open it to look only: nothing is made or changed, rows stay as they are. */
status storeroom_look(store *s, const char *path, store_say *say, void *context);

void   storeroom_close(store *s); /* Safe on one that did not open. */
status storeroom_full(void);      /* DID_ENOMEM, with a sentence. Local. */

status storeroom_begin(store *s); /* The first change after a commit begins the next transaction. */

/* The next row of `q`, whose parameters are bound, *found false after the last. The query stands on
 * it until storeroom_done. */
status storeroom_step(store *s, storeroom_query q, bool *found);
void   storeroom_done(store *s, storeroom_query q);
status storeroom_run(store *s, storeroom_query q); /* one that gives no rows, whole */

enum { STOREROOM_COLUMNS = 14 };                   /* of a document; what follows is the query's */
storeroom_document storeroom_row(sqlite3_stmt *q); /* Borrowed. Local. */

/* The row on which `q` stands, for use: fails DID_EIO when it is not sound. */
status storeroom_use(store *s, storeroom_query q, storeroom_document *out);

/* A new row for r's job, custom_id, sample and line; it may grow to `bytes` (expanse.h). */
status storeroom_add(store *s, const storeroom_document *r, int64_t bytes);

/* The standing of a document, its sum anew. */
status storeroom_write(store *s, const storeroom_document *r);

status storeroom_add_job(store *s, const char *owner, const char *name, const char *terms,
                         int64_t *job);
status storeroom_terms(store *s, int64_t job, char **terms); /* malloc'ed */

#endif
