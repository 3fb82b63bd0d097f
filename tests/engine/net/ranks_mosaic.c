/* Weights over a mesh: products are right, a row is the same row wherever it stands, and weights go
 * from one layout to the other and back without losing a bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "made_up.h"
#include "rig.h"
#include "places.h"
#include "tiler.h"

static comm *world;
static char  odd[MADE_UP_PATH], small[MADE_UP_PATH];

enum { ROWS = 230 };

/* A weight in both layouts, the same on every mesh: w[n][k], known whole to every rank. */
typedef struct both {
    mesh    mesh;
    mosaic  tiles;
    arena   scratch;
    span   *spans;
    int     n, k, parts;
    bool    outputs;          /* which side is split */
    float  *whole, *shard, *placed;
    weight  flat, tiled;      /* split in one dimension, in two */
} both;

static void fill(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) x[i] = made_up_normal(&seed);
}

/* The row of the whole weight that is output i of this rank's shard, or the column. */
static int whole_of(const both *b, int i)
{
    span mine = b->spans[b->mesh.rank];
    int  each = (b->outputs ? b->n : b->k) / b->parts;
    return i / mine.len * each + mine.first + i % mine.len;
}

static void cut_shard(both *b)
{
    int n = b->flat.n, k = b->flat.k;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++) {
            int row = b->outputs ? whole_of(b, i) : i, col = b->outputs ? j : whole_of(b, j);
            b->shard[(size_t)i * (size_t)k + (size_t)j] =
                b->whole[(size_t)row * (size_t)b->k + (size_t)col];
        }
}

static void both_open(both *b, int high, int n, int k, int parts, int unit, bool outputs)
{
    int ranks = comm_size(world), mine;
    *b = (both){.n = n, .k = k, .parts = parts, .outputs = outputs};
    assert_int_equal(mesh_open(&b->mesh, world, high, ranks / high), DID_OK);
    b->spans = calloc((size_t)ranks, sizeof *b->spans);
    for (int r = 0; r < ranks; r++)
        b->spans[r] = split_part((outputs ? n : k) / parts, unit, ranks, r);
    mine = parts * b->spans[b->mesh.rank].len;
    assert_int_equal(mosaic_init(&b->tiles, &b->mesh, n, k, parts, b->spans, ROWS), DID_OK);
    b->whole = malloc((size_t)n * (size_t)k * sizeof *b->whole);
    b->shard = malloc((size_t)n * (size_t)k * sizeof *b->shard);
    b->placed = malloc(mosaic_floats(&b->mesh, n, k) * sizeof *b->placed + 1);
    b->flat = (weight){.data = b->shard, .n = outputs ? mine : n, .k = outputs ? k : mine};
    b->tiled = b->flat;
    b->tiled.data = b->placed;
    b->tiled.tiles = &b->tiles;
    size_t bytes = mosaic_scratch_bytes(&b->mesh, n, k, b->tiles.most_mine, ROWS);
    assert_int_equal(arena_open(&b->scratch, bytes), DID_OK);
    assert_int_equal(places_find(&b->tiles, b->placed), DID_OK);
    fill(b->whole, (size_t)n * (size_t)k, 77);
    cut_shard(b);
    linear_prepare(&b->flat, kernels_find(NULL), NULL);
    assert_int_equal(tiler_move(&b->tiles, outputs, b->placed, b->shard, TILER_SPREAD), DID_OK);
}

static void both_close(both *b)
{
    mosaic_clear(&b->tiles);
    mesh_close(&b->mesh);
    arena_close(&b->scratch);
    free(b->spans);
    free(b->whole);
    free(b->shard);
    free(b->placed);
}

/* in[rows][inputs] on this rank, of whole rows that every rank knows. */
static float *lay(const both *b, const float *whole, int rows)
{
    int    k = b->flat.k;
    float *in = calloc(((size_t)rows + PANEL_MAX) * (size_t)k + 1, sizeof *in);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < k; j++)
            in[(size_t)i * (size_t)k + (size_t)j] =
                whole[(size_t)i * (size_t)b->k + (size_t)(b->outputs ? j : whole_of(b, j))];
    return in;
}

