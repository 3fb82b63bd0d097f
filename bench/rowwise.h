/* rowwise.h - exercises: the operations that go through rows once, or through one long row. */
#ifndef DID_ROWWISE_H
#define DID_ROWWISE_H

#include "exercise.h"

/* What of a model the operations need. */
typedef struct rowwise_shape {
    int d_model, d_mlp, head_size, vocab;
} rowwise_shape;

int         rowwise_count(void);
const char *rowwise_name(int i);
bool rowwise_takes_rows(int i); /* max and exponentials go through one row of the vocabulary */

/* Operation `i`, 0 .. count - 1. Fails DID_ENOMEM; x is then closed. Local. */
status rowwise_open(exercise *x, const kernels *k, int i, const rowwise_shape *shape, int rows,
                    int seed);

#endif
