#include "bench_layouts.h"

#include <math.h>
#include <stdlib.h>

#include "linear.h"
#include "noise.h"
#include "places.h"
#include "tiler.h"
#include "verdict.h"

static const column columns[] = {
    {"op", "op", -4, 0},           {"layout", "layout", -6, 0},   {"rows", "rows", 5, 0},
    {"width", "width", 5, 0},      {"mb", "MB/rank", 7, 2},       {"error", "error", 7, 2},
    {"ms_min", "ms min", 9, 2},    {"ms_median", "median", 9, 2}, {"ms_max", "max", 9, 2},
    {"gflops", "GFLOP/s", 8, 1},   {"ratio", "of 1d", 6, 3},      {"slowest", "slowest", -8, 0},
};

/* Streams of made-up numbers. */
enum { WEIGHTS = 31, ROWS = 32 };
enum { UNIT = 32, LOOKED_AT = 61 };
static const double TOLERANCE = 16;

/* One weight [width, width] in both layouts, and the rows it is multiplied with. */
typedef struct layouts {
    const ground *on;
    bool          outputs;       /* the outputs are split; else the inputs */
    int           rows, width;
    mesh          mesh;
    mosaic        tiles;
    span         *spans, mine;
    arena         scratch;
    float        *shard, *placed, *in, *out;
    weight        weight[2];     /* 1d, 2d */
    int           now;           /* which of them is timed */
} layouts;

static const char *const names[2] = {"1d", "2d"};

/* As many rows of the grid as columns, or fewer. */
static int grid_rows(const knobs *k, int ranks)
{
    int cols = k->tp > 0 ? k->tp : 1;
    while (k->tp == 0 && (ranks % cols || cols < ranks / cols)) cols++;
    return ranks % cols ? 0 : ranks / cols;
}

status bench_layouts_check(const knobs *k, int ranks)
{
    if (grid_rows(k, ranks) > 0) return DID_OK;
    return status_fail(DID_EINVAL, "--tp: found %d, which does not divide %d rank%s", k->tp, ranks,
                       ranks == 1 ? "" : "s");
}

static uint64_t stream(const layouts *l, int which)
{
    return (uint64_t)l->on->knobs->seed << 32 | (uint64_t)which;
}

/* x[rows][len] = columns [first, first + len) of a made-up matrix of `width` columns, from `row`. */
static void make(const layouts *l, float *x, int which, int row, int rows, int first, int len)
{
    for (int i = 0; i < rows; i++)
        noise_fill(x + (size_t)i * (size_t)len, (size_t)len, stream(l, which),
                   (uint64_t)(row + i) * (uint64_t)l->width + (uint64_t)first, 0, 1);
}

static status run(void *context)
{
    layouts *l = context;
    weight  *w = &l->weight[l->now];
    if (l->outputs) return linear_in(l->out, l->in, w, l->rows, EPILOGUE_STORE, &l->scratch);
    return linear_out(l->out, l->in, w, l->rows, &l->scratch, l->on->world, EV_BENCH);
}

/* One element beside its f64 sum. */
static void check_one(const layouts *l, int row, int output, verdict *v)
{
    double want = 0, size = 0;
    int    whole = l->outputs ? l->mine.first + output : output;
    for (int j = 0; j < l->width; j++) {
        uint64_t w = (uint64_t)whole * (uint64_t)l->width + (uint64_t)j;
        uint64_t x = (uint64_t)row * (uint64_t)l->width + (uint64_t)j;
        double   term =
            (double)noise_number(stream(l, WEIGHTS), w) * noise_number(stream(l, ROWS), x);
        want += term;
        size += fabs(term);
    }
    size_t at = (size_t)row * (size_t)l->weight[0].n + (size_t)output;
    verdict_number(v, l->out[at], want, size, TOLERANCE, "an element");
}

static status check(layouts *l, verdict *v)
{
    int some[] = {0, l->rows / 2, l->rows - 1};
    TRY(run(l));
    for (int i = 0; i < 3; i++)
        for (int j = i; j < l->weight[0].n; j += LOOKED_AT) check_one(l, some[i], j, v);
    return verdict_agree(v, l->on->world);
}

/* ---- lines ---- */

static size_t share_bytes(const layouts *l)
{
    const weight *w = &l->weight[0];
    return sizeof(float) * (l->now == 0 ? (size_t)w->n * (size_t)w->k
                                        : mosaic_floats(&l->mesh, l->width, l->width));
}

