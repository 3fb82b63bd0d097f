/* The grid, at every width that divides the world. A rank whose check fails leaves at once, so that
 * the launcher ends the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "grid.h"

#define CHECK(ok)                                                                \
    do {                                                                         \
        if (!(ok)) {                                                             \
            fprintf(stderr, "rank %d, line %d: not so: %s\n", rank, __LINE__, #ok); \
            _exit(1);                                                            \
        }                                                                        \
    } while (0)

static comm *world;
static int   rank, size;

static void check_leaders(const grid *g)
{
    CHECK((g->my_col == 0) == (g->leaders != NULL));
    if (!g->leaders) return;
    int all[64];
    CHECK(comm_size(g->leaders) == g->rows && comm_rank(g->leaders) == g->my_row);
    CHECK(comm_gather(g->leaders, all, &rank, sizeof rank, EV_SETUP) == DID_OK);
    for (int i = 0; i < g->rows; i++) CHECK(all[i] == i * g->cols);
}

static void check_grid(int cols)
{
    grid g;
    int  all[64];
    CHECK(grid_open(&g, world, cols) == DID_OK);
    CHECK(g.world == world && g.cols == cols && g.rows * cols == size);
    CHECK(g.my_row * cols + g.my_col == rank && g.my_col >= 0 && g.my_col < cols);
    CHECK(comm_size(g.row) == cols && comm_rank(g.row) == g.my_col);
    CHECK(comm_gather(g.row, all, &rank, sizeof rank, EV_SETUP) == DID_OK);
    for (int i = 0; i < cols; i++) CHECK(all[i] == g.my_row * cols + i);
    check_leaders(&g);

    /* Rows do not hear each other. */
    float x = (float)(1 + g.my_row);
    CHECK(comm_reserve(g.row, 1) == DID_OK);
    CHECK(comm_sum(g.row, &x, 1, EV_SUM_MLP) == DID_OK);
    CHECK(x == (float)(cols * (1 + g.my_row)));
    grid_close(&g);
    CHECK(!g.row && !g.leaders);
    grid_close(&g);
}

static void test_grid(void **state)
{
    (void)state;
    for (int cols = 1; cols <= size; cols++)
        if (size % cols == 0) check_grid(cols);
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
