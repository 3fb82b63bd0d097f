/* loader.h - reading one rank's shards of a checkpoint into a model's place.
 *
 * What the families share: norms folded into the weights behind them, gates into those before them,
 * slices by heads and columns, blocks on a mesh, and matrices stored the other way round. bd3 and
 * gpt2 say which tensor goes where. */
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
    bool              agreed;  /* on a mesh: all ranks know already that loading failed */
} loader;

/* Where a weight stands in the checkpoint, and which part of it this rank's part of the transformer
 * asks for. */
typedef struct source {
    const tensor *matrix;      /* [n, k]; [k, n] where transposed */
    const tensor *bias;        /* [n] or NULL */
    bool          transposed;
    int           n, k;        /* of the whole weight */
    int           parts;       /* equal parts of the outputs */
    span          mine;        /* of each part of the outputs, or of the inputs */
} source;

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

/* into[rows, cols] = rows and columns of a matrix as `s` describes it. Local. */
status loader_matrix(const loader *ld, const source *s, int row0, int rows, int col0, int cols,
                     float *into);

/* The embedding's rows, as stored. Local. */
status loader_rows(const loader *ld, const tensor *t, span rows, int cols, const float *into);

/* Take ld->scale and ld->shift as the affine part of a norm: kept for folding, or written to `a` when
 * nothing is folded. Local. */
void loader_norm(const loader *ld, const affine *a, int d);

/* Outputs [row0, row0 + rows) of a weight behind a norm, w[rows, k], read already: their biases,
 * with the norm folded into both, go to `bias`, which may be NULL. Local. */
status loader_fold(loader *ld, float *w, const source *s, int row0, int rows, const float *bias);

/* A weight that reads the norm: my part of its outputs, folded, packed in bf16. On a mesh
 * Collective. */
status loader_input(loader *ld, const weight *w, const source *s);

/* The same of a layer's Q, K and V, whichever weights they belong to. On a mesh Collective. */
status loader_projection(loader *ld, model *m, int layer, const source *s);

/* A weight that adds to the residual stream: my part of its inputs, every output times its `gate`
 * where conditioning is folded; NULL for none. On a mesh Collective. */
status loader_output(loader *ld, const weight *w, const source *s, const double *gate);

/* The loader writes where the model only reads. */
static inline float *loader_own(const float *p)
{
    return (float *)(uintptr_t)p;
}

/* Fill a carved model. Local. */
status bd3_load(loader *ld, model *m);
status gpt2_load(loader *ld, model *m);

#endif
