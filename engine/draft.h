/* draft.h - stages with blocks smaller than the document: the draft and intermediate refinements.
 *
 * Source: BD3-LM semi-autoregressive sampling. Blocks go left to right; a block sees the keys and
 * values that earlier blocks left when they were committed, clean, and its own rows. The commit of a
 * finished block rides in the pass that begins the next one. What is committed is derived from the
 * document, so a prompt, a stage that begins in the middle and a document taken up again after a kill
 * are all the same: everything before the current block that the slot does not hold yet is committed
 * first, in order, each block with the window it had. */
#ifndef DID_DRAFT_H
#define DID_DRAFT_H

#include "batch.h"
#include "document.h"
#include "rules.h"

/* Enter the stage: go to the first block with a mask and count the commits before it. Local. */
void draft_enter(document *d);

/* Add what the document needs next to the pass: pending commits and, when all of them fit, a probe of
 * the current block. At most `room` rows. Returns rows added; 0 when not even the first piece fits.
 * *committed becomes what the slot holds after the pass, *probe the probe or NULL. Local. */
int draft_contribute(const document *d, const rules *by, batch *b, int room, int *committed,
                     const segment **probe);

/* The probe's answers are in: place tokens; when that finishes the block, apply the entropy filter or
 * the variable-length rule and go to the next block with a mask. Returns tokens placed. Local. */
int draft_apply(document *d, const segment *probe, const batch *b, const rules *by);

#endif
