/* order.h - a document of the service as a world meets it: the line its owner wrote and the terms of
 * the job become a request, read exactly as `did generate` reads its input. */
#ifndef DID_ORDER_H
#define DID_ORDER_H

#include <jansson.h>
#include <stddef.h>

#include "job.h"
#include "record.h"
#include "request.h"
#include "status.h"

/* One line of JSON for the wire, malloc'ed; NULL when out of memory. Local. */
char *order_pack(const char *line, const char *terms);

/* The request for `sample`, and the rules of its record: `base` with what the terms change. `world`
 * has the models (their list is closed) and the tokenizer. The caller clears `out` in any case.
 * Fails DID_EFORMAT when the order cannot be carried out here, with the sentence for its owner.
 * Local. */
status order_read(request *out, record_rules *rules, job *world, const record_rules *base,
                  const char *text, size_t size, int sample);

#endif
