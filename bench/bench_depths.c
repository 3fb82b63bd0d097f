#include "bench_depths.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "forecast.h"
#include "kernels.h"
#include "rival.h"
#include "roster.h"
#include "source.h"
#include "verdict.h"

static const column columns[] = {
    {"way", "way", -8, 0},          {"grid", "rows x deep x cols", -18, 0},
    {"groups", "groups", 6, 0},     {"digest", "digest", -16, 0},
    {"s_min", "s min", 8, 3},       {"s_median", "median", 8, 3},
    {"s_max", "max", 8, 3},         {"tokens_s", "tokens/s", 9, 1},
    {"of_rows", "x rows", 7, 2},    {"of_columns", "x cols", 7, 2},
    {"wait", "wait %", 6, 1},       {"wait_most", "most", 6, 1},
    {"check", "", -6, 0},
};

typedef enum { WAY_ROWS, WAY_DEPTHS, WAY_FULLER, WAY_COLUMNS, WAYS } way;

static const char *const way_names[WAYS] = {"rows", "depths", "depths", "columns"};

typedef struct contender {
    int      rows, depth, cols, groups;
    engine  *engine; /* NULL: this model cannot be shared out like that */
    double   seconds[MEASURE_SAMPLES_MAX];
    double   wait, wait_most; /* shares of the time that ranks waited, in all rounds */
    uint64_t digest;
    verdict  verdict;
} contender;

typedef struct depths {
    const ground   *on;
    source          source;
    const kernels  *kernels;
    engine_settings settings;
    contender       of[WAYS];
    int             rounds, all; /* documents */
    roster_kind     kind;
    roster          roster;
    engine         *engine; /* of the run at hand */
} depths;

status bench_depths_check(const knobs *k, int ranks)
{
    geometry g;
    TRY(source_check(&g, k, ranks));
    if (ranks == 1)
        return status_fail(DID_EINVAL, "1 rank: expected at least 2, as in mpirun -n 2 did bench "
                           "depths");
    if (k->length == 1)
        return status_fail(DID_EINVAL, "--length: found 1, expected 0 or at least 2 positions");
    if (ranks > g.n_layers)
        return status_fail(DID_EINVAL, "%d ranks: expected at most the model's %d layers", ranks,
                           g.n_layers);
    return rival_check(k);
}

/* ---- one run ---- */

static status run(void *context)
{
    depths     *b = context;
    engine_feed feed = roster_feed(&b->roster);
    return engine_run(b->engine, engine_leads(b->engine) ? &feed : NULL);
}

/* What ranks did nothing of the time between two totals: on average, and who did most of it. */
static status find_waits(const depths *b, contender *c, const engine_progress *before)
{
    comm           *world = b->on->world;
    int             ranks = comm_size(world);
    engine_progress now = engine_totals(c->engine);
    double  mine[2] = {now.seconds_wait - before->seconds_wait,
                       now.seconds_total - before->seconds_total};
    double *all = malloc((size_t)ranks * sizeof mine);
    status  s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, mine, sizeof mine, EV_BENCH);
    double sum = 0, most = 0;
    for (int r = 0; s == DID_OK && r < ranks; r++) {
        double share = all[2 * r + 1] > 0 ? all[2 * r] / all[2 * r + 1] : 0;
        sum += share;
        most = fmax(most, share);
    }
    c->wait += sum / ranks / b->rounds;
    c->wait_most += most / b->rounds;
    free(all);
    return s;
}

/* The first digest of a way is what it has to give again; depths have to give that of rows. */
static void judge(const depths *b, contender *c, uint64_t digest, bool anew)
{
    const contender *known = c->depth > 1 ? &b->of[WAY_ROWS] : c;
    if (anew) c->digest = digest;
    if (digest != known->digest)
        verdict_wrong(&c->verdict, "FAILED, documents have digest %016" PRIx64 ", expected %016" PRIx64,
                      digest, known->digest);
}

