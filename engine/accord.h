/* accord.h - what all ranks have to have in common before a model is opened, or bytes would depend on
 * where a document was computed. */
#ifndef DID_ACCORD_H
#define DID_ACCORD_H

#include "comm.h"
#include "engine.h"
#include "kernels.h"

/* Kernel sets are nested: who can run more of them can run those of the weakest. All ranks of the
 * world take the best set that every one of them has, or the one that was asked for. DID_EINVAL, on
 * all ranks, when some cannot run that, or when it cannot do what `settings` promise. Collective. */
status accord_kernels(const kernels **out, const engine_settings *settings, comm *world);

/* Have all ranks the BLAS of rank 0, on the same core? DID_EINVAL, on all of them, where not.
 * Collective. */
status accord_blas(comm *world);

#endif
