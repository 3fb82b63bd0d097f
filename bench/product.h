/* product.h - an exercise: rows times a weight, through engine/net's front door for products.
 *
 * Whatever panels and padding a kernel set needs are part of the price; in bf16, making an operand of
 * the rows is not, for a pass does that where they arise. The weights of successive
 * calls are different copies, so that they come from as far away as those of a pass's layers do. */
#ifndef DID_PRODUCT_H
#define DID_PRODUCT_H

#include "exercise.h"

typedef struct product_shape {
    const char *name; /* "qkv" */
    int         n, k;
    bool        bias;
} product_shape;

/* Copies of the weight fill `rotate_bytes`, or are one. Fails DID_ENOMEM; x is then closed.
 * Local. */
status product_open(exercise *x, const kernels *k, const product_shape *shape, int rows,
                    size_t rotate_bytes, int seed);

/* From here on a call is of the first `rows` rows, no more than it was opened with. Local. */
void product_rows(exercise *x, int rows);

#endif