/* A first round is cold and not told. */
static status run_once(depths *b, contender *c, int round)
{
    measured        m;
    effort          once = {1, 1, 0, 0, true};
    task            t = {.context = b, .run = run, .calls_max = 1};
    uint64_t        digest;
    engine_progress before = engine_totals(c->engine);
    int             row = engine_row(c->engine);
    int             mine = engine_leads(c->engine) && b->all > row
                               ? (b->all - row + c->rows - 1) / c->rows : 0;
    b->engine = c->engine;
    b->roster.row = row;
    b->roster.rows = c->rows;
    TRY(comm_agree(b->on->world, roster_begin(&b->roster, mine, b->all / c->rows)));
    TRY(measure_task(&m, &t, &once, b->on->world));
    TRY(roster_digest(&digest, &b->roster, &c->verdict, b->on->world));
    judge(b, c, digest, round < 0);
    if (round < 0) return DID_OK;
    c->seconds[round] = m.max;
    return find_waits(b, c, &before);
}

/* All in turn, again and again: what else the machine does meets all of them. */
static status run_rounds(depths *b)
{
    for (int round = -1; round < b->rounds; round++)
        for (int i = 0; i < WAYS; i++)
            if (b->of[i].engine) TRY(run_once(b, &b->of[i], round));
    return DID_OK;
}

/* ---- lines ---- */

/* How many times as fast: the median over rounds, in each of which both were measured. */
static double times_as_fast(const depths *b, const contender *c, const contender *than)
{
    measured m;
    double   q[MEASURE_SAMPLES_MAX];
    for (int i = 0; i < b->rounds; i++) q[i] = than->seconds[i] / c->seconds[i];
    measure_summarize(&m, q, 1, b->rounds);
    return m.median;
}

static json_t *line_of(const depths *b, const contender *c, way w)
{
    char    text[48];
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("depths"));
    json_object_set_new(line, "model", json_string(b->source.name));
    json_object_set_new(line, "precision", json_string(rival_name(b->kernels->precision)));
    json_object_set_new(line, "signature", json_string(engine_signature(c->engine)));
    json_object_set_new(line, "way", json_string(way_names[w]));
    snprintf(text, sizeof text, "%d x %d x %d", c->rows, c->depth, c->cols);
    json_object_set_new(line, "grid", json_string(text));
    json_object_set_new(line, "groups", json_integer(c->groups));
    json_object_set_new(line, "length", json_integer(b->roster.length));
    json_object_set_new(line, "documents", json_integer(b->all));
    snprintf(text, sizeof text, "%016" PRIx64, c->digest);
    json_object_set_new(line, "digest", json_string(text));
    table_check(line, c->verdict.wrong, c->verdict.why);
    return line;
}

static void add_speed(json_t *line, const depths *b, const contender *c)
{
    double   seconds[MEASURE_SAMPLES_MAX];
    measured m = {.samples = b->rounds, .calls = 1};
    memcpy(seconds, c->seconds, sizeof seconds);
    measure_summarize(&m, seconds, 1, b->rounds);
    table_seconds(line, &m);
    json_object_set_new(line, "tokens_s",
                        json_real((double)b->all * (b->roster.length - 1) / m.median));
    json_object_set_new(line, "of_rows", json_real(times_as_fast(b, c, &b->of[WAY_ROWS])));
    if (b->of[WAY_COLUMNS].engine)
        json_object_set_new(line, "of_columns", json_real(times_as_fast(b, c, &b->of[WAY_COLUMNS])));
    json_object_set_new(line, "wait", json_real(100 * c->wait));
    json_object_set_new(line, "wait_most", json_real(100 * c->wait_most));
}

static void tell(const depths *b)
{
    char title[320];
    snprintf(title, sizeof title,
             "%d documents of %d positions by %.60s in %s, blocks of %d, refined in %d steps; x: times "
             "as fast as rows that know nothing of each other, as one row; wait: of a rank, of the "
             "one that waits most", b->all, b->roster.length, b->source.name,
             rival_name(b->kernels->precision), b->on->knobs->block, b->on->knobs->steps);
    table_begin(b->on->table, title, columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < WAYS; i++) {
        const contender *c = &b->of[i];
        if (!c->engine) continue;
        json_t *line = line_of(b, c, (way)i);
        if (!c->verdict.wrong) add_speed(line, b, c);
        table_line(b->on->table, line);
    }
}

/* ---- opening ---- */

