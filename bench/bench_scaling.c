#include "bench_scaling.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "kernels.h"
#include "outlook.h"
#include "rival.h"
#include "roster.h"
#include "source.h"
#include "verdict.h"

static const column columns[] = {
    {"way", "way", -7, 0},          {"mode", "mode", -6, 0},        {"ranks", "ranks", 5, 0},
    {"grid", "rows x cols", -11, 0}, {"documents", "docs", 5, 0},   {"digest", "digest", -16, 0},
    {"s_min", "s min", 8, 3},       {"s_median", "median", 8, 3},   {"s_max", "max", 8, 3},
    {"tokens_s", "tokens/s", 9, 1}, {"percent", "effic %", 7, 1},   {"apart_s", "apart s", 8, 3},
    {"of_apart", "x apart", 7, 2},  {"check", "", -6, 0},
};

enum { CONTENDERS_MAX = 40 };

typedef enum { MODE_WEAK, MODE_STRONG, MODES } mode;

static const char *const mode_names[MODES] = {"weak", "strong"};

/* The same documents again and again. */
typedef struct lap {
    double   seconds[MEASURE_SAMPLES_MAX];
    double   apart[MEASURE_SAMPLES_MAX]; /* by as many ranks that know nothing of each other */
    uint64_t digest;                     /* rank 0: of the last run */
    verdict  verdict;
} lap;

/* The first `ranks` ranks, in rows of `cols`. */
typedef struct contender {
    int     ranks, cols;
    comm   *on;     /* these ranks; for the others, those that look on */
    bool    mine;   /* am I one of them? */
    engine *engine; /* NULL: one rank, which has b->single */
    lap     of[MODES];
} contender;

typedef struct scaling {
    const ground   *on;
    source          source;
    const kernels  *kernels;
    engine_settings settings;
    comm           *alone;  /* this rank */
    engine         *single; /* its own engine */
    contender       of[CONTENDERS_MAX];
    int             n, rounds;
    int             each, all; /* documents of a rank in weak lines, of everybody in strong ones */
    roster_kind     kind;
    roster          roster;
    uint64_t       *known;  /* rank 0: [all + 1] digests of one rank's first 0, 1 ... of them */
    engine         *engine; /* of the run at hand */
    status          ran;    /* and how it ended on this rank */
} scaling;

status bench_scaling_check(const knobs *k, int ranks)
{
    geometry g;
    TRY(source_check(&g, k, ranks));
    if (k->length == 1)
        return status_fail(DID_EINVAL, "--length: found 1, expected 0 or at least 2 positions");
    if (!engine_reproduces(k->tp))
        return status_fail(DID_EINVAL, "--tp: found %d, expected 1, 2, 4 or 8: only these give the "
                           "bytes of one rank", k->tp);
    if ((int64_t)k->each * ranks > 1 << 24)
        return status_fail(DID_EINVAL, "--documents: found %d, too many for %d ranks", k->each,
                           ranks);
    return rival_check(k);
}

/* ---- one run ---- */

/* How ranks that are apart end is asked after the clock has stopped. */
static status run(void *context)
{
    scaling    *b = context;
    engine_feed feed = roster_feed(&b->roster);
    b->ran = engine_run(b->engine, engine_leads(b->engine) ? &feed : NULL);
    return DID_OK;
}

/* The first `n` documents by `rows` rows, of which mine is `row`, on the ranks of `on`: seconds until
 * the last rank is through, and what the documents became. */
static status run_once(scaling *b, comm *on, engine *e, int row, int rows, int n, double *seconds,
                       uint64_t *digest, verdict *v)
{
    measured m;
    effort   once = {1, 1, 0, 0, true};
    task     t = {.context = b, .run = run, .calls_max = 1};
    int      mine = engine_leads(e) && n > row ? (n - row + rows - 1) / rows : 0;
    b->engine = e;
    b->roster.row = row;
    b->roster.rows = rows;
    TRY(comm_agree(on, roster_begin(&b->roster, mine, b->each)));
    TRY(measure_task(&m, &t, &once, on));
    TRY(comm_agree(on, b->ran));
    *seconds = m.max;
    return roster_digest(digest, &b->roster, v, on);
}

