/* shared.h - sums through memory that all ranks of a communicator share (MPI-3 windows).
 *
 * A message between ranks of one host is copied twice and announced by a queue; here a rank reads
 * what another wrote, and two flags per piece are all that is said. The additions are those of the
 * message path, in the same order. Functions return MPI's codes; used by comm alone. */
#ifndef DID_SHARED_H
#define DID_SHARED_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct shared shared;

/* Memory for the ranks of `all`. *out is NULL, with MPI_SUCCESS, where they are on several hosts or
 * the system gives no such memory: the same on all ranks. Collective. */
int shared_open(shared **out, MPI_Comm all);

/* x[n] becomes the sum, in rank order or in pairs (addition.h). Who waits spins for a moment, then lets MPI and other
 * processes go on. Collective. */
int shared_sum(shared *s, float *x, size_t n, bool pairs);

/* Sets NULL. Collective. */
void shared_close(shared **s);

#endif
