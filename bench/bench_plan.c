#include "bench_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_calibrate.h"
#include "engine.h"
#include "kernels.h"
#include "log.h"
#include "rival.h"
#include "roster.h"
#include "source.h"
#include "verdict.h"

static const column columns[] = {
    {"layout", "layout", -14, 0},     {"precision", "", -4, 0},         {"pass", "pass", -6, 0},
    {"rows", "rows", 6, 1},           {"predicted", "predicted ms", 12, 3},
    {"measured", "measured ms", 11, 3}, {"error", "error %", 7, 1},     {"check", "", -6, 0},
    {"linear", "linear", 6, 1},       {"attention", "attent", 6, 1},    {"rowwise", "rowwis", 6, 1},
    {"draw", "draw", 5, 1},           {"wire", "wire", 5, 1},
};

enum { TRIALS_MAX = 16, SAMPLES_MAX = 1024 };
static const double TOLERANCE = 15; /* percent */

typedef enum { KIND_DRAFT, KIND_REFINE, KINDS } kind;

static const char *const kind_names[KINDS] = {"draft", "refine"};

/* What passes of one kind took that one layout ran, as the first team's leader saw them: by the clock,
 * and by the cost model. */
typedef struct lap {
    engine_forecast measured[SAMPLES_MAX], predicted[SAMPLES_MAX];
    double          rows[SAMPLES_MAX];
    int             n;
} lap;

typedef struct trial {
    int       ranks, cols, depth, span;
    precision precision;
    comm     *on;   /* these ranks; for the others, those that look on */
    bool      mine; /* am I one of them? */
    engine   *engine;
    lap       of[KINDS];
} trial;

typedef struct plan {
    const ground *on;
    source        source;
    calibration   machine;
    int           here; /* ranks of a host */
    trial         of[TRIALS_MAX];
    int           n;
    roster        roster;
    roster_kind   stages[KINDS];
} plan;

status bench_plan_check(const knobs *k, int ranks)
{
    geometry g;
    TRY(source_check(&g, k, ranks));
    TRY(rival_check(k));
    if (k->length % k->block || k->length < 4 * k->block)
        return status_fail(DID_EINVAL, "--length: found %d, expected at least four blocks of %d",
                           k->length, k->block);
    if (k->repeats * k->steps > SAMPLES_MAX)
        return status_fail(DID_EINVAL, "--repeats %d --steps %d: expected at most %d passes",
                           k->repeats, k->steps, SAMPLES_MAX);
    return DID_OK;
}

/* ---- one run ---- */

/* Looks on while an engine runs a roster. */
typedef struct watch {
    engine_feed     feed;    /* the roster's */
    lap            *lap;     /* NULL: nothing is kept */
    int             skipped; /* the first passes, which are cold or fill a pipeline */
    int             passes, most;
    engine_progress last;
} watch;

static status take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    watch *w = context;
    return w->feed.take(w->feed.context, docs, room, wait_ms, n, over);
}

static status take_back(void *context, document **doc)
{
    watch *w = context;
    return w->feed.deliver(w->feed.context, doc);
}

static engine_forecast less(const engine_forecast *a, const engine_forecast *b)
{
    return (engine_forecast){.seconds = a->seconds - b->seconds,
                             .linear = a->linear - b->linear,
                             .attention = a->attention - b->attention,
                             .rowwise = a->rowwise - b->rowwise,
                             .draw = a->draw - b->draw,
                             .wire = a->wire - b->wire};
}

static engine_forecast clock_of(const engine_progress *p)
{
    return (engine_forecast){.seconds = p->seconds_passes,
                             .linear = p->seconds_linear,
                             .attention = p->seconds_attention,
                             .rowwise = p->seconds_rowwise,
                             .draw = p->seconds_draw,
                             .wire = p->seconds_wire};
}

