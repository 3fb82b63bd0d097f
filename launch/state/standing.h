/* standing.h - what happens to one document of the state file: handed out, saved, put back,
 * finished, set aside, cancelled. Permanent with the next store_commit. */
#ifndef DID_STANDING_H
#define DID_STANDING_H

#include "store.h"

enum { STANDING_STRIKES = 3 }; /* failures after which a document is set aside, unless said */

/* A document on its way to a world. The texts are malloc'ed. */
typedef struct standing_loan {
    int64_t serial, epoch; /* serial 0: nothing waits */
    int     sample;
    bool    suspect; /* it was in the hands of worlds that were lost */
    char   *terms, *line;
    char   *checkpoint; /* NULL: from the start */
} standing_loan;

void standing_loan_clear(standing_loan *l);

/* The next document that waits, refinements first; it is out with a new epoch. A checkpoint goes
 * along where `signature` is the one it was made with. */
status standing_take(store *s, const char *signature, bool suspects, standing_loan *out);

/* Where a document stands; *epoch is 0 for one that is not known. */
status standing_look(store *s, int64_t serial, store_state *state, int64_t *epoch);

/* For a document that is out: a checkpoint in a stage that drafts or refines. What it failed before
 * is forgiven. */
status standing_save(store *s, int64_t serial, bool refining, const char *signature,
                     const char *checkpoint);

/* It waits again, with its last checkpoint. */
status standing_put_back(store *s, int64_t serial);

/* One more failure: it waits again, or is set aside with the reason. */
status standing_strike(store *s, int64_t serial, const char *reason, bool *set_aside);

/* It is finished: with this record, or set aside with this reason. Fails DID_EFORMAT when the
 * record is another document's. */
status standing_finish(store *s, int64_t serial, const char *record, bool failed);
status standing_set_aside(store *s, int64_t serial, const char *reason);

/* Cancel what is unfinished of a job, all of it or one custom_id, but no more than `most` documents;
 * `out` is called for those that are with a world. */
status standing_cancel(store *s, int64_t job, const char *custom_id, int most, store_visit *out,
                       void *context, int *cancelled);

#endif
