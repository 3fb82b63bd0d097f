#include "grid.h"

#include <assert.h>

status grid_open(grid *g, comm *world, int cols)
{
    assert(cols > 0 && comm_size(world) % cols == 0);
    int rank = comm_rank(world);
    *g = (grid){.world = world,
                .rows = comm_size(world) / cols,
                .cols = cols,
                .my_row = rank / cols,
                .my_col = rank % cols};
    TRY(comm_split(&g->row, world, g->my_row, rank));
    status s = comm_split(&g->leaders, world, g->my_col, rank);
    if (s != DID_OK) {
        grid_close(g);
        return s;
    }
    /* The split made a comm of every column; only the first one has something to talk about. */
    if (g->my_col != 0) comm_close(&g->leaders);
    return DID_OK;
}

void grid_close(grid *g)
{
    comm_close(&g->leaders);
    comm_close(&g->row);
}