/* ---- turns ---- */

static void judge(const scaling *b, uint64_t digest, int n, const char *who, verdict *v)
{
    if (b->known && digest != b->known[n])
        verdict_wrong(v, "FAILED, documents of %s have digest %016" PRIx64 ", one rank's %016" PRIx64,
                      who, digest, b->known[n]);
}

static int documents_of(const scaling *b, const contender *c, mode w)
{
    return w == MODE_WEAK ? b->each * c->ranks : b->all;
}

/* Have ranks each a document of their own? Then as many could work apart. */
static bool can_part(const contender *c)
{
    return c->cols == 1 && c->ranks > 1;
}

static status run_lap(scaling *b, contender *c, mode w, int round)
{
    lap     *l = &c->of[w];
    engine  *e = c->engine ? c->engine : b->single;
    int      n = documents_of(b, c, w), at = round < 0 ? 0 : round;
    uint64_t apart;
    TRY(run_once(b, c->on, e, engine_row(e), c->ranks / c->cols, n, &l->seconds[at], &l->digest,
                 &l->verdict));
    judge(b, l->digest, n, "these ranks", &l->verdict);
    if (!can_part(c)) return DID_OK;
    TRY(run_once(b, c->on, b->single, comm_rank(c->on), c->ranks, n, &l->apart[at], &apart,
                 &l->verdict));
    judge(b, apart, n, "ranks apart", &l->verdict);
    return DID_OK;
}

/* Who looks on sleeps until the others are through. */
static status regather(const scaling *b, status mine)
{
    TRY(comm_meet(b->on->world, EV_BENCH));
    return comm_agree(b->on->world, mine);
}

/* All in turn, again and again: what else the machine does meets all of them. A first round is cold
 * and not told. */
static status run_rounds(scaling *b)
{
    for (int round = -1; round < b->rounds; round++)
        for (int i = 0; i < b->n; i++)
            for (int w = 0; w < MODES; w++) {
                contender *c = &b->of[i];
                TRY(regather(b, c->mine ? run_lap(b, c, (mode)w, round) : DID_OK));
            }
    return DID_OK;
}

/* All documents by one rank: what they have to become everywhere. One that is not finished here is
 * not finished in any line either, and told there. */
static status find_known(scaling *b)
{
    double    seconds;
    uint64_t  digest;
    verdict   v = {0};
    uint64_t *known = calloc((size_t)b->all + 1, sizeof *known);
    if (!known) return status_fail(DID_ENOMEM, "no memory for %d documents", b->all);
    status s = run_once(b, b->alone, b->single, 0, 1, b->all, &seconds, &digest, &v);
    for (int i = 0; s == DID_OK && i < b->all; i++) known[i + 1] = known[i] + roster_digest_of(&b->roster, i);
    b->known = known;
    return s;
}

/* ---- lines ---- */

/* The median of x[i] / y[i]: both were measured one after the other. */
static double quotient(const double *x, const double *y, int n)
{
    measured m;
    double   q[MEASURE_SAMPLES_MAX];
    for (int i = 0; i < n; i++) q[i] = x[i] / y[i];
    measure_summarize(&m, q, 1, n);
    return m.median;
}

