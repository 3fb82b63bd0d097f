/* remask.h - which tokens of a finished stage are reopened for the next.
 *
 * Source: Diffusion in Diffusion, snapshot confidence remasking: the least confident share of the
 * free positions of the whole document is masked again. Pure arithmetic on arrays; it never looks at
 * the network. */
#ifndef DID_REMASK_H
#define DID_REMASK_H

#include "document.h"
#include "rules.h"

/* How many of `eligible` positions a share reopens: rounded in f64, halves to even. Local. */
int remask_count(double share, int eligible);

/* Mark the `count` free positions of the smallest keys in masked[len]; equal keys reopen the lower
 * position first. key[i].position must be i's position for every free one; `n` of them, reordered.
 * Local. */
void remask_smallest(bool *masked, ranked *key, int n, int count);

/* Reopen positions of `d` by the policy of the stage it stands before: the lowest snapshots (post-hoc
 * confidences have taken their place by then) or a random choice. Local. */
void remask_document(document *d, const rules *by);

#endif
