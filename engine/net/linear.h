/* linear.h - every product with a weight goes through here.
 *
 * Who calls has its input whole and takes its part of the output (linear_in), or has its part of the
 * input and takes the output whole (linear_out); how the weight lies over the ranks is not its
 * business. Split in one dimension, a weight is this rank's shard, [n, k]. In f32 it is row-major, and
 * rows are fed to the kernel in panels of heights that were proved to give each row the same bits
 * wherever it stands, padded with zero rows. In bf16 it is packed, and the kernel takes any number of
 * rows. Split in two dimensions, it is a mosaic (mosaic.h), in f32. */
#ifndef DID_LINEAR_H
#define DID_LINEAR_H

#include "arena.h"
#include "comm.h"
#include "kernels.h"
#include "mosaic.h"

typedef struct weight {
    const float   *data;    /* [n, k]; of a mosaic, its tiles; NULL in bf16 */
    const void    *packed;  /* NULL in f32 */
    const float   *bias;    /* [n] or NULL */
    int            n, k;    /* outputs and inputs on this rank; of a mosaic, as its caller sees them */
    const mosaic  *tiles;   /* NULL: split in one dimension */
    const struct shard *shards; /* NULL: whole on this rank; else its inputs in parts (shards.h), */
    int            n_shards;    /* and no data of its own */
    const kernels *kernels; /* bf16: whose columns it was packed with */
    panel          panel;
    bool           any_height;  /* panels need no padding */
    void (*product)(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                    int k);
} weight;

/* Choose kernel and panels for w->n, w->k. `scratch` as linear_panel wants it; unused in bf16.
 * Local. */
void linear_prepare(weight *w, const kernels *k, float *scratch);

/* out[rows, n] = what `e` makes of in[rows, k] W^T + bias, with k whole and n this rank's part. In
 * f32 `e` is EPILOGUE_STORE, and arrays are as linear_apply wants them; in bf16 as
 * linear_apply_narrow does. Collective over the mesh where the weight is a mosaic, else Local. */
status linear_in(void *out, void *in, const weight *w, int rows, epilogue e, arena *scratch);

/* out[rows, n] = the sum over ranks of in[rows, k] W^T, with n whole and k this rank's part: the same
 * bits on every rank. The sum is event `e` on the wire. Collective over row. */
status linear_out(float *out, void *in, const weight *w, int rows, arena *scratch, comm *row,
                  event e);

/* This rank's own product, of a weight split in one dimension: out[rows, n] = in[rows, k] W^T + bias
 * in f32. Both arrays have room for PANEL_MAX rows more than `rows`; those of `in` are overwritten
 * with zeros, those of `out` with anything. Local. */
void linear_apply(float *out, float *in, const weight *w, int rows);

/* The same in bf16: `in` is an operand of k, `out` what `e` makes of it (kernels.h), with `bias` in
 * place of the weight's own. Nothing is padded. Local. */
void linear_apply_narrow(void *out, const void *in, const weight *w, const float *bias, int rows,
                         epilogue e);

#endif
