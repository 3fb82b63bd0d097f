/* mesh.h - the P x Q ranks that share every weight of a model.
 *
 * Source: ScaLAPACK's two-dimensional block-cyclic distribution. The outputs of a weight are dealt
 * out over Q, its inputs over P. Rank r stands in row r / Q and column r % Q. */
#ifndef DID_MESH_H
#define DID_MESH_H

#include "blacs.h"

/* `plane` and the two lines are NULL where there is only to be planned. */
typedef struct mesh {
    int    rows, cols;  /* P, Q; rows 0: weights are split in one dimension, and there is no mesh */
    int    rank;        /* mine, or whose share is planned */
    comm  *ranks;       /* borrowed */
    blacs *plane;       /* first dimensions over Q, second ones over P */
    blacs *column;      /* all ranks one above the other */
    blacs *line;        /* all ranks side by side */
} mesh;

static inline int mesh_size(const mesh *m)
{
    return m->rows * m->cols;
}

/* Put the ranks in place. Fails DID_EINVAL when they do not fill P x Q. Collective over ranks. */
status mesh_open(mesh *m, comm *ranks, int rows, int cols);
void   mesh_close(mesh *m);  /* Collective. */

#endif
