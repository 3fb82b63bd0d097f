/* document.h - one document on its way through the stages.
 *
 * A document walks through the house once: given tokens, draft, remask, refine, finished. Position 0
 * is the token E, counts in the length and is never reopened. Each field names its writer.
 *
 * What is here is also the whole of a checkpoint: a document put down after any pass and taken up
 * elsewhere goes on with the same bytes. */
#ifndef DID_DOCUMENT_H
#define DID_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "stage.h"
#include "status.h"

/* One token drawn: enough, with the checkpoint, to recompute the draw from outside. */
typedef struct draw {
    int     stage;     /* 0 = draft */
    int     step;      /* the document's own step number in that stage, from 0; tokens of one step
                          saw the same state */
    int     position;
    int32_t token;
    int32_t replaced;  /* the token that remasking took away; -1 in a draft */
    float   snapshot;
} draw;

/* What a stage has cost this document. */
typedef struct cost {
    int nfe;       /* passes that turned at least one mask into a token */
    int commits;   /* segments that wrote a finished block's keys and values */
    int rescored;  /* windows that were only measured: post-hoc confidence, a score; draws of a bound */
    int reopened;  /* positions that remasking reset */
    int changed;   /* positions whose token differs from the one the stage found */
    int64_t rows;  /* positions evaluated in all of these */
} cost;

typedef enum {
    FINISH_NONE,     /* still on its way */
    FINISH_LENGTH,   /* all positions filled */
    FINISH_END,      /* variable length: E was drawn */
    FINISH_ENTROPY,  /* variable length: the text began to repeat itself and was cut */
    FINISH_REJECTED, /* every attempt was rejected by the entropy filter */
    FINISH_FAILED    /* something broke; see `reason` */
} finish;

/* The filter of ALGORITHM "draft stage driver": a draft whose last `window` tokens have less unigram
 * entropy than `nats` is thrown away and begun again, at most `restarts` times. */
typedef struct reject_rule {
    bool   on;
    int    window;
    double nats;
    int    restarts;
} reject_rule;

typedef struct document {
    /* Written by the caller before it is handed to the engine. */
    int64_t     serial;           /* the caller's own number; the engine only hands it back */
    uint64_t    key;              /* of every random draw; a function of seed, id and sample */
    int         n_stages;
    stage       stage[STAGES_MAX];
    bool        variable_length;
    reject_rule reject;
    bool        traced;           /* keep draws and drafts */

    /* Written by document_open, then by draft, remask and denoise. */
    int      length;     /* positions now; variable length shrinks it */
    int      capacity;   /* positions asked for */
    int32_t *token;      /* [capacity] the mask id where masked */
    float   *snapshot;   /* [capacity] probability when drawn; INFINITY where given */
    bool    *masked;     /* [capacity] */
    bool    *given;      /* [capacity] prompt, infilling, E: never reopened */
    int32_t *before;     /* [capacity] the tokens this stage found */
    bool    *loose;      /* [capacity] cached refinement: masked when all was last evaluated */
    float   *nll;        /* [capacity] nats, by a measuring stage; NAN where nothing was measured;
                            NULL unless document_reserve saw such a stage */

    /* Where it stands. */
    int    attempt;      /* rejections so far */
    int    at;           /* current stage; n_stages when finished */
    bool   entered;      /* remasking of the current stage is done */
    int    region;       /* current block (block < length) or window */
    int    step;         /* denoising steps taken in this region (quota) */
    finish finish;
    char   reason[200];  /* of FINISH_FAILED */

    /* What came of it. */
    cost     cost[STAGES_MAX];
    int      rejected_nfe;      /* spent on drafts that were thrown away */
    draw    *draws;             /* traced: in the order they were drawn, final attempt */
    int      n_draws, draws_max;
    int32_t *left[STAGES_MAX];  /* traced: the tokens each finished stage left, [left_length[k]] */
    int      left_length[STAGES_MAX];

    /* Its share, by rows, of the time that the passes of each stage took on this row. Not part of a
     * checkpoint: whoever takes a document up again, and does not know, writes NAN. */
    double seconds[STAGES_MAX];

    /* The engine's own, meaningless outside and not part of a checkpoint. */
    int slot;       /* cache slot */
    int committed;  /* positions whose keys and values are in the slot */
} document;

/* A document of `capacity` positions. given[capacity] holds a token id where the caller fixes one and
 * -1 where the engine is to fill; given[0] must be a token (E). Settings are copied in afterwards by
 * the caller. Fails DID_ENOMEM. Local. */
status document_open(document **out, int capacity, const int32_t *given, int32_t mask_id);

/* Give it back; closes and sets NULL. Local. */
void document_close(document **d);

/* Room for the trace and for measurements; after the settings are in. Fails DID_ENOMEM. Local. */
status document_reserve(document *d);

/* Back to the state document_open left, for another attempt: attempt grows by one. Local. */
void document_restart(document *d, int32_t mask_id);

/* Begin where `source`, a finished document with all its tokens, has ended: its stages are the first
 * of d's, or all of them, its key and what was given are d's as well, so d goes on as if it had gone through them by
 * itself. `d` is as document_open and document_reserve left it, both are traced or neither. What
 * `source` has measured is not taken over. Local. */
void document_follow(document *d, const document *source);

/* How many positions of [first, first + len) are masked. Local. */
int document_masked(const document *d, int first, int len);

/* Unigram entropy, in nats, of n tokens. `counts` is scratch of `vocab` zeros, left as zeros. Local. */
double document_entropy(const int32_t *token, int n, int *counts);

#endif
