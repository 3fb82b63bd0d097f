/* cut.h - when a draft is over before its time: variable length, and the entropy filter.
 *
 * Source: BD3-LM's sampler. In variable-length mode a text ends at the second E, or where its last
 * stretch repeats itself; with a fixed length a draft that repeats itself is thrown away and begun
 * again. Both look after a block is finished, once there is more than one stretch. */
#ifndef DID_CUT_H
#define DID_CUT_H

#include "document.h"
#include "rules.h"

/* Positions [0, end) of the draft are filled: end the document there, begin it anew, or do nothing.
 * False when the draft was thrown away, for another attempt or for good. Local. */
bool cut_draft(document *d, int end, const rules *by);

#endif
