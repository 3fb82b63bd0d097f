/* storeroom.h - inside the state file of the service: its tables, its rows and their sums.
 *
 * For store.c and standing.c alone; everybody else speaks to these. */
#ifndef DID_STOREROOM_H
#define DID_STOREROOM_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "rota.h"
#include "status.h"
#include "store.h"

typedef enum {
    QUERY_FIND_JOB,
    QUERY_ADD_JOB,
    QUERY_DROP_JOB,
    QUERY_TERMS,
    QUERY_JOBS,
    QUERY_EVERY_JOB,
    QUERY_FIND,
    QUERY_FIND_KEY,
    QUERY_ADD,
    QUERY_CHANGE,
    QUERY_DROP,
    QUERY_ALL,
    QUERY_NEXT,
    QUERY_OUT,
    QUERY_LATER,
    QUERY_OPEN_OF_JOB,
    QUERY_OPEN_OF_ID,
    QUERY_LAST,
    STOREROOM_QUERIES
} storeroom_query;

struct store {
    database     *db;
    sqlite3_stmt *query[STOREROOM_QUERIES];
    int64_t       last; /* number of the record that came last */
    rota          rota; /* the jobs, counted */
    bool          begun;
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
} storeroom_document;

status storeroom_open(store *s, const char *path);
void   storeroom_close(store *s); /* Safe on one that did not open. */
status storeroom_full(void);      /* DID_ENOMEM, with a sentence. Local. */

status storeroom_begin(store *s); /* The first change after a commit begins the next transaction. */

/* The next row of `q`, whose parameters are bound, *found false after the last. The query stands on
 * it until storeroom_done. */
status storeroom_step(store *s, storeroom_query q, bool *found);
void   storeroom_done(store *s, storeroom_query q);
status storeroom_run(store *s, storeroom_query q); /* one that gives no rows, whole */

storeroom_document storeroom_row(sqlite3_stmt *q); /* Borrowed. Local. */
uint32_t           storeroom_sum_line(const storeroom_document *r);
uint32_t           storeroom_sum(const storeroom_document *r);

/* The standing of a document, its sum anew; `finished` is the number of its record. */
status storeroom_write(store *s, const storeroom_document *r, int64_t finished);

status storeroom_terms(store *s, int64_t job, char **terms); /* malloc'ed */

#endif
