/* tidings.h - how the service stands, as any guest may know it: totals, worlds, what was turned away,
 * memory. Jobs are their owners' and not among it. */
#ifndef DID_TIDINGS_H
#define DID_TIDINGS_H

#include <jansson.h>

#include "office.h"

json_t *tidings_public(office *o);              /* NULL when out of memory. */
json_t *tidings_counts(const store_count *c); /* {"queued": ...}. NULL when out of memory. Local. */

#endif