static json_t *line_of(const scaling *b, const contender *c, mode w)
{
    char        text[32];
    const lap  *l = &c->of[w];
    json_t     *line = json_object();
    json_object_set_new(line, "kind", json_string("scaling"));
    json_object_set_new(line, "model", json_string(b->source.name));
    json_object_set_new(line, "signature",
                        json_string(engine_signature(c->engine ? c->engine : b->single)));
    json_object_set_new(line, "way", json_string(c->cols > 1 ? "columns" : "rows"));
    json_object_set_new(line, "mode", json_string(mode_names[w]));
    json_object_set_new(line, "ranks", json_integer(c->ranks));
    snprintf(text, sizeof text, "%d x %d", c->ranks / c->cols, c->cols);
    json_object_set_new(line, "grid", json_string(text));
    json_object_set_new(line, "length", json_integer(b->roster.length));
    json_object_set_new(line, "documents", json_integer(documents_of(b, c, w)));
    snprintf(text, sizeof text, "%016" PRIx64, l->digest);
    json_object_set_new(line, "digest", json_string(text));
    table_check(line, l->verdict.wrong, l->verdict.why);
    return line;
}

static void add_speed(json_t *line, const scaling *b, const contender *c, mode w)
{
    double     seconds[MEASURE_SAMPLES_MAX];
    const lap *l = &c->of[w], *one = &b->of[0].of[w];
    measured   m = {.samples = b->rounds, .calls = 1};
    double     gain = quotient(one->seconds, l->seconds, b->rounds);
    double     tokens = (double)documents_of(b, c, w) * (b->roster.length - 1);
    memcpy(seconds, l->seconds, sizeof seconds);
    measure_summarize(&m, seconds, 1, b->rounds);
    table_seconds(line, &m);
    json_object_set_new(line, "tokens_s", json_real(tokens / m.median));
    json_object_set_new(line, "percent", json_real(100 * gain / (w == MODE_WEAK ? 1 : c->ranks)));
    if (!can_part(c)) return;
    json_object_set_new(line, "of_apart", json_real(quotient(l->apart, l->seconds, b->rounds)));
    memcpy(seconds, l->apart, sizeof seconds);
    measure_summarize(&m, seconds, 1, b->rounds);
    json_object_set_new(line, "apart_s", json_real(m.median));
}

static void tell(const scaling *b)
{
    int failed = 0;
    for (int w = 0; w < MODES; w++)
        for (int i = 0; i < b->n; i++) {
            const contender *c = &b->of[i];
            json_t          *line = line_of(b, c, (mode)w);
            if (!c->of[w].verdict.wrong) add_speed(line, b, c, (mode)w);
            failed += c->of[w].verdict.wrong;
            table_line(b->on->table, line);
        }
    table_remark(b->on->table, "\nDocuments of every line against one rank's: %d lines, %d PASSED, "
                 "%d FAILED", b->n * MODES, b->n * MODES - failed, failed);
}

static void begin(const scaling *b)
{
    char title[320];
    snprintf(title, sizeof title,
             "documents of %d positions by %.60s in f32, blocks of %d, refined in %d steps%s; %d a "
             "rank (weak), %d in all (strong); efficiency against one rank; apart: as many ranks alone",
             b->roster.length, b->source.name, b->on->knobs->block, b->on->knobs->steps,
             b->settings.reproducible ? ", reproducible" : "", b->each, b->all);
    table_begin(b->on->table, title, columns, sizeof columns / sizeof *columns);
}

/* What documents cost a host, as the engine goes about it: a token a pass in the draft, and in the
 * refinement so many steps for each window of what is reopened. */
static status foresee(const scaling *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    int             per_host = 1, length = b->roster.length;
    int             window = length < g->length ? length : g->length;
    double          open = floor(ROSTER_REOPENED * (length - 1));
    double          windows = length > window ? 1 + ceil((length - window) / (window / 2.0)) : 1;
    TRY(comm_node_size(b->on->world, &per_host));
    forecast_job job = {.documents = (double)b->each * per_host,
                        .length = length,
                        .window = window,
                        .in_flight = b->each,
                        .pass_rows = k->pass_rows,
                        .n_stages = 2,
                        .stage = {{k->block, length - 1, length - 1, length - 1},
                                  {length, fmin(open, windows * k->steps), open, open}}};
    outlook_tell(b->on, g, b->kernels, &job, per_host);
    return DID_OK;
}

/* ---- opening ---- */