/* Depths share layers by what the documents at hand make of the last one. */
static double last_layer(const depths *b)
{
    const knobs *k = b->on->knobs;
    double       length = b->roster.length, open = floor(ROSTER_REOPENED * (length - 1));
    cost_place   at = {.model = &b->source.geometry,
                       .layout = {.rows = 1, .cols = 1, .depth = 1, .span = 1, .per_host = 1,
                                  .groups = comm_size(b->on->world)},
                       .precision = b->kernels->precision == PRECISION_BF16};
    forecast_job job = {.documents = b->all, .length = b->roster.length,
                        .window = b->source.geometry.length, .in_flight = b->all,
                        .pass_rows = k->pass_rows, .n_stages = 2,
                        .stage = {{k->block, length - 1, length - 1, length - 1},
                                  {b->roster.length, fmin(open, k->steps), open, open}}};
    return forecast_last(&at, &job);
}

static void settle(depths *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    int             ranks = comm_size(b->on->world), length = k->length ? k->length : g->length;
    int             end = g->end_id >= 0 ? g->end_id : g->mask_id == 0;
    b->rounds = k->repeats;
    b->all = k->each * ranks;
    b->kind = roster_refined(k->block, k->steps);
    b->roster = (roster){.most = b->all, .length = length, .end_id = end, .mask_id = g->mask_id,
                         .seed = k->seed, .rows = 1, .kind = &b->kind, .n_kinds = 1};
    b->settings = (engine_settings){.model = {b->source.dir}, .n_models = 1, .threads = 1,
                                    .fused_commit = true, .folded = true,
                                    .bf16 = b->kernels->precision == PRECISION_BF16,
                                    .kernels = k->kernels, .pass_rows = k->pass_rows,
                                    .length_max = length, .end_id = end};
    b->settings.last_layer = last_layer(b);
    b->of[WAY_ROWS] = (contender){.rows = ranks, .depth = 1, .cols = 1, .groups = 1};
    b->of[WAY_DEPTHS] = (contender){.rows = 1, .depth = ranks, .cols = 1, .groups = ranks};
    b->of[WAY_FULLER] = (contender){.rows = 1, .depth = ranks, .cols = 1, .groups = 2 * ranks};
    b->of[WAY_COLUMNS] = (contender){.rows = 1, .depth = 1, .cols = ranks, .groups = 1};
}

static engine_settings settings_of(const depths *b, const contender *c)
{
    engine_settings set = b->settings;
    set.tp = c->cols;
    set.depth = c->depth;
    set.groups = c->groups;
    set.documents = b->all / c->rows;
    return set;
}

/* One row has no more ranks than heads; a group has its answers. */
static bool possible(const depths *b, const contender *c)
{
    return c->cols <= b->source.geometry.n_heads && c->groups <= ENGINE_GROUPS_MAX;
}

/* All engines at once, so that they can take turns. */
static status open_all(depths *b)
{
    comm  *world = b->on->world;
    double total = 0;
    TRY(source_open(&b->source, b->on->knobs, world));
    settle(b);
    for (int i = 0; i < WAYS; i++) {
        engine_memory   need;
        engine_settings set = settings_of(b, &b->of[i]);
        if (!possible(b, &b->of[i])) continue;
        TRY(comm_agree(world, engine_plan(&need, &set)));
        total += (double)need.total;
    }
    TRY(source_fits(total, world));
    TRY(comm_agree(world, roster_open(&b->roster)));
    for (int i = 0; i < WAYS; i++) {
        engine_settings set = settings_of(b, &b->of[i]);
        if (possible(b, &b->of[i])) TRY(engine_open(&b->of[i].engine, &set, world));
    }
    return DID_OK;
}

static status all_ways(const ground *on, const kernels *k)
{
    depths *b = calloc(1, sizeof *b);
    status  s = b ? DID_OK : status_fail(DID_ENOMEM, "no memory for the contenders");
    s = comm_agree(on->world, s);
    if (s == DID_OK) {
        *b = (depths){.on = on, .kernels = k};
        s = open_all(b);
        if (s == DID_OK) s = run_rounds(b);
        if (s == DID_OK) tell(b);
        source_close(&b->source);
        roster_close(&b->roster);
        for (int i = 0; i < WAYS; i++) engine_close(&b->of[i].engine);
    }
    free(b);
    return s;
}

status bench_depths(const ground *on)
{
    for (precision p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        const kernels *k = rival_set(on->knobs, p);
        if (k) TRY(all_ways(on, k));
    }
    return DID_OK;
}
