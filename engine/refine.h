/* refine.h - stages whose block is the whole document: global bidirectional passes.
 *
 * Source: Diffusion in Diffusion (last stage, B = L); for documents longer than the refine window:
 * overlapping windows in order, each denoising the masked rows it is the first to hold. Nothing is
 * cached, nothing is masked out: every row of a window sees every other. Post-hoc confidence is
 * measured over the same windows. */
#ifndef DID_REFINE_H
#define DID_REFINE_H

#include "batch.h"
#include "document.h"
#include "rules.h"

/* Window `index` over `length` positions: rows [first, first + len), of which [fresh, first + len)
 * were in no earlier window. len is 0 past the last one. Local. */
typedef struct window {
    int first, len, fresh;
} window;
window refine_window(int length, int size, int index);

/* Enter the stage: go to the first window with a mask. Local. */
void refine_enter(document *d, const rules *by);

/* Add one probe of the current window. Returns rows added, 0 when it does not fit in `room`. Local. */
int refine_contribute(const document *d, const rules *by, batch *b, int room,
                      const segment **probe);

/* Place tokens, go to the next window with a mask when this one is done; returns tokens placed.
 * Local. */
int  refine_apply(document *d, const segment *probe, const batch *b, const rules *by);

/* Before a post-hoc remask: is there a window left whose confidences must be measured? While there
 * is, region counts measured windows. Local. */
bool refine_rescoring(const document *d, const rules *by);
int  refine_rescore_contribute(const document *d, const rules *by, batch *b, int room,
                               const segment **probe);
void refine_rescore_apply(document *d, const segment *probe, const batch *b);

#endif