static float *product(both *b, const weight *w, const float *whole, int rows)
{
    float *in = lay(b, whole, rows);
    float *out = calloc(((size_t)rows + PANEL_MAX) * (size_t)w->n + 1, sizeof *out);
    status s = b->outputs ? linear_in(out, in, w, rows, EPILOGUE_STORE, &b->scratch)
                          : linear_out(out, in, w, rows, &b->scratch, world, EV_BENCH);
    if (s != DID_OK) fail_msg("%s", status_message());
    free(in);
    return out;
}

/* PBLAS and our own sharded products against f64, and so against each other. */
static void assert_right(const both *b, const float *out, const float *whole, int rows)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < b->flat.n; j += 7) {
            int    row = b->outputs ? whole_of(b, j) : j;
            double sum = 0, size = 0;
            for (int l = 0; l < b->k; l++) {
                double term = (double)whole[(size_t)i * (size_t)b->k + (size_t)l] *
                              b->whole[(size_t)row * (size_t)b->k + (size_t)l];
                sum += term;
                size += fabs(term);
            }
            float got = out[(size_t)i * (size_t)b->flat.n + (size_t)j];
            if (!(fabs(got - sum) <= 16 * 6e-8 * size))
                fail_msg("row %d output %d of %d x %d: %g, expected %g, %g apart", i, j, b->n, b->k, got,
                         sum, fabs(got - sum) / size);
        }
}

typedef struct shape {
    int  n, k, parts, unit;
    bool outputs;
} shape;

/* Heads of 16, three parts; MLP columns by 32 with a rest; few of them; words; and the way back. */
static const shape SHAPES[] = {{240, 80, 3, 16, true},  {72, 80, 1, 32, true},
                               {131, 80, 1, 16, true},  {80, 80, 1, 16, false},
                               {320, 416, 1, 32, false}, {80, 72, 1, 32, false}};
enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

static void each_mesh(void (*check)(const shape *s, int high))
{
    int ranks = comm_size(world);
    for (int high = 1; high <= ranks; high++)
        for (int i = 0; ranks % high == 0 && i < N_SHAPES; i++) check(&SHAPES[i], high);
}

static void check_right(const shape *s, int high)
{
    both   b;
    float *whole = malloc(ROWS * (size_t)s->k * sizeof *whole);
    both_open(&b, high, s->n, s->k, s->parts, s->unit, s->outputs);
    fill(whole, ROWS * (size_t)s->k, 5);
    for (int rows = 1; rows <= ROWS; rows += ROWS - 1) {
        float *tiled = product(&b, &b.tiled, whole, rows), *flat = product(&b, &b.flat, whole, rows);
        assert_right(&b, tiled, whole, rows);
        assert_right(&b, flat, whole, rows);
        free(tiled);
        free(flat);
    }
    free(whole);
    both_close(&b);
}

static void products_are_right(void **state)
{
    (void)state;
    assert_int_equal(comm_reserve(world, (size_t)ROWS * 512), DID_OK);
    each_mesh(check_right);
}

/* One row among strangers, everywhere, in passes of any length: the same bits as alone. */
static void check_places(const shape *s, int high)
{
    both     b;
    uint64_t seed = 9;
    float   *whole = malloc(ROWS * (size_t)s->k * sizeof *whole);
    both_open(&b, high, s->n, s->k, s->parts, s->unit, s->outputs);
    fill(whole, (size_t)s->k, 3);
    float *alone = product(&b, &b.tiled, whole, 1);
    size_t bytes = (size_t)b.flat.n * sizeof *alone;
    static const int lengths[] = {2, 23, 25, 100, 193, ROWS};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        int rows = lengths[l];
        fill(whole, (size_t)rows * (size_t)s->k, made_up_bits(&seed));
        for (int i = (int)l % 3; i < rows; i += 3) fill(whole + (size_t)i * (size_t)s->k, (size_t)s->k, 3);
        float *out = product(&b, &b.tiled, whole, rows);
        for (int i = (int)l % 3; i < rows; i += 3)
            assert_memory_equal(out + (size_t)i * (size_t)b.flat.n, alone, bytes);
        free(out);
    }
    free(alone);
    free(whole);
    both_close(&b);
}

