/* blacs.h - matrices in blocks over a rectangle of ranks: one product, one move.
 *
 * Source: ScaLAPACK 2.2 (BLACS, PBLAS psgemm, psgemr2d). All matrices here are column-major, as
 * Fortran has them, in f32 and distributed block-cyclically: block (i, j) lives on the rank in row
 * i modulo `high`, column j modulo `wide`. What PBLAS would abort over is checked before. */
#ifndef DID_BLACS_H
#define DID_BLACS_H

#include "comm.h"

typedef struct blacs blacs;

/* How one matrix lies over a rectangle. */
typedef struct blacs_shape {
    int rows, cols;             /* of the whole matrix */
    int row_block, col_block;
    int row_first, col_first;   /* the rank in whose row and column block (0, 0) lives */
    int ld;                     /* rows of this rank's array, at least 1 */
} blacs_shape;

/* A submatrix: its first row and column. */
typedef struct blacs_corner {
    int row, col;
} blacs_corner;

/* Make the ranks of `c` a rectangle, numbered column by column: rank r stands in row r % high,
 * column r / high. `c` is borrowed. Fails DID_EINVAL when high * wide ranks are not what `c` has.
 * Collective over c. */
status blacs_open(blacs **out, comm *c, int high, int wide);
void   blacs_close(blacs **b);  /* Collective; nulls. */

/* C = A' B, where A' are the cs->rows rows of A from `a_row` on, and all their columns. psgemm gives
 * a column of C bits that may depend on its place and on how many columns there are; the caller
 * fixes both. Collective over on. */
status blacs_product(const blacs *on, float *c, const blacs_shape *cs, const float *a,
                     const blacs_shape *as, int a_row, const float *b, const blacs_shape *bs);

/* The rows x cols submatrix at corner `from_at` of one matrix becomes that at `to_at` of another, on
 * a rectangle of the same ranks. Collective over both. */
status blacs_move(int rows, int cols, const blacs *to, float *into, const blacs_shape *to_shape,
                  blacs_corner to_at, const blacs *from, const float *data,
                  const blacs_shape *from_shape, blacs_corner from_at);

#endif