static status passed(void *context, document *const *docs, int n, const engine_progress *p,
                     bool *stop)
{
    watch *w = context;
    lap   *l = w->lap;
    (void)docs;
    (void)n;
    if (l && w->passes >= w->skipped && l->n < SAMPLES_MAX) {
        engine_forecast now = clock_of(p), before = clock_of(&w->last);
        l->rows[l->n] = (double)(p->rows - w->last.rows);
        l->predicted[l->n] = less(&p->predicted, &w->last.predicted);
        l->measured[l->n++] = less(&now, &before);
    }
    w->last = *p;
    *stop = ++w->passes == w->most;
    return DID_OK;
}

static int skipped_of(const trial *t)
{
    return t->depth > 1 ? 2 * t->depth : 1;
}

/* A few passes of one kind. */
static status run(plan *b, trial *t, kind what, bool kept)
{
    const knobs    *k = b->on->knobs;
    int             row = engine_row(t->engine), n = k->each * t->depth * t->span;
    watch           w = {.lap = kept ? &t->of[what] : NULL, .skipped = skipped_of(t)};
    b->roster.kind = &b->stages[what];
    b->roster.row = row;
    b->roster.rows = t->ranks / (t->cols * t->depth * t->span);
    TRY(comm_agree(t->on, roster_begin(&b->roster, engine_leads(t->engine) ? n : 0, n)));
    w.feed = roster_feed(&b->roster);
    w.most = w.skipped + k->steps;
    w.last = engine_totals(t->engine);
    engine_feed feed = {&w, take, take_back, passed, take_back};
    TRY(comm_barrier(t->on, EV_BENCH));
    return comm_agree(t->on, engine_run(t->engine, engine_leads(t->engine) ? &feed : NULL));
}

/* Who looks on sleeps until the others are through. */
static status regather(const plan *b, status mine)
{
    TRY(comm_meet(b->on->world, EV_BENCH));
    return comm_agree(b->on->world, mine);
}

/* All in turn, again and again; the first round is cold and not told. */
static status run_rounds(plan *b)
{
    for (int round = -1; round < b->on->knobs->repeats; round++)
        for (int i = 0; i < b->n; i++)
            for (int what = 0; what < KINDS; what++) {
                trial *t = &b->of[i];
                TRY(regather(b, t->mine ? run(b, t, (kind)what, round >= 0) : DID_OK));
            }
    return DID_OK;
}

/* ---- lines ---- */

static void name_of(char text[24], const trial *t)
{
    int rows = t->ranks / (t->cols * t->depth * t->span);
    if (t->ranks == 1) snprintf(text, 24, "1 rank");
    else if (t->depth > 1) snprintf(text, 24, "%d depths", t->depth);
    else if (t->span > 1) snprintf(text, 24, "span of %d", t->span);
    else if (t->cols == 1) snprintf(text, 24, "%d rows", rows);
    else snprintf(text, 24, "%d x %d columns", rows, t->cols);
}

/* Means over the middle half of the passes, by how far they are from what was predicted: what else
 * the machine did meanwhile is at the ends. */
typedef struct middle {
    engine_forecast measured, predicted;
    double          rows;
} middle;

static double quotient(const lap *l, int i)
{
    return l->predicted[i].seconds / l->measured[i].seconds;
}

static void add_to(engine_forecast *sum, const engine_forecast *x, double share)
{
    sum->seconds += share * x->seconds;
    sum->linear += share * x->linear;
    sum->attention += share * x->attention;
    sum->rowwise += share * x->rowwise;
    sum->draw += share * x->draw;
    sum->wire += share * x->wire;
}

static middle middle_of(const lap *l)
{
    middle m = {.rows = 0};
    int    kept = l->n - 2 * (l->n / 4);
    for (int i = 0; i < l->n; i++) {
        int place = 0;
        for (int j = 0; j < l->n; j++)
            place += quotient(l, j) < quotient(l, i) || (quotient(l, j) == quotient(l, i) && j < i);
        if (place < l->n / 4 || place >= l->n - l->n / 4) continue;
        add_to(&m.measured, &l->measured[i], 1.0 / kept);
        add_to(&m.predicted, &l->predicted[i], 1.0 / kept);
        m.rows += l->rows[i] / kept;
    }
    return m;
}

