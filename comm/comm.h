/* comm.h - ranks, bytes and sums.
 *
 * The only room that knows MPI. A `comm` is a set of ranks that do things together; a function
 * without a `comm *` argument cannot communicate. Every collective carries the name of an event,
 * is counted and timed, and leaves a line in the journal of the last 64 (events.h).
 *
 * One thread per process calls these functions (MPI_THREAD_FUNNELED). */
#ifndef DID_COMM_H
#define DID_COMM_H

#include <stdbool.h>
#include <stddef.h>

#include "events.h"
#include "status.h"

typedef struct comm comm;

/* Start MPI and open the communicator of all ranks. Errors are returned, not fatal. Call once.
 * Collective over every process of the launch. */
status comm_start(comm **world);

/* Meet in a barrier, stop MPI and close the world. Collective; nulls `world`. */
void comm_stop(comm **world);

/* The rank the launcher gave this process, before MPI starts; 0 where no launcher says. Local. */
int comm_launch_rank(void);

/* Version of the MPI library, one line. Needs no MPI_Init. Local, borrowed. */
const char *comm_library(void);

int comm_rank(const comm *c);  /* my rank, 0 .. size - 1. Local. */
int comm_size(const comm *c);  /* how many ranks. Local. */

/* The communicator as Fortran's integer, for a library that speaks MPI itself (blacs.c). Local. */
int comm_fortran(const comm *c);

/* Ranks of equal `color` form a new comm, ordered by `key`. Collective over parent. */
status comm_split(comm **out, comm *parent, int color, int key);

/* How many ranks of `c` run on this host. Collective. */
status comm_node_size(comm *c, int *ranks);

/* Give the communicator back; closes and sets NULL. Collective over *c. */
void comm_close(comm **c);

/* Scratch for sums of up to `n` floats, so that comm_sum never allocates. Bytes are
 * comm_sum_bytes(size, n). Collective in the sense that all ranks reserve the same n. */
status comm_reserve(comm *c, size_t n);
size_t comm_sum_bytes(int size, size_t n);

/* From here on sums go through memory that the ranks of `c` share. Where they are on several hosts,
 * or the system gives none, nothing changes, and that is no failure. Either way a sum has the same
 * bytes. Collective. */
status comm_share(comm *c);

/* Do they? Local. */
bool comm_shares(const comm *c);

/* From here on comm_sum adds pairs of ranks, then pairs of pairs, and so on (addition.h). Their number
 * is a power of two, at most ADDITION_PARTS_MAX. Called alike by all ranks of `c`. Local. */
void comm_pair(comm *c);

/* From here on sums have the numbers of a wire that carries bf16: what ranks bring is rounded to it, and
 * so is each sum, while additions stay in f32. Messages have half the bytes; in shared memory nothing
 * is saved, but the bits are the same. All ranks of `c` alike. Local. */
void comm_narrow(comm *c);

/* The worst status of all ranks becomes everybody's, and with it the sentence of the lowest rank
 * that brought it (prefixed "rank 3: " when it is not rank 0). Collective. */
status comm_agree(comm *c, status mine);

/* `root`'s bytes reach all. Collective. */
status comm_broadcast(comm *c, void *data, size_t bytes, int root, event e);

/* Like comm_broadcast, but a waiting rank sleeps between looks instead of spinning: for teams that
 * wait for work. Collective. */
status comm_await(comm *c, void *data, size_t bytes, int root, event e);

/* all[r * bytes ...] becomes rank r's `mine`. Collective. */
status comm_gather(comm *c, void *all, const void *mine, size_t bytes, event e);

/* out[out_count[r]] floats, one rank's after the other's, go to rank r; in[in_count[r]] come from it
 * in the same way. Counts agree on both sides; all counts of a rank together stay below 2^31.
 * Collective. */
status comm_exchange(comm *c, float *in, const int *in_count, const float *out,
                     const int *out_count, event e);

/* x[n] becomes the sum over ranks, added in rank order (or in pairs) in f32: the same bits on every
 * rank, for every n and every position of an element. n must not exceed the reserve. Collective. */
status comm_sum(comm *c, float *x, size_t n, event e);

/* Everybody arrives before anybody leaves. Collective. */
status comm_barrier(comm *c, event e);

/* Like comm_barrier, but who waits sleeps: for ranks that end at very different times. Collective. */
status comm_meet(comm *c, event e);

#endif
