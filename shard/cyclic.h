/* cyclic.h - block-cyclic shares: block b of a dimension belongs to part b modulo the parts.
 *
 * Source: the two-dimensional block-cyclic distribution of ScaLAPACK. Pure arithmetic: it can plan
 * 64 ranks in one process. */
#ifndef DID_CYCLIC_H
#define DID_CYCLIC_H

/* A block for `n` things over `parts` parts: at most 64, and such that the parts get about the same.
 * Local. */
int cyclic_block(int n, int parts);

/* How many of `n` things, cut into blocks, belong to `part`. The first part has the most. Local. */
int cyclic_len(int n, int block, int parts, int part);

/* The place among all of the thing that stands at `local` among those of `part`. Local. */
int cyclic_global(int local, int block, int parts, int part);

/* Whose thing number `global` is, and where it stands among theirs. Local. */
int cyclic_owner(int global, int block, int parts);
int cyclic_local(int global, int block, int parts);

#endif