/* What of the error comes from which kind of work, in percent of a pass. */
static void add_sections(json_t *line, const middle *m)
{
    double whole = m->measured.seconds / 100;
#define ADD(name) json_object_set_new(line, #name, json_real((m->predicted.name - m->measured.name) / whole))
    ADD(linear);
    ADD(attention);
    ADD(rowwise);
    ADD(draw);
    ADD(wire);
#undef ADD
}

static bool tell_line(const plan *b, const trial *t, kind what)
{
    char    name[24];
    middle  m = middle_of(&t->of[what]);
    json_t *line = json_object();
    double  error = 100 * (m.predicted.seconds / m.measured.seconds - 1);
    bool    near = fabs(error) <= TOLERANCE;
    name_of(name, t);
    json_object_set_new(line, "kind", json_string("plan"));
    json_object_set_new(line, "model", json_string(b->source.name));
    json_object_set_new(line, "layout", json_string(name));
    json_object_set_new(line, "precision", json_string(rival_name(t->precision)));
    json_object_set_new(line, "pass", json_string(kind_names[what]));
    json_object_set_new(line, "ranks", json_integer(t->ranks));
    json_object_set_new(line, "samples", json_integer(t->of[what].n));
    json_object_set_new(line, "rows", json_real(m.rows));
    json_object_set_new(line, "predicted", json_real(1e3 * m.predicted.seconds));
    json_object_set_new(line, "measured", json_real(1e3 * m.measured.seconds));
    json_object_set_new(line, "error", json_real(error));
    json_object_set_new(line, "check", json_string(near ? "PASSED" : "FAILED"));
    if (t->depth == 1) add_sections(line, &m);
    table_line(b->on->table, line);
    return near;
}

static void tell(const plan *b)
{
    int    lines = 0, passed_lines = 0;
    char   title[256];
    table *out = b->on->table;
    if (!out) return;
    snprintf(title, sizeof title,
             "passes of %.60s, documents of %d positions, %d in flight a row; the last columns say "
             "where the error comes from, in %% of a pass",
             b->source.name, b->on->knobs->length, b->on->knobs->each);
    table_begin(out, title, columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < b->n; i++)
        for (int what = 0; what < KINDS; what++, lines++)
            passed_lines += tell_line(b, &b->of[i], (kind)what);
    table_remark(out, "\nPredicted within %.0f %% of what was measured: %d lines, %d PASSED, %d FAILED",
                 TOLERANCE, lines, passed_lines, lines - passed_lines);
    if (comm_size(b->on->world) > b->machine.cpus * b->machine.hosts)
        table_remark(out, "Ranks are more than processors: errors are told, and no promise.");
}

/* ---- opening ---- */

static void enter(plan *b, precision p, int ranks, int cols, int depth, int span)
{
    if (b->n == TRIALS_MAX) return;
    b->of[b->n++] = (trial){.ranks = ranks, .cols = cols, .depth = depth, .span = span,
                            .precision = p};
}

static void choose(plan *b)
{
    const geometry *g = &b->source.geometry;
    int             ranks = comm_size(b->on->world), tp = b->on->knobs->tp;
    for (precision p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        if (!rival_set(b->on->knobs, p)) continue;
        enter(b, p, 1, 1, 1, 1);
        if (ranks == 1) continue;
        enter(b, p, ranks, 1, 1, 1);
        if (tp > 1 && tp < ranks) enter(b, p, ranks, tp, 1, 1);
        if (ranks <= g->n_heads) enter(b, p, ranks, ranks, 1, 1);
        if (ranks <= g->n_layers) enter(b, p, ranks, 1, ranks, 1);
        enter(b, p, ranks, 1, 1, ranks);
    }
}

