/* grid.h - the world as teams of S x D x Q ranks.
 *
 * A team runs one pass together: S rows that share a long document between them, D depths that
 * share the layers, Q columns that share every weight of a layer (tensor parallel). A rank of the
 * world is ((team * S + span) * D + depth) * Q + column, so a row's Q ranks are neighbours and fill
 * hosts before they cross them. */
#ifndef DID_GRID_H
#define DID_GRID_H

#include "comm.h"

/* S, D and Q; each at least 1. */
typedef struct grid_shape {
    int span, depth, cols;
} grid_shape;

typedef struct grid {
    comm      *world;    /* borrowed */
    comm      *team;     /* S x D x Q ranks that run a pass together; rank 0 leads */
    comm      *tier;     /* S x Q ranks of my team at my depth; rank 0 has span 0, column 0 */
    comm      *row;      /* Q ranks: sums */
    comm      *column;   /* S ranks of my depth and column: keys and values */
    comm      *chain;    /* D ranks of my span and column: activations from depth to depth */
    comm      *leaders;  /* the first rank of every team; NULL on others */
    grid_shape shape;
    int        teams, my_team, my_span, my_depth, my_col;
} grid;

/* Ranks of a team. Local. */
int grid_team(const grid_shape *shape);

/* Split the world into teams. Its size must be a multiple of a team's (checked by the caller, with a
 * sentence for the user). Collective over world. */
status grid_open(grid *g, comm *world, const grid_shape *shape);

/* Collective over the same ranks. */
void grid_close(grid *g);

#endif
