/* grid.h - the world as P rows of Q columns.
 *
 * A row is a replica: its Q ranks hold one model between them (tensor parallel). Ranks of a row are
 * neighbours in the world's order, so a row fills hosts before it crosses them. */
#ifndef DID_GRID_H
#define DID_GRID_H

#include "comm.h"

typedef struct grid {
    comm *world;        /* borrowed */
    comm *row;          /* my row: Q ranks, tensor parallel */
    comm *leaders;      /* the first rank of every row; NULL on others */
    int   rows, cols;   /* P, Q */
    int   my_row, my_col;
} grid;

/* Split the world into rows of `cols` ranks. The world's size must be a multiple (checked by the
 * caller, with a sentence for the user). Collective over world. */
status grid_open(grid *g, comm *world, int cols);

/* Collective over the same ranks. */
void grid_close(grid *g);

#endif
