/* model.h - one checkpoint on one rank of a row: its shards, folded and ready.
 *
 * Source: BD3-LM, MDLM and GPT-2 checkpoints (names and shapes of the published safetensors). The
 * conditioning vector of the diffusion models is a constant of the checkpoint, so norms, shifts and
 * gates fold into the weights (in f64); the unfolded form is kept for checking the fold.
 *
 * Heads, MLP columns and vocabulary are split over the row. On a mesh the weights are not split with
 * them, but lie in blocks over all its ranks (mosaic.h). */
#ifndef DID_MODEL_H
#define DID_MODEL_H

#include <stdint.h>

#include "arena.h"
#include "checkpoint.h"
#include "geometry.h"
#include "kvcache.h"
#include "linear.h"
#include "mosaic.h"
#include "split.h"
#include "vocabulary.h"

/* An affine change of a normalised row; NULL members do nothing. */
typedef struct affine {
    const float *scale, *shift;  /* [d_model] */
} affine;

typedef struct layer_weights {
    affine       norm1, norm2;
    weight       qkv;    /* [3 * mine, d_model]: Q of my heads, K of my heads, V of my heads */
    weight       out;    /* [d_model, mine] */
    weight       up;     /* [my columns, d_model] */
    weight       down;   /* [d_model, my columns], bias kept apart: it is added after the sum */
    const float *gate1, *gate2;  /* [d_model] or NULL */
    const float *down_bias;      /* [d_model] */
    const float *out_bias;       /* [d_model] or NULL; added after the sum too */
} layer_weights;

/* Rows whose logits exist at one time. */
enum { HEAD_ROWS = PANEL_MAX };

/* The shapes a weight can have: each is one mosaic, where there is a mesh. */
enum { TILES_QKV, TILES_OUT, TILES_UP, TILES_DOWN, TILES_HEAD, TILES_LAST_Q, TILES_LAST_KV, TILES };

typedef struct model {
    geometry     geometry;
    precision    precision;  /* of the weights; embeddings, norms and biases are f32 always */
    uint64_t     hash;       /* of the checkpoint's content */
    span         held;       /* my layers: all of them, unless model_deepen */
    span         heads, mlp, vocab;  /* my parts */
    kvshape      kv;
    const float *embedding;  /* [vocab.len, d_model]; with the first layer, else NULL */
    const float *positions;  /* [length, d_model] where positions are learned, and with the first
                              * layer, else NULL */
    layer_weights *layers;   /* [n_layers], empty where they are not held */
    weight       last_q, last_kv;  /* the last layer's qkv in two, for wanted rows and for all; in bf16
                                    * they stand in place of the whole */
    affine       norm_final;
    weight       head;       /* [vocab.len, d_model]; it and what is named last with the last layer */
    double      *inv_freq;   /* [head_size / 2] */
    int          first_shard, shards; /* those of SHARDS that are mine; none: no reproducible run */
    const mesh  *mesh;      /* NULL: weights are split in one dimension, with heads and columns */
    mosaic       tiles[TILES];
    arena        memory;
} model;

/* My parts of a model on rank `r` of `size`, in f32. Local. */
void model_split(model *m, const geometry *g, int r, int size);

/* The same for a reproducible run: `size` divides SHARDS (shards.h). Local. */
void model_split_fixed(model *m, const geometry *g, int r, int size);

/* Hold only the layers of depth `depth` of `depths`, at most as many as there are layers, of a split
 * model, shared out as if the last of all cost `last` others (strata.h); the embedding goes with the
 * first of all layers, the head with the last. Local. */
void model_deepen(model *m, int depth, int depths, double last);

/* Is the first, the last of all layers mine? Local. */
bool model_begins(const model *m);
bool model_ends(const model *m);

/* Have a split model's weights and cache in this precision. Local. */
void model_choose(model *m, precision p);

/* My words as sums over the vocabulary take them. Local. */
slices model_slices(const model *m);

/* Where one third (Q, K, V) of a layer's projection belongs: a weight, and its row *at in it.
 * Local. */
weight *model_third(model *m, int layer, int third, int *at);

/* The same on a mesh, for its rank. `on` is borrowed. Local. */
void model_split_mesh(model *m, const geometry *g, const mesh *on);

/* Scratch for the products of a pass of up to `rows` rows. Local. */
size_t model_scratch_bytes(const model *split, int rows);

/* What BLAS, PBLAS and BLACS take for themselves to multiply on a mesh; 0 without one. An estimate.
 * Local. */
size_t model_library_bytes(const model *split);

/* Bytes that model_open will take for them; *embedding says how many of those are the input table.
 * Local. */
size_t model_bytes(const model *split, bool folded, size_t *embedding);

/* Load rank `r` of `size`'s part of the checkpoint in `dir`, in the precision of `k`. Every missing,
 * extra or wrongly shaped tensor is a DID_EFORMAT that names it, found and expected. Local: ranks
 * agree afterwards. */
status model_open(model *m, const char *dir, const geometry *g, int r, int size, bool folded,
                  const kernels *k);

/* The same for a model that is split already, in whichever way; one split by fixed parts wants kernels
 * that take panels of any height. Local. */
status model_open_split(model *m, const char *dir, bool folded, const kernels *k);

/* The same on a mesh, in f32, for passes of up to `rows` rows. All ranks read panels of rows, and
 * blocks move to their place; which rows of a product may be used is found out by trying (places.h). Every rank gets
 * the same status. Collective over the mesh. */
status model_open_mesh(model *m, const char *dir, const geometry *g, const mesh *on, bool folded,
                       int rows);
void   model_close(model *m);

#endif
