/* refine.h - stages whose block is the whole document: global bidirectional passes.
 *
 * Source: Diffusion in Diffusion (last stage, B = L); for documents longer than the refine window:
 * overlapping windows in order, each denoising the masked rows it is the first to hold. Nothing is
 * cached, nothing is masked out: every row of a window sees every other. Post-hoc confidence is
 * measured over the same windows.
 *
 * A stage with `cache` = N is an approximation in the manner of Fast-dLLM: the first pass of a window
 * and every N-th after it evaluate all rows and leave their keys and values in the document's slot;
 * the passes between evaluate the rows that were masked then, masked still or not, and see the others
 * as they were. What a pass gives depends on the tokens of now and of the last full pass alone, both
 * known to the document, so a document taken up again evaluates that pass anew, keeps its keys and
 * values, and goes on with the same bytes. N = 1 is exact. */
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

/* Can the slot hold what the cached stage that `d` stands before leaves in it? When not, the document
 * has failed and its reason says why. Local. */
bool refine_fits(document *d, const rules *by);

/* Add one probe of the current window, or what a cached stage has to do again before it can go on,
 * and then *probe is NULL. Returns rows added, 0 when it does not fit in `room`. *committed becomes
 * the end of the window whose keys and values the slot then holds. Local. */
int refine_contribute(const document *d, const rules *by, batch *b, int room, int *committed,
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
