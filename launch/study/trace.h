/* trace.h - a line of output of `did generate`, taken apart for people to look at.
 *
 * Source: launch/record. With a trace (`--trace`) every draw is replayed, so that each stage is
 * seen as it stood; without one there are the text and the costs. */
#ifndef DID_TRACE_H
#define DID_TRACE_H

#include <jansson.h>

#include "status.h"
#include "tokenizer.h"
#include "view.h"

/* Read `record`; tokens are spelled by `words`, or shown as their ids where that is NULL. The
 * caller clears `out` in any case. Fails DID_EFORMAT naming the key, what was found and what was
 * expected; DID_ENOMEM. Local. */
status trace_read(view *out, const json_t *record, const tokenizer *words);

/* The texts of id[n], one each, malloc'ed into out[n]; a character that several tokens share stands
 * with the first of them. Fails DID_ENOMEM. Local. */
status trace_spell(char **out, const int32_t *id, int n, const tokenizer *words);

#endif
