/* score.h - how probable a finished text is: to a causal model, token by token, or to a diffusion
 * model, as a bound.
 *
 * Source: generative perplexity as BD3-LM's evaluation computes it (windows of the scorer's positions,
 * stride of half a window, every row scored once); the NELBO of MDLM and BD3-LM with the log-linear
 * schedule (weight 1/t; clean blocks cached beside noisy ones). Measuring changes no token: it fills
 * the document's nll. */
#ifndef DID_SCORE_H
#define DID_SCORE_H

#include "batch.h"
#include "document.h"
#include "rules.h"

/* What a measuring stage has added to the pass, to be matched with the answers. */
typedef struct score_part {
    int first_ask, n_asks;
    int next;  /* the document's `step` afterwards */
} score_part;

/* Begin measuring. Local. */
void score_enter(document *d);

/* Can a document of this length be measured at once? When not, it has failed and its reason says why.
 * Local. */
bool score_fits(document *d, const rules *by);

/* Is there anything left to measure? Local. */
bool score_pending(const document *d, const rules *by);

/* Add the next rows, at most `room`; returns how many, *committed as in draft_contribute. Local. */
int score_contribute(const document *d, const rules *by, batch *b, int room, int *committed,
                     score_part *part);

/* Take the answers. Local. */
void score_apply(document *d, const batch *b, const score_part *part, const rules *by);

/* Scored window `index` of n tokens for a scorer of `size` positions: tokens [first, first + len), of
 * which those from `fresh` on were in no earlier window. len is 0 past the last. Local. */
typedef struct score_window {
    int first, len, fresh;
} score_window;
score_window score_window_at(int n, int size, int index);

#endif
