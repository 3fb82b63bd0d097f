/* tiler.h - weights on their way to a mesh.
 *
 * Source: ScaLAPACK psgemr2d. From a checkpoint, every rank reads panels of consecutive rows, panel
 * i of the whole weight on rank i modulo the ranks, a few at a time, and the blocks of all panels
 * move to their place together. From memory, shards split in one dimension move in the same way,
 * and back. */
#ifndef DID_TILER_H
#define DID_TILER_H

#include "loader.h"

enum { TILER_ROWS_MIN = 16 };  /* of a panel, where a rank has that many */

/* As loader_input and loader_output, for a weight in tiles. Collective over its mesh; every rank
 * gets the same status, and ld->agreed says so. */
status tiler_input(loader *ld, const weight *w, const source *s);
status tiler_output(loader *ld, const weight *w, const source *s, const double *gate);

/* A weight's data between its tiles and the shards of the same ranks, split in one dimension:
 * `shard` is [my outputs, k] where the outputs are split, [n, my inputs] where the inputs are.
 * Fails DID_ENOMEM alike on all ranks. Collective over the mesh. */
typedef enum { TILER_GATHER, TILER_SPREAD } tiler_way;  /* tiles to shard, shard to tiles */
status tiler_move(const mosaic *t, bool outputs, float *tiles, float *shard, tiler_way way);

/* Move every weight of `from` to its place in `to`: the same checkpoint, folded alike, on the same
 * ranks, one of the two on a mesh and the other split in one dimension. Nothing is read, and
 * `from` stays as it is. Collective over the mesh. */
status tiler_move_model(model *to, const model *from);

#endif
