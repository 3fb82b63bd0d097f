/* stand.h - a model, its cache and its workspace on a row of ranks, without documents or schedules:
 * passes are put together by hand. */
#ifndef DID_STAND_H
#define DID_STAND_H

#include "batch.h"
#include "forward.h"
#include "grid.h"

typedef struct stand {
    model         model;
    kvcache       cache;
    arena         memory, batch_memory;
    batch         batch;
    timing        timing;
    forward_place place;
} stand;

typedef struct stand_size {
    int rows;   /* of the largest pass */
    int slots;  /* of the cache */
    int length; /* positions of the longest document */
    bool fixed; /* cut and added as in a reproducible run */
} stand_size;

/* Bytes of the first rank's stand, which are the most. Local. */
size_t stand_bytes(const geometry *g, int tp, precision p, const stand_size *size);

/* Load this rank's part of the model in `dir`. Fails like model_open. Local; the ranks of the row
 * agree, and then reserve stand_sum_floats for their sums. */
status stand_open(stand *s, const char *dir, const geometry *g, const grid *on, const kernels *k,
                  const stand_size *size);
void   stand_close(stand *s);

size_t stand_sum_floats(const stand *s, const stand_size *size);

/* A place like s->place for a model of the last `layers` layers alone, which borrows s's. Local. */
forward_place stand_shallow(model *m, const stand *s, int layers);

#endif