/* Check and time one layout; *median is of the one before, or 0. */
static status take(layouts *l, double *median)
{
    verdict  v = {0};
    measured m = {0};
    task     t = {.context = l, .run = run};
    TRY(check(l, &v));
    if (!v.wrong) TRY(measure_task(&m, &t, &l->on->effort, l->on->world));
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("layout"));
    json_object_set_new(line, "op", json_string(l->outputs ? "in" : "out"));
    json_object_set_new(line, "layout", json_string(names[l->now]));
    json_object_set_new(line, "rows", json_integer(l->rows));
    json_object_set_new(line, "width", json_integer(l->width));
    json_object_set_new(line, "grid_rows", json_integer(l->mesh.rows));
    json_object_set_new(line, "grid_cols", json_integer(l->mesh.cols));
    json_object_set_new(line, "mb", json_real(1e-6 * (double)share_bytes(l)));
    json_object_set_new(line, "valid", json_boolean(!v.wrong));
    if (v.wrong) json_object_set_new(line, "why", json_string(v.why));
    else {
        json_object_set_new(line, "error", json_real(v.error));
        table_times(line, &m);
        double flops = 2.0 * l->rows * l->width * l->width;
        json_object_set_new(line, "gflops", json_real(1e-9 * flops / m.median));
        if (*median > 0) json_object_set_new(line, "ratio", json_real(*median / m.median));
    }
    *median = v.wrong ? 0 : m.median;
    table_line(l->on->table, line);
    return DID_OK;
}

/* ---- opening ---- */

static status take_memory(layouts *l, int ranks)
{
    size_t width = (size_t)l->width, rows = (size_t)l->rows + PANEL_MAX;
    l->spans = malloc((size_t)ranks * sizeof *l->spans);
    if (!l->spans) return status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    for (int r = 0; r < ranks; r++) l->spans[r] = split_part(l->width, UNIT, ranks, r);
    l->mine = l->spans[l->mesh.rank];
    size_t mine = (size_t)l->mine.len;
    l->shard = malloc((width * mine + 1) * sizeof *l->shard);
    l->placed = malloc((mosaic_floats(&l->mesh, l->width, l->width) + 1) * sizeof *l->placed);
    l->in = malloc((rows * (l->outputs ? width : mine) + 1) * sizeof *l->in);
    l->out = malloc((rows * (l->outputs ? mine : width) + 1) * sizeof *l->out);
    if (!l->shard || !l->placed || !l->in || !l->out)
        return status_fail(DID_ENOMEM, "no memory for a weight of %d x %d", l->width, l->width);
    TRY(mosaic_init(&l->tiles, &l->mesh, l->width, l->width, 1, l->spans, l->rows));
    return arena_open(&l->scratch, mosaic_scratch_bytes(&l->mesh, l->width, l->width,
                                                        l->tiles.most_mine, l->rows));
}

static void make_all(layouts *l)
{
    int width = l->width, first = l->mine.first, len = l->mine.len;
    if (l->outputs) {
        make(l, l->shard, WEIGHTS, first, len, 0, width);
        make(l, l->in, ROWS, 0, l->rows, 0, width);
    } else {
        make(l, l->shard, WEIGHTS, 0, width, first, len);
        make(l, l->in, ROWS, 0, l->rows, first, len);
    }
    weight flat = {.data = l->shard,
                   .n = l->outputs ? len : width,
                   .k = l->outputs ? width : len};
    linear_prepare(&flat, kernels_find(NULL), NULL);
    l->weight[0] = l->weight[1] = flat;
    l->weight[1].data = l->placed;
    l->weight[1].tiles = &l->tiles;
}

static status open_all(layouts *l)
{
    comm *world = l->on->world;
    int   ranks = comm_size(world), rows = grid_rows(l->on->knobs, ranks);
    TRY(mesh_open(&l->mesh, world, rows, ranks / rows));
    TRY(comm_agree(world, take_memory(l, ranks)));
    TRY(comm_agree(world, comm_reserve(world, (size_t)l->rows * (size_t)l->width)));
    TRY(places_find(&l->tiles, l->placed));
    make_all(l);
    return tiler_move(&l->tiles, l->outputs, l->placed, l->shard, TILER_SPREAD);
}

static void close_all(layouts *l)
{
    mosaic_clear(&l->tiles);
    mesh_close(&l->mesh);
    arena_close(&l->scratch);
    free(l->spans);
    free(l->shard);
    free(l->placed);
    free(l->in);
    free(l->out);
}

static status one(const ground *on, bool outputs, int rows)
{
    layouts l = {.on = on, .outputs = outputs, .rows = rows, .width = on->knobs->width};
    double  median = 0;
    status  s = open_all(&l);
    for (l.now = 0; s == DID_OK && l.now < 2; l.now++) s = take(&l, &median);
    close_all(&l);
    return s;
}

status bench_layouts(const ground *on)
{
    const counts *rows = &on->knobs->rows;
    int           ranks = comm_size(on->world), high = grid_rows(on->knobs, ranks);
    char          title[160];
    snprintf(title, sizeof title,
             "a linear layer split over %d rank%s in one dimension, and on %d x %d in two, f32", ranks,
             ranks > 1 ? "s" : "", high, ranks / high);
    table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < rows->n; i++)
        for (int outputs = 1; outputs >= 0; outputs--) TRY(one(on, outputs, rows->at[i]));
    return DID_OK;
}
