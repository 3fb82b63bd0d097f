#include "grid.h"

#include <assert.h>

int grid_team(const grid_shape *s)
{
    return s->span * s->depth * s->cols;
}

/* Every rank finds its place in all the groups it belongs to. */
static status split(grid *g, int rank)
{
    const grid_shape *s = &g->shape;
    int tier = g->my_team * s->depth + g->my_depth;
    int strand = (g->my_team * s->span + g->my_span) * s->cols + g->my_col;
    TRY(comm_split(&g->team, g->world, g->my_team, rank));
    TRY(comm_split(&g->tier, g->world, tier, rank));
    TRY(comm_split(&g->row, g->world, rank / s->cols, rank));
    TRY(comm_split(&g->column, g->world, tier * s->cols + g->my_col, rank));
    TRY(comm_split(&g->chain, g->world, strand, rank));
    return comm_split(&g->leaders, g->world, comm_rank(g->team), rank);
}

status grid_open(grid *g, comm *world, const grid_shape *shape)
{
    int team = grid_team(shape), rank = comm_rank(world);
    assert(shape->span > 0 && shape->depth > 0 && shape->cols > 0);
    assert(comm_size(world) % team == 0);
    *g = (grid){.world = world,
                .shape = *shape,
                .teams = comm_size(world) / team,
                .my_team = rank / team,
                .my_span = rank / (shape->cols * shape->depth) % shape->span,
                .my_depth = rank / shape->cols % shape->depth,
                .my_col = rank % shape->cols};
    status s = split(g, rank);
    if (s != DID_OK) {
        grid_close(g);
        return s;
    }
    /* The split joined ranks of equal place in all teams; only the first have something to say. */
    if (comm_rank(g->team) != 0) comm_close(&g->leaders);
    return DID_OK;
}

void grid_close(grid *g)
{
    comm_close(&g->leaders);
    comm_close(&g->chain);
    comm_close(&g->column);
    comm_close(&g->row);
    comm_close(&g->tier);
    comm_close(&g->team);
}
