/* scene.h - what a pass is made of: the segments of many documents at one moment of their lives.
 *
 * Tokens and cached keys are made up, different for every document, layer, head and position, and
 * the same on every rank that looks at the same head. */
#ifndef DID_SCENE_H
#define DID_SCENE_H

#include "batch.h"
#include "kvcache.h"
#include "model.h"

typedef enum {
    SCENE_DRAFT,  /* a PROBE of the block being drafted, in which one row is drawn */
    SCENE_FUSED,  /* a COMMIT of the block before it and its first PROBE */
    SCENE_COMMIT, /* the COMMIT alone */
    SCENE_REFINE  /* a PROBE of the whole document */
} scene_kind;

typedef struct scene {
    scene_kind      kind;
    const geometry *geometry;
    int             documents; /* document d has cache slot d */
    int             context;   /* positions of the document, the block being drafted included */
    int             block;     /* context holds two of them at least; not for REFINE */
    int             wanted;    /* rows of a REFINE that are drawn */
    int             seed;
    int32_t        *scratch; /* [context], for scene_put */
} scene;

const char *scene_name(scene_kind kind);

/* Rows and asks of one document. Local. */
int scene_rows(const scene *s);
int scene_asks(const scene *s);

/* Append document `d` to a pass. Local. */
void scene_put(batch *b, const scene *s, int d);

/* The first position that the scene's pass itself brings; what is before it is cached. Local. */
int scene_cached(const scene *s);

/* Put document d's cached keys and values into slot `slot`, from position `from` on, and
 * not-a-number into what is not cached. Fails DID_ENOMEM. Local. */
status scene_fill(const scene *s, int d, int from, const kvcache *c, int slot, const model *m,
                  const kernels *k);

/* What a pass of all documents asks of one rank. Bytes: weights and cache, each read once. */
typedef struct scene_cost {
    double flops, bytes;
} scene_cost;

scene_cost scene_work(const scene *s, const model *split);

#endif
