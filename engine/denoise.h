/* denoise.h - one denoising step of one region: which masks become tokens, and with what confidence.
 *
 * Source: first-hitting (Zheng et al.; BD3-LM), ancestral sampling with cached predictions (MDLM,
 * BD3-LM), the quota sampler of few-step refinement, and confidence thresholds (Fast-dLLM). A region
 * is a draft block or the part of a refine window that no earlier window held. The position is chosen
 * before the pass wherever the sampler allows it, so that only rows that will be drawn cost a
 * vocabulary head; where the answers choose, a draw that was not placed is forgotten and made again
 * with the same uniform number (but see drawn).
 *
 * A quota may place the surest first: by the probability of a position's most probable token
 * (confident), or by that of the token drawn for it (drawn). In the second every step draws anew for
 * those that wait, with another number, so a position has as many chances as steps to be placed with
 * a probable token; that sharpens the text far more.
 *
 * The threshold sampler draws for every masked position and places all draws whose token the model
 * gives at least the threshold (untempered, before the nucleus is cut); where there is none, the one
 * of the largest probability, the lower position of equals. So a step places at least one.
 *
 * The snapshot is the model's own probability of the token at the moment it is placed; it is never
 * recomputed. */
#ifndef DID_DENOISE_H
#define DID_DENOISE_H

#include "batch.h"
#include "document.h"
#include "rules.h"

/* How many masks step `step` of `steps` turns into tokens when `remaining` are left. Local. */
int denoise_quota(int remaining, int step, int steps);

/* The step at which ancestral sampling reveals a position: uniform on 0 .. steps - 1. Local. */
int denoise_reveal_step(const document *d, int position, int steps);

/* Ask, in the newest segment of `b`, about the rows the next step of region [first, first + len)
 * needs. There is at least one masked position in the region. Local. */
void denoise_ask(const document *d, int first, int len, batch *b, const rules *by);

/* Are the answers to segment `s` numbers? When one is not, the document has failed and its reason
 * names the place. Local. */
bool denoise_sound(document *d, const segment *s, const batch *b);

/* Place tokens from the answers to segment `s`, as the sampler decides; returns how many. Local. */
int denoise_apply(document *d, const segment *s, const batch *b, const rules *by);

#endif
