/* transit.h - a sum on its way: slices exchanged by messages, added in rank order by their owners.
 *
 * Everybody owns a slice of each piece. First all send the owner its slice of what they bring; then
 * the owner sends all the sum. Each element is the same chain of f32 additions wherever it stands, so
 * its bits depend on nothing but the ranks' values. On a narrow wire every value that enters a sum is
 * rounded to bf16, the owner's own too, and so is the sum: neither does then its place among the
 * slices change a bit. Functions return MPI's codes; used by comm alone. */
#ifndef DID_TRANSIT_H
#define DID_TRANSIT_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct transit transit;

/* Room for one sum at a time over `all`, which is borrowed; NULL: no memory. Local. */
transit *transit_open(MPI_Comm all, int rank, int size);
void     transit_close(transit **t); /* Nothing is on its way. Nulls. Local. */

/* Scratch of a sum of up to `n` floats on `size` ranks. Local. */
size_t transit_bytes(int size, size_t n);

/* How a sum is carried, and added: in rank order, or in pairs (addition.h), which no narrow wire has. */
typedef struct transit_kind {
    bool narrow, pairs;
} transit_kind;

/* x[n] is to become the sum. x and the scratch belong to the sum until it is done. Collective. */
int transit_begin(transit *t, float *x, size_t n, transit_kind kind, void *scratch);

/* Move on what can be moved without waiting. *done: x is the sum. Local. */
int transit_poll(transit *t, bool *done);

/* Each of x[n] as bf16 has it, to the nearest, ties to even. Local. */
void transit_round(float *x, size_t n);

#endif
