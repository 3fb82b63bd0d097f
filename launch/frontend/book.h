/* book.h - where a desk's documents are written down, and what has become of each.
 *
 * A desk hands documents out and takes them in; what they are, and where they are kept, its book
 * knows. There are two: the state file of a service (service/archive.h), and the ledger of a
 * `did generate`, which keeps state file and output in step (ledger.h, frontend.c). What changes
 * between two commits is permanent together. */
#ifndef DID_BOOK_H
#define DID_BOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "store.h"

/* A document on its way to a leader. The texts are malloc'ed. */
typedef struct book_loan {
    int64_t serial, epoch; /* both at least 1; serial 0: nothing waits */
    int     sample;
    bool    suspect;     /* it was in the hands of leaders that were lost */
    char   *order;       /* what is to be done, as the leader reads it */
    char   *checkpoint;  /* NULL: from the start */
} book_loan;

typedef struct book {
    void *context; /* of all that follows */

    /* The next document, out with a new epoch. A checkpoint goes along where the leader with this
     * signature may go on with it. `suspects`: even one that others were lost with. */
    status (*lend)(void *context, const char *signature, bool suspects, book_loan *out);
    int64_t (*waiting)(void *context); /* documents that may be lent */

    /* Where one stands; *epoch is 0 for one that is not known. */
    status (*look)(void *context, int64_t serial, store_state *state, int64_t *epoch);

    /* Of one that is out: a checkpoint, made in a stage that drafts or refines; it waits again; it
     * waits again after its leader was lost, or is set aside. */
    status (*save)(void *context, int64_t serial, bool refining, const char *signature,
                   const char *checkpoint);
    status (*put_back)(void *context, int64_t serial);
    status (*strike)(void *context, int64_t serial, bool *aside);

    /* It is finished: `text` is what the leader made of it, `body` what it says beside. Fails
     * DID_EFORMAT when that cannot be. */
    status (*finish)(void *context, int64_t serial, const char *text, const json_t *body);

    /* Nobody can carry it out, for this reason. */
    status (*set_aside)(void *context, int64_t serial, const char *reason);

    status (*each_out)(void *context, store_visit *visit, void *to); /* that are out now */
    status (*commit)(void *context);

    /* May documents wait later that do not now, whatever anybody submits? NULL: no. */
    bool (*more_later)(void *context);
} book;

#endif
