/* geometry.h - the shape of a model, read from a Hugging Face config.json.
 *
 * Source: the configs of kuleshov-group/bd3lm-owt-* and mdlm-owt. Nothing after this page knows a
 * family's name. */
#ifndef DID_GEOMETRY_H
#define DID_GEOMETRY_H

#include <stdbool.h>

#include "status.h"

typedef struct geometry {
    char family[16];      /* "bd3lm" or "mdlm", for the log only */
    int  d_model;         /* width of the residual stream */
    int  n_layers;
    int  n_heads;
    int  head_size;       /* d_model / n_heads, even */
    int  d_mlp;           /* 4 * d_model unless the file says otherwise */
    int  d_cond;          /* width of the conditioning vector */
    int  vocab;           /* including the mask id */
    int  mask_id;         /* vocab - 1 unless the file says otherwise */
    int  end_id;          /* <|endoftext|>: begins every document; -1 where the file is silent */
    int  length;          /* trained context, tokens */
    int  block;           /* block size it was published for; `length` for mdlm */
    bool adaln;           /* conditioning of the norms; true where the file is silent */
} geometry;

/* Read DIR/config.json. Fails DID_EIO (no file) or DID_EFORMAT (not JSON, unknown model_type, a
 * missing or impossible value; the sentence names key, found and expected). Local. */
status geometry_read(geometry *g, const char *dir);

/* The same from text in memory; `where` is named in sentences. Local. */
status geometry_parse(geometry *g, const char *text, size_t size, const char *where);

#endif
