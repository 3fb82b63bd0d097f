/* stage.h - how one stage of a document is run: the draft (k = 0), a refinement, or a measurement of
 * what the stages before have left.
 *
 * Source: Diffusion in Diffusion (block size and remask share per stage); BD3-LM (first-hitting and
 * ancestral samplers, nucleus rule); Fast-dLLM (threshold sampler). */
#ifndef DID_STAGE_H
#define DID_STAGE_H

#include <stdbool.h>

enum { STAGES_MAX = 8 };
enum { STAGE_BLOCK_WHOLE = 0 };  /* block = the document's length */

typedef enum { SAMPLER_FHS, SAMPLER_ANCESTRAL, SAMPLER_QUOTA, SAMPLER_THRESHOLD } sampler;
typedef enum { ORDER_RANDOM, ORDER_LEFT, ORDER_CONFIDENT, ORDER_DRAWN } order; /* quota only */
typedef enum { POLICY_LOWEST, POLICY_RANDOM, POLICY_POSTHOC } policy;      /* what is reopened */
typedef enum { CONFIDENCE_RAW, CONFIDENCE_NUCLEUS } confidence;
typedef enum { NUCLEUS_EXCLUSIVE, NUCLEUS_INCLUSIVE } nucleus_rule;

/* What a stage does. Measurements change no token; they fill the document's `nll`. A found stage
 * stands for the text that a document begins with: it is over before the document is taken up. */
typedef enum {
    WORK_DENOISE, /* draft or refine */
    WORK_SCORE,   /* -log p of every token given those before it, by a causal model */
    WORK_BOUND,   /* the diffusion model's own bound on it, averaged over `steps` noise draws */
    WORK_FOUND    /* somebody else wrote it */
} stage_work;

typedef struct stage {
    stage_work   work;
    int          model;        /* weight handle: index into the engine's models */
    int          block;        /* tokens, or STAGE_BLOCK_WHOLE */
    double       remask;       /* share of the free positions reopened, in [0, 1]; draft: ignored */
    policy       policy;
    sampler      sampler;
    int          steps;        /* ancestral, quota: denoising steps per block or window */
    double       threshold;    /* threshold: probability in (0, 1] that a drawn token must have */
    order        order;
    double       nucleus;      /* in (0, 1]; 1 keeps everything */
    nucleus_rule rule;
    double       temperature;  /* 0 = the most probable token */
    confidence   confidence;   /* which probability the snapshot records */
    int          cache;        /* global refinement: passes from one evaluation of all positions to
                                  the next; in between only those that were masked at the last are
                                  evaluated. 0: every pass evaluates all and stores nothing */
} stage;

static inline bool stage_measures(const stage *s)
{
    return s->work == WORK_SCORE || s->work == WORK_BOUND;
}

/* The stage's block size for a document of `length` positions. Local. */
static inline int stage_block(const stage *s, int length)
{
    return s->block == STAGE_BLOCK_WHOLE || s->block > length ? length : s->block;
}

#endif
