/* heritage.h - what a document leaves to those that go on from it.
 *
 * Where several requests begin alike, what they have in common may be made once, by a document that
 * nobody asked for. What it ended with is kept in the state file in place of a record: its parcel,
 * with everything that those after it need, and its name. They begin with a checkpoint made of it,
 * and become what they would have become alone (document_follow). */
#ifndef DID_HERITAGE_H
#define DID_HERITAGE_H

#include <stdbool.h>

#include "document.h"
#include "parcel.h"
#include "request.h"
#include "status.h"

/* What the finished document `d`, made for `r`, leaves: one line, malloc'ed. Fails DID_EINVAL when a
 * snapshot is no number, DID_ENOMEM. Local. */
status heritage_leave(char **line, const document *d, const request *r);

/* Is this what a document left, rather than a record? Local. */
bool heritage_is(const char *line);

/* The checkpoint with which `to` begins, of what `from` has left; malloc'ed. NULL when `from` came to
 * no text: `to` then begins by itself, and comes to as much. Fails DID_EFORMAT, DID_ENOMEM.
 * Local. */
status heritage_take(char **checkpoint, const char *line, const request *from, const request *to,
                     const parcel_rules *rules);

#endif
