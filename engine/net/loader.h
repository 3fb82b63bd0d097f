/* loader.h - reading one rank's shards of a checkpoint into a model's place.
 *
 * What the families share: norms folded into the weights behind them, slices by heads and columns,
 * and matrices stored the other way round. bd3 and gpt2 say which tensor goes where. */
#ifndef DID_LOADER_H
#define DID_LOADER_H

#include "checkpoint.h"
#include "model.h"

typedef struct loader {
    const checkpoint *ck;
    double           *c;      /* [d_cond] the conditioning vector */
    double           *mod;    /* [6 * d_model] modulation of one layer */
    double           *scale;  /* [d_model] of the norm in front of the weight being loaded */
    double           *shift;  /* [d_model] */
    double           *bias;   /* [longest bias] */
    float            *row;    /* [longest bias] */
    float            *stage;  /* where rows wait to be packed; NULL in f32 */
    int               columns; /* of a panel they are packed into */
    bool              folded;
} loader;

/* Rows [row, row + rows) and columns [col, col + cols) of a tensor stored [out, in], or [in, out]
 * where `transposed`. */
typedef struct slab {
    const tensor *of;
    int           row, rows, col, cols;
    bool          transposed;
} slab;

/* Scratch for loading `m` from `ck` for the set `k`. Fails DID_ENOMEM. Local. */
status loader_open(loader *ld, const model *m, const checkpoint *ck, bool folded, const kernels *k);
void   loader_close(loader *ld);

/* The tensor "prefix.name"; the manifest has been checked. Local, borrowed. */
const tensor *loader_find(const loader *ld, const char *prefix, const char *name);

/* A vector as f64: out[n] = values [first, first + n) of `t`. Local. */
status loader_vector(loader *ld, const tensor *t, int first, int n, double *out);

/* The same as f32, into the model's memory. Local. */
status loader_array(const loader *ld, const tensor *t, int first, int n, const float *into);
void   loader_narrow(const float *into, const double *from, int n);

/* into[rows, cols] from rows and columns of `t`, as stored [out, in]. Local. */
status loader_matrix(const loader *ld, const tensor *t, int row0, int rows, int col0, int cols,
                     const float *into);

/* Take ld->scale and ld->shift as the affine part of a norm: kept for folding, or written to `a` when
 * nothing is folded. Local. */
void loader_norm(const loader *ld, const affine *a, int d);

/* Rows [at, at + s.rows) of a weight that reads that norm: folded in, packed in bf16, and their bias
 * from `bias` (may be NULL) at `first`. Local. */
status loader_input_side(loader *ld, weight *w, int at, slab s, const tensor *bias, int first);

/* All rows of a weight that writes to the residual stream, times `gate` where that is folded in.
 * Local. */
status loader_output_side(loader *ld, weight *w, slab s, const double *gate);

/* The loader writes where the model only reads. */
static inline float *loader_own(const float *p)
{
    return (float *)(uintptr_t)p;
}

/* Fill a carved model. Local. */
status bd3_load(loader *ld, model *m);
status gpt2_load(loader *ld, model *m);

#endif