static void place_does_not_matter(void **state)
{
    (void)state;
    each_mesh(check_places);
}

/* A place that is used was tried: no height promises more rows than it is made for, all of them in
 * order, and the smallest takes at least one. */
static void check_heights(const shape *s, int high)
{
    both b;
    int  before = 0;
    both_open(&b, high, s->n, s->k, s->parts, s->unit, s->outputs);
    assert_in_range(b.tiles.n_heights, 1, MOSAIC_HEIGHTS);
    for (int i = 0; i < b.tiles.n_heights; i++) {
        const mosaic_height *h = &b.tiles.height[i];
        assert_in_range(h->capacity, before + 1, high * h->m);
        before = h->capacity;
        for (int p = 0; p < high; p++)
            for (int j = h->start[p]; j < h->start[p + 1]; j++) {
                assert_int_equal(h->place[j] / h->m, p);
                if (j > 0) assert_true(h->place[j] > h->place[j - 1]);
            }
        assert_int_equal(h->start[high], h->capacity);
    }
    both_close(&b);
}

static void heights_are_in_order(void **state)
{
    (void)state;
    each_mesh(check_heights);
}

static void check_back(const shape *s, int high)
{
    both b;
    both_open(&b, high, s->n, s->k, s->parts, s->unit, s->outputs);
    size_t n = (size_t)b.flat.n * (size_t)b.flat.k;
    float *back = malloc((n + 1) * sizeof *back);
    memset(back, 0xff, n * sizeof *back);
    assert_int_equal(tiler_move(&b.tiles, s->outputs, b.placed, back, TILER_GATHER), DID_OK);
    assert_memory_equal(back, b.shard, n * sizeof *back);
    free(back);
    both_close(&b);
}

static void there_and_back(void **state)
{
    (void)state;
    each_mesh(check_back);
}

static void open_flat(model *m, const char *dir, const geometry *g)
{
    status s = model_open(m, dir, g, comm_rank(world), comm_size(world), true, kernels_find(NULL));
    if (s != DID_OK) fail_msg("%s", status_message());
}

/* A loaded model on its way to a mesh and back: what is loaded there, and what was loaded here. */
static void check_model(const char *dir, int high)
{
    geometry g;
    mesh     on;
    model    flat, again, loaded, moved;
    assert_int_equal(geometry_read(&g, dir), DID_OK);
    assert_int_equal(mesh_open(&on, world, high, comm_size(world) / high), DID_OK);
    open_flat(&flat, dir, &g);
    open_flat(&again, dir, &g);
    assert_int_equal(model_open_mesh(&loaded, dir, &g, &on, true, ROWS), DID_OK);
    assert_int_equal(model_open_mesh(&moved, dir, &g, &on, true, ROWS), DID_OK);
    assert_int_equal(loaded.memory.used, loaded.memory.size);
    memset(loader_own(moved.layers[0].qkv.data), 0xff, 4);
    assert_int_equal(tiler_move_model(&moved, &flat), DID_OK);
    for (int i = 0; i < g.n_layers; i++) {
        const layer_weights *a = &loaded.layers[i], *b = &moved.layers[i];
        const weight        *pairs[][2] = {{&a->qkv, &b->qkv}, {&a->out, &b->out},
                                           {&a->up, &b->up},   {&a->down, &b->down}};
        for (int w = 0; w < 4; w++) {
            const mosaic *t = pairs[w][0]->tiles;
            size_t        n = mosaic_floats(&on, t->n, t->k), m = (size_t)pairs[w][0]->n;
            assert_memory_equal(pairs[w][0]->data, pairs[w][1]->data, n * sizeof(float));
            if (pairs[w][0]->bias)
                assert_memory_equal(pairs[w][0]->bias, pairs[w][1]->bias, m * sizeof(float));
        }
    }
    const mosaic *t = loaded.head.tiles;
    assert_memory_equal(loaded.head.data, moved.head.data,
                        mosaic_floats(&on, t->n, t->k) * sizeof(float));
    for (int i = 0; i < g.n_layers; i++) {
        const layer_weights *l = &again.layers[i];
        const weight        *all[] = {&l->qkv, &l->out, &l->up, &l->down};
        for (int w = 0; w < 4; w++)
            memset(loader_own(all[w]->data), 0xff, (size_t)all[w]->n * (size_t)all[w]->k * 4);
    }
    assert_int_equal(tiler_move_model(&again, &moved), DID_OK);
    assert_int_equal(again.memory.used, flat.memory.used);
    for (int i = 0; i < g.n_layers; i++) {
        const layer_weights *a = &flat.layers[i], *b = &again.layers[i];
        assert_memory_equal(a->qkv.data, b->qkv.data, (size_t)a->qkv.n * (size_t)a->qkv.k * 4);
        assert_memory_equal(a->out.data, b->out.data, (size_t)a->out.n * (size_t)a->out.k * 4);
        assert_memory_equal(a->up.data, b->up.data, (size_t)a->up.n * (size_t)a->up.k * 4);
        assert_memory_equal(a->down.data, b->down.data, (size_t)a->down.n * (size_t)a->down.k * 4);
    }
    model_close(&flat);
    model_close(&again);
    model_close(&loaded);
    model_close(&moved);
    mesh_close(&on);
}

