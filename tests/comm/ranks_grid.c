/* The grid, in every shape that divides the world. A rank whose check fails leaves at once, so that
 * the launcher ends the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check.h"
#include "grid.h"

static comm *world;
static int   rank, size;

static void check_leaders(const grid *g)
{
    CHECK((comm_rank(g->team) == 0) == (g->leaders != NULL));
    if (!g->leaders) return;
    int all[64];
    CHECK(comm_size(g->leaders) == g->teams && comm_rank(g->leaders) == g->my_team);
    CHECK(comm_gather(g->leaders, all, &rank, sizeof rank, EV_SETUP) == DID_OK);
    for (int i = 0; i < g->teams; i++) CHECK(all[i] == i * grid_team(&g->shape));
}

/* The rank of the world that has this place. */
static int rank_at(const grid *g, int span, int depth, int col)
{
    const grid_shape *s = &g->shape;
    return ((g->my_team * s->span + span) * s->depth + depth) * s->cols + col;
}

/* Is `c` exactly the ranks want[n], in this order, and am I the one at `mine`? */
static void check_ranks(comm *c, const int *want, int n, int mine)
{
    int all[64];
    CHECK(comm_size(c) == n && comm_rank(c) == mine);
    CHECK(comm_gather(c, all, &rank, sizeof rank, EV_SETUP) == DID_OK);
    for (int i = 0; i < n; i++) CHECK(all[i] == want[i]);
}

static void check_groups(const grid *g)
{
    int S = g->shape.span, D = g->shape.depth, Q = g->shape.cols, want[64], n = S * D * Q;
    for (int i = 0; i < n; i++) want[i] = g->my_team * n + i;
    check_ranks(g->team, want, n, rank % n);
    for (int i = 0; i < Q; i++) want[i] = rank_at(g, g->my_span, g->my_depth, i);
    check_ranks(g->row, want, Q, g->my_col);
    for (int i = 0; i < S; i++) want[i] = rank_at(g, i, g->my_depth, g->my_col);
    check_ranks(g->column, want, S, g->my_span);
    for (int i = 0; i < D; i++) want[i] = rank_at(g, g->my_span, i, g->my_col);
    check_ranks(g->chain, want, D, g->my_depth);
    for (int i = 0; i < S * Q; i++) want[i] = rank_at(g, i / Q, g->my_depth, i % Q);
    check_ranks(g->tier, want, S * Q, g->my_span * Q + g->my_col);
}

static void check_grid(const grid_shape *shape)
{
    grid g;
    CHECK(grid_open(&g, world, shape) == DID_OK);
    CHECK(g.world == world && g.teams * grid_team(shape) == size);
    CHECK(rank_at(&g, g.my_span, g.my_depth, g.my_col) == rank);
    check_groups(&g);
    check_leaders(&g);

    /* Rows do not hear each other. */
    float x = (float)(1 + rank / shape->cols);
    CHECK(comm_reserve(g.row, 1) == DID_OK);
    CHECK(comm_sum(g.row, &x, 1, EV_SUM_MLP) == DID_OK);
    CHECK(x == (float)(shape->cols * (1 + rank / shape->cols)));
    grid_close(&g);
    CHECK(!g.team && !g.tier && !g.row && !g.column && !g.chain && !g.leaders);
    grid_close(&g);
}

static void test_grid(void **state)
{
    (void)state;
    grid_shape s;
    for (s.span = 1; s.span <= size; s.span++)
        for (s.depth = 1; s.depth <= size; s.depth++)
            for (s.cols = 1; s.cols <= size; s.cols++)
                if (size % grid_team(&s) == 0) check_grid(&s);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    rank = comm_rank(world);
    size = comm_size(world);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grid)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
