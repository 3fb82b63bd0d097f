/* binding.h - what to tell mpirun about where ranks go, from what hwloc sees of this host. */
#ifndef DID_BINDING_H
#define DID_BINDING_H

#include <stddef.h>

/* One line of advice for `per_host` ranks of one thread each on hosts like this one, `cols` of which
 * share a model. Where nothing is known of the host the line says so. Local. */
void binding_advice(char *text, size_t size, int per_host, int cols);

#endif
