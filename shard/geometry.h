/* geometry.h - the shape of a model, read from a Hugging Face config.json.
 *
 * Source: the configs of kuleshov-group/bd3lm-owt-* and mdlm-owt (diffusion models) and of gpt2 (the
 * autoregressive models that score their texts). After this page a model is what its fields say;
 * only the reader of its tensors still asks for the family. */
#ifndef DID_GEOMETRY_H
#define DID_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

typedef struct geometry {
    char family[16];      /* "bd3lm", "mdlm" or "gpt2" */
    int  d_model;         /* width of the residual stream */
    int  n_layers;
    int  n_heads;
    int  head_size;       /* d_model / n_heads, even */
    int  d_mlp;           /* 4 * d_model unless the file's intermediate_size says otherwise */
    int  d_cond;          /* width of the conditioning vector; may be 0 without adaln */
    int  vocab;           /* including the mask id */
    int  mask_id;         /* vocab - 1 unless mask_index or mask_token_id says otherwise; -1 for a
                             causal model, which has none */
    int  end_id;          /* <|endoftext|>: begins every document; bos_token_id and eos_token_id
                             give it; -1 where the file is silent */
    int  length;          /* trained context, tokens */
    int  block;           /* block size it was published for; `length` for mdlm, 1 for gpt2 */
    bool adaln;           /* conditioning of the norms; true where the file is silent */
    bool causal;          /* a token sees itself and what is before it: scores, cannot draft */
    bool rotary;          /* positions turn queries and keys; else a table of them is learned */
    bool biased;          /* the projections of attention have biases of their own */
} geometry;

/* Read DIR/config.json. Fails DID_EIO (no file) or DID_EFORMAT (not JSON, unknown model_type, a
 * missing or impossible value, a causal or time-conditioned network; the sentence names key, found
 * and expected). *g is written only on success. Local. */
status geometry_read(geometry *g, const char *dir);

/* The same from text in memory; `where` is named in sentences. Local. */
status geometry_parse(geometry *g, const char *text, size_t size, const char *where);

#endif
