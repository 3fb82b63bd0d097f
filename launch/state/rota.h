/* rota.h - whose turn it is: the jobs of all owners, how their documents stand, who is served next.
 *
 * Owners take turns, and the jobs of an owner take turns, so that a job of three documents does not
 * wait behind one of a hundred thousand. Counts only: about 150 bytes for a job, however many
 * documents it has. The state file is the truth; this is counted anew when it is opened. */
#ifndef DID_ROTA_H
#define DID_ROTA_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "store.h"

typedef struct rota_job {
    store_count count;
    int64_t     bytes;  /* what its unfinished documents may grow to (expanse.h) */
    int         owner;  /* place in the list of owners; -1: there is no such job */
    int         length; /* of documents whose line is silent */
} rota_job;

typedef struct rota_owner {
    char    *key;
    int64_t *job; /* its jobs, in the order they were begun */
    int      n, room;
    int      turn; /* place of the job that is served next */
    int64_t  open, bytes;
} rota_owner;

typedef struct rota {
    rota_job   *job; /* by number */
    int64_t     n_jobs;
    rota_owner *owner;
    int         n_owners, turn;
    store_count all;
} rota;

/* A job of `owner`, with no documents yet. Fails DID_ENOMEM. Local. */
status rota_begin(rota *r, const char *owner, int64_t job, int length);

/* It is no job after all: it has no documents. Local. */
void rota_end(rota *r, int64_t job);

/* A document of `job` that was in state `from` (STORE_STATES: it is new) is in state `to`; unfinished
 * it may grow to `bytes`. Local. */
void rota_move(rota *r, int64_t job, store_state from, store_state to, int64_t bytes);

/* The job that is served next, of those with documents in `state`; 0: there is none. The next call
 * is another's turn. Local. */
int64_t rota_next(rota *r, store_state state);

const rota_owner *rota_find(const rota *r, const char *owner); /* NULL: nobody. Local. */
const rota_job   *rota_look(const rota *r, int64_t job);       /* NULL: there is none. Local. */

/* All that may change of a job, to be put back when a submission is refused. Local. */
typedef struct rota_mark {
    int64_t     job;
    rota_job    was;
    store_count all;
    int64_t     open, bytes;
} rota_mark;

rota_mark rota_remember(const rota *r, int64_t job);
void      rota_restore(rota *r, const rota_mark *m);

void rota_clear(rota *r); /* Local. */

#endif