static void enter(scaling *b, int ranks, int cols)
{
    b->of[b->n].ranks = ranks;
    b->of[b->n++].cols = cols;
}

/* Rows of one rank, then one row of more. */
static void choose(scaling *b)
{
    int64_t ranks = comm_size(b->on->world), n = 1;
    for (; n < ranks; n *= 2) enter(b, (int)n, 1);
    enter(b, (int)ranks, 1);
    for (int q = 2; q <= b->on->knobs->tp; q *= 2) enter(b, q, q);
}

static void settle(scaling *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    int             length = k->length ? k->length : g->length;
    int             end = g->end_id >= 0 ? g->end_id : g->mask_id == 0;
    b->rounds = k->repeats;
    b->each = k->each;
    b->all = k->each * comm_size(b->on->world);
    b->settings = (engine_settings){.model = {b->source.dir},
                                    .n_models = 1,
                                    .tp = 1,
                                    .documents = b->each,
                                    .pass_rows = k->pass_rows,
                                    .length_max = length,
                                    .end_id = end,
                                    .threads = 1,
                                    .fused_commit = true,
                                    .folded = true,
                                    .reproducible = k->tp > 1,
                                    .kernels = k->kernels};
    b->kind = roster_refined(k->block, k->steps);
    b->roster = (roster){.most = b->all,
                         .length = length,
                         .end_id = end,
                         .mask_id = g->mask_id,
                         .seed = k->seed,
                         .rows = 1,
                         .kind = &b->kind,
                         .n_kinds = 1};
    choose(b);
}

static status check_memory(scaling *b)
{
    double          total = 0;
    engine_settings set = b->settings;
    for (int i = 0; i < b->n; i++) {
        engine_memory need = {0};
        set.tp = b->of[i].cols;
        TRY(comm_agree(b->on->world, engine_plan(&need, &set)));
        total += (double)need.total;
    }
    return source_fits(total, b->on->world);
}

static status open_contender(scaling *b, contender *c)
{
    comm           *world = b->on->world;
    engine_settings set = b->settings;
    set.tp = c->cols;
    c->mine = comm_rank(world) < c->ranks;
    TRY(comm_split(&c->on, world, c->mine ? 0 : 1, comm_rank(world)));
    if (c->ranks == 1) return DID_OK;
    return regather(b, c->mine ? engine_open(&c->engine, &set, c->on) : DID_OK);
}

/* All engines at once, so that they can take turns. */
static status open_all(scaling *b)
{
    comm *world = b->on->world;
    TRY(source_open(&b->source, b->on->knobs, world));
    settle(b);
    TRY(check_memory(b));
    TRY(comm_agree(world, roster_open(&b->roster)));
    TRY(comm_split(&b->alone, world, comm_rank(world), 0));
    TRY(comm_agree(world, engine_open(&b->single, &b->settings, b->alone)));
    for (int i = 0; i < b->n; i++) TRY(open_contender(b, &b->of[i]));
    return DID_OK;
}

static void close_all(scaling *b)
{
    source_close(&b->source);
    roster_close(&b->roster);
    for (int i = 0; i < b->n; i++) {
        engine_close(&b->of[i].engine);
        comm_close(&b->of[i].on);
    }
    engine_close(&b->single);
    comm_close(&b->alone);
    free(b->known);
}

status bench_scaling(const ground *on)
{
    scaling *b = calloc(1, sizeof *b);
    status   s = b ? DID_OK : status_fail(DID_ENOMEM, "no memory for the contenders");
    s = comm_agree(on->world, s);
    if (s == DID_OK) {
        *b = (scaling){.on = on, .kernels = rival_set(on->knobs, PRECISION_F32)};
        s = open_all(b);
        if (s == DID_OK) s = regather(b, comm_rank(on->world) == 0 ? find_known(b) : DID_OK);
        if (s == DID_OK) s = run_rounds(b);
        if (s == DID_OK) {
            begin(b);
            tell(b);
            s = foresee(b);
        }
        close_all(b);
    }
    free(b);
    return s;
}
