/* yardstick.h - MPI's own operations, for measurements to compare ours with. Nothing else uses
 * them: their sums may depend on the number of ranks, the size and the version of MPI. */
#ifndef DID_YARDSTICK_H
#define DID_YARDSTICK_H

#include "comm.h"

/* x[n] becomes the sum by MPI_Allreduce with MPI_IN_PLACE; n below 2^31. Collective. */
status yardstick_sum(comm *c, float *x, size_t n, event e);

/* There and back between ranks a and b: `data` goes to b and comes home. Others do nothing. At most
 * 2^31 - 1 bytes. Called by all ranks. */
status yardstick_bounce(comm *c, void *data, size_t bytes, int a, int b, event e);

#endif
