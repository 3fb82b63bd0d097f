/* addition.h - the order in which the parts of a sum are added.
 *
 * Floating-point sums depend on it, so there are two, and a communicator has one of them: one part
 * after the other, in rank order; or in pairs, then pairs of pairs, which is the same sum whether the
 * lower pairs were added by their owners or here. */
#ifndef DID_ADDITION_H
#define DID_ADDITION_H

#include <stdbool.h>
#include <stddef.h>

/* In pairs there are at most so many parts, and a power of two of them. */
enum { ADDITION_PARTS_MAX = 64 };

/* Where the slice of n floats begins that rank r of `size` adds up. Local. */
size_t addition_slice(size_t n, int r, int size);

/* sum[n] += other[n]. Local. */
void addition_two(float *sum, const float *other, size_t n);

/* sum[n] = part[0][at ...] + ... + part[parts - 1][at ...]. No part overlaps sum, unless it is the
 * first one and begins where sum does. Local. */
void addition_all(float *sum, const float *const *part, int parts, size_t at, size_t n, bool pairs);

#endif