static engine_settings settings_of(const plan *b, const trial *t)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    return (engine_settings){.model = {b->source.dir},
                             .n_models = 1,
                             .tp = t->cols,
                             .depth = t->depth,
                             .span = t->span,
                             .documents = k->each * t->depth,
                             .pass_rows = k->pass_rows,
                             .length_max = k->length,
                             .end_id = g->end_id >= 0 ? g->end_id : g->mask_id == 0,
                             .threads = 1,
                             .refine_window = k->length,
                             .fused_commit = true,
                             .folded = true,
                             .bf16 = t->precision == PRECISION_BF16,
                             .kernels = k->kernels,
                             .machine = &b->machine,
                             .per_host = t->ranks == 1 ? 1 : b->here};
}

static status check_memory(const plan *b)
{
    double total = 0;
    for (int i = 0; i < b->n; i++) {
        engine_memory   need = {0};
        engine_settings s = settings_of(b, &b->of[i]);
        TRY(comm_agree(b->on->world, engine_plan(&need, &s)));
        total += (double)need.total;
    }
    return source_fits(total, b->on->world);
}

static status open_trial(plan *b, trial *t)
{
    comm           *world = b->on->world;
    engine_settings s = settings_of(b, t);
    t->mine = comm_rank(world) < t->ranks;
    TRY(comm_split(&t->on, world, t->mine ? 0 : 1, comm_rank(world)));
    return regather(b, t->mine ? engine_open(&t->engine, &s, t->on) : DID_OK);
}

static void settle(plan *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    stage           usual = {.nucleus = 0.9, .temperature = 1};
    int             most = 2 * comm_size(b->on->world);
    b->stages[KIND_DRAFT] = b->stages[KIND_REFINE] = (roster_kind){1, {usual}};
    b->stages[KIND_DRAFT].stage[0].block = k->block;
    b->stages[KIND_DRAFT].stage[0].sampler = SAMPLER_FHS;
    b->stages[KIND_REFINE].stage[0].block = STAGE_BLOCK_WHOLE;
    b->stages[KIND_REFINE].stage[0].sampler = SAMPLER_QUOTA;
    b->stages[KIND_REFINE].stage[0].steps = 2 * (most + k->steps);
    b->roster = (roster){.most = k->each * comm_size(b->on->world),
                         .length = k->length,
                         .end_id = settings_of(b, &b->of[0]).end_id,
                         .mask_id = g->mask_id,
                         .seed = k->seed,
                         .rows = 1,
                         .n_kinds = 1};
}

static status open_all(plan *b)
{
    verdict v = {0};
    comm   *world = b->on->world;
    TRY(comm_node_size(world, &b->here));
    log_say("bench", "calibrating");
    TRY(bench_calibrate_take(&b->machine, &v, b->on));
    if (v.wrong) return status_fail(DID_EFORMAT, "the calibration is not valid: %s", v.why);
    TRY(source_open(&b->source, b->on->knobs, world));
    choose(b);
    settle(b);
    TRY(check_memory(b));
    TRY(comm_agree(world, roster_open(&b->roster)));
    for (int i = 0; i < b->n; i++) TRY(open_trial(b, &b->of[i]));
    return DID_OK;
}

static void close_all(plan *b)
{
    source_close(&b->source);
    roster_close(&b->roster);
    for (int i = 0; i < b->n; i++) {
        engine_close(&b->of[i].engine);
        comm_close(&b->of[i].on);
    }
}

status bench_plan(const ground *on)
{
    plan  *b = calloc(1, sizeof *b);
    status s = b ? DID_OK : status_fail(DID_ENOMEM, "no memory for the layouts");
    s = comm_agree(on->world, s);
    if (s == DID_OK) {
        b->on = on;
        s = open_all(b);
        if (s == DID_OK) s = run_rounds(b);
        if (s == DID_OK) tell(b);
        close_all(b);
    }
    free(b);
    return s;
}