static void models_move_between_layouts(void **state)
{
    (void)state;
    int ranks = comm_size(world);
    for (int high = 1; high <= ranks; high++) {
        if (ranks % high) continue;
        check_model(small, high);
        if (high == 1) check_model(DID_TEST_MODELS "/gpt2-tiny-scorer", high);
    }
}

/* All ranks together hold every weight once, and no rank more than its share and a block's edge. */
static void shares_fall_with_the_ranks(void **state)
{
    (void)state;
    size_t n = 3072, k = 768, all = 0;
    for (int rows = 1; rows <= 3; rows++)
        for (int cols = 1; cols <= 4; cols++, all = 0) {
            for (int r = 0; r < rows * cols; r++) {
                mesh   on = {.rows = rows, .cols = cols, .rank = r};
                size_t mine = mosaic_floats(&on, (int)n, (int)k);
                assert_true((double)mine <= 1.05 * (double)(n * k) / (rows * cols));
                all += mine;
            }
            assert_int_equal(all, n * k);
        }
}

static void assert_says(const char *words)
{
    if (!strstr(status_message(), words)) fail_msg("\"%s\" in: %s", words, status_message());
}

static void refusals(void **state)
{
    (void)state;
    mesh     on;
    geometry g;
    model    m;
    int      ranks = comm_size(world);
    assert_int_equal(mesh_open(&on, world, 2, ranks), DID_EINVAL);
    assert_says("a grid of");
    assert_int_equal(mesh_open(&on, world, 1, ranks), DID_OK);
    blacs_shape a = {8, 8, 4, 4, 0, 0, 8}, wrong = {8, 9, 4, 4, 0, 0, 8}, low = {8, 8, 4, 4, 0, 0, 1};
    float       x[128] = {0};
    assert_int_equal(blacs_product(on.line, x, &a, x, &wrong, 0, x, &a), DID_EINVAL);
    assert_says("a product of");
    assert_int_equal(blacs_product(on.line, x, &a, x, &low, 0, x, &a), DID_EINVAL);
    assert_says("an array of 1 rows");
    assert_int_equal(blacs_move(8, 9, on.line, x, &a, (blacs_corner){0, 0}, on.line, x, &a,
                                (blacs_corner){0, 0}), DID_EINVAL);
    assert_says("moving 8 x 9");
    /* Only one rank finds fault with the checkpoint: all of them hear of it. */
    assert_int_equal(geometry_read(&g, small), DID_OK);
    const char *dir = comm_rank(world) == ranks - 1 ? odd : small;
    assert_int_equal(model_open_mesh(&m, dir, &g, &on, true, ROWS), DID_EFORMAT);
    assert_says(odd);
    mesh_close(&on);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up_open_all(odd, &made_up_odd, world);
    made_up_open_all(small, &made_up_small, world);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(place_does_not_matter),
        cmocka_unit_test(heights_are_in_order),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(models_move_between_layouts),
        cmocka_unit_test(shares_fall_with_the_ranks),
        cmocka_unit_test(refusals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(odd, world);
    made_up_close_all(small, world);
    comm_stop(&world);
    return failed;
}
