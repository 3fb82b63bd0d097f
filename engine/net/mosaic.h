/* mosaic.h - a weight in blocks over a mesh of ranks, and its product with the rows of a pass.
 *
 * Source: PBLAS (SUMMA and its relatives) under ScaLAPACK's block-cyclic distribution. A weight
 * [n, k] is kept column-major: its outputs n in blocks over Q, its inputs k over P. One product
 * takes as many rows as a height says, P times m of them, zeros where there are fewer: psgemm picks
 * its way of working by the number of rows, and with it the order of its sums.
 *
 * The law of the kernels holds here too: the bits of a row do not depend on how many rows came with
 * it, nor on where it stands. OpenBLAS below PBLAS does not know this law: on some cores rows in
 * different places are summed in different orders, and with P > 1 some numbers of rows are summed by
 * other ranks than others. So places_find puts one row everywhere, in every height, and only places
 * that give it the same bits on all ranks are used afterwards, at the cost of the empty ones. */
#ifndef DID_MOSAIC_H
#define DID_MOSAIC_H

#include "arena.h"
#include "mesh.h"
#include "split.h"

enum { MOSAIC_HEIGHTS = 5 };

/* Rows for which one product of a mosaic is made, and the places in it that may hold one. */
typedef struct mosaic_height {
    int  m;         /* rows per row of the mesh, used or not */
    int  capacity;  /* places that may be used, of P * m */
    int *place;     /* [capacity] ascending; place / m is the row of the mesh */
    int *start;     /* [P + 1] the first of each row of the mesh in `place` */
} mosaic_height;

/* One shape of weight. Which features are whose on the side that the transformer sees split: of
 * each of `parts` equal parts the span [rank]. */
typedef struct mosaic {
    const mesh   *on;
    int           n, k;           /* outputs and inputs of the product */
    int           stored, first;  /* outputs the weight has, and where these begin among them */
    int           n_block, k_block;
    int           parts;
    span         *spans;          /* [ranks], within one part */
    int           most_mine;      /* features of the rank that has most of them */
    mosaic_height height[MOSAIC_HEIGHTS];
    int           n_heights;
} mosaic;

/* Floats of one rank's share of a weight [n, k]. Local. */
size_t mosaic_floats(const mesh *on, int n, int k);

/* Describe a weight [n, k] on `on`. `spans` (one per rank, within each of `parts` equal parts of the
 * outputs, or of the inputs) become the mosaic's. Heights are those worth trying for passes of up
 * to `rows` rows. Fails DID_ENOMEM. Local. */
status mosaic_init(mosaic *t, const mesh *on, int n, int k, int parts, const span *spans, int rows);

/* The same weight, but only outputs [first, first + n) of it, in `parts` parts. Local. */
status mosaic_view(mosaic *t, const mosaic *of, int first, int n, int parts, int rows);
void   mosaic_clear(mosaic *t);

/* Scratch of mosaic_in and mosaic_out for a weight with `mine` split features on this rank, for
 * passes of up to `rows` rows. Local. */
size_t mosaic_scratch_bytes(const mesh *on, int n, int k, int mine, int rows);

/* The product alone, for P * m rows in place: c[m, my n] = b[m, my k] W^T, where my k and my n are
 * those dealt to my column of the mesh, b and c row-major. Collective over the mesh. */
status mosaic_product(const mosaic *t, int m, float *c, const float *tiles, const float *b);

/* out[rows, mine] = in[rows, k] W^T + bias[mine]; `in` is whole on every rank, `out` holds my part
 * of the outputs; bias may be NULL. Collective over the mesh. */
status mosaic_in(float *out, const float *in, const mosaic *t, const float *tiles,
                 const float *bias, int rows, arena *scratch);

/* out[rows, n] = in[rows, mine] W^T; `in` holds my part of the inputs, `out` is whole, and the same
 * bits, on every rank. Collective over the mesh. */
status mosaic_out(float *out, const float *in, const mosaic *t, const float *tiles, int rows,
                  arena *scratch);

#endif
