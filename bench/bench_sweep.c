#include "bench_sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench_documents.h"
#include "clock.h"
#include "roster.h"
#include "source.h"

static const column columns[] = {
    {"how", "how", -34, 0},           {"documents", "docs", 5, 0},  {"in_flight", "flight", 6, 0},
    {"seconds", "seconds", 9, 2},     {"s_document", "s/doc", 8, 3}, {"rows", "rows/p", 6, 1},
    {"core_s_document", "core s/doc", 10, 3}, {"times_core", "per core", 8, 2},
    {"load_s", "load s", 7, 2},       {"whole_h", "sweep h", 8, 3},
    {"whole_loads_h", "+loads h", 8, 3}, {"times", "times", 7, 2},   {"times_loads", "+loads", 7, 2},
};

enum { SETTINGS = 24 };

typedef struct sweep {
    const ground   *on;
    source          source;
    engine_settings settings;
    engine         *engine;
    roster_kind     kind[SETTINGS];
    lineage         shared; /* by settings */
    roster          roster; /* of my row's leader */
    int             each;   /* documents of a setting that are made: so many that all rows have some */
    verdict         verdict;
    double          load_s;
    status          made; /* of the documents of the next run */
} sweep;

/* One way to make documents, measured. */
typedef struct way {
    const char *how;
    int         documents, in_flight;
    double      seconds, rows; /* rows of a pass on the first row */
    double      worked;        /* by processors, in the passes of all ranks */
} way;

status bench_sweep_check(const knobs *k, int ranks)
{
    return bench_documents_check(k, ranks);
}

/* ---- the settings ---- */

static stage refinement(double share, policy by, int steps, order in)
{
    return (stage){.block = STAGE_BLOCK_WHOLE,
                   .remask = share,
                   .policy = by,
                   .sampler = SAMPLER_QUOTA,
                   .steps = steps,
                   .order = in,
                   .nucleus = 0.9,
                   .temperature = 1};
}

static roster_kind draft(int block, double nucleus)
{
    roster_kind k = {.n_stages = 1};
    k.stage[0] =
        (stage){.block = block, .sampler = SAMPLER_FHS, .nucleus = nucleus, .temperature = 1};
    return k;
}

static roster_kind refined(int rounds, stage how)
{
    roster_kind k = draft(4, 0.9);
    for (int i = 0; i < rounds; i++) k.stage[k.n_stages++] = how;
    return k;
}

/* What bench/specs asks, in one list. */
static void fill_kinds(roster_kind *k, int steps)
{
    static const double nuclei[] = {0.7, 0.8, 0.9, 1}, shares[] = {0.125, 0.25, 0.375, 0.5, 0.75};
    static const int    fewer[] = {4, 8, 16, 64};
    for (int i = 0; i < 4; i++) *k++ = draft(4, nuclei[i]);
    for (int block = 8; block <= 16; block *= 2) *k++ = draft(block, 0.9);
    for (int i = 0; i < 5; i++)
        *k++ = refined(1, refinement(shares[i], POLICY_LOWEST, steps, ORDER_RANDOM));
    for (int i = 0; i < 3; i++)
        *k++ = refined(1, refinement(0.25 * (i + 1), POLICY_RANDOM, steps, ORDER_RANDOM));
    for (int i = 0; i < 2; i++)
        *k++ = refined(1, refinement(0.25 * (i + 1), POLICY_POSTHOC, steps, ORDER_RANDOM));
    for (int i = 0; i < 4; i++)
        *k++ = refined(1, refinement(0.25, POLICY_LOWEST, fewer[i], ORDER_RANDOM));
    for (int i = 0; i < 2; i++)
        *k++ = refined(1, refinement(0.25 * (i + 1), POLICY_LOWEST, steps, ORDER_CONFIDENT));
    for (int rounds = 2; rounds <= 3; rounds++)
        *k++ = refined(rounds, refinement(0.25, POLICY_LOWEST, steps, ORDER_RANDOM));
}

/* ---- runs ---- */

static bool leads(const sweep *b)
{
    return engine_leads(b->engine);
}

static status run(void *context)
{
    sweep      *b = context;
    engine_feed feed = roster_feed(&b->roster);
    TRY(comm_agree(b->on->world, b->made));
    return engine_run(b->engine, leads(b) ? &feed : NULL);
}

/* The first `n` documents of my row, `in_flight` at a time; *seconds until all rows are done. */
static status take(sweep *b, int n, int in_flight, double *seconds)
{
    const effort once = {.samples_min = 1, .samples_max = 1, .warm = true};
    task         t = {.context = b, .run = run, .calls_max = 1};
    measured     m = {0};
    if (leads(b)) b->made = roster_begin(&b->roster, n, in_flight);
    TRY(measure_task(&m, &t, &once, b->on->world));
    *seconds = m.max;
    if (leads(b)) roster_compare(&b->roster, &b->verdict);
    return verdict_agree(&b->verdict, b->on->world);
}

static double rows_per_pass(const engine_progress *from, const engine_progress *to)
{
    return to->passes > from->passes
               ? (double)(to->rows - from->rows) / (double)(to->passes - from->passes)
               : 0;
}

/* What all ranks have worked so far; whoever else is on the machine changes little of it. */
static status worked(const sweep *b, double *sum)
{
    comm   *world = b->on->world;
    double  mine = engine_totals(b->engine).seconds_worked;
    double *all = malloc((size_t)comm_size(world) * sizeof *all);
    status  s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for the times of ranks");
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, &mine, sizeof mine, EV_BENCH);
    *sum = 0;
    for (int i = 0; s == DID_OK && i < comm_size(world); i++) *sum += all[i];
    free(all);
    return s;
}

/* My first `n` documents, made in this way. */
static status make(sweep *b, way *w, int n)
{
    engine_progress from = engine_totals(b->engine);
    double          before, after;
    TRY(worked(b, &before));
    TRY(take(b, n, w->in_flight, &w->seconds));
    TRY(worked(b, &after));
    engine_progress to = engine_totals(b->engine);
    w->rows = rows_per_pass(&from, &to);
    w->worked = after - before;
    return DID_OK;
}

/* The first row makes the first document of every setting, while the others wait. */
static status one_by_one(sweep *b, way *w)
{
    *w = (way){.how = "one document at a time", .documents = SETTINGS, .in_flight = 1};
    return make(b, w, engine_row(b->engine) == 0 ? SETTINGS : 0);
}

static status all_at_once(sweep *b, way *w, int in_flight, const lineage *shared)
{
    *w = (way){.how = shared ? "and what they share made once" : "all settings in one pipeline",
               .documents = SETTINGS * b->each,
               .in_flight = in_flight};
    b->roster.shared = shared;
    status s = make(b, w, b->roster.most);
    b->roster.shared = NULL;
    return s;
}

/* ---- the table ---- */

/* Of a core, for one document. */
static double core_s(const way *w)
{
    return w->worked / w->documents;
}

/* Hours of a whole sweep at this pace, and with so many loads of the model. */
static double whole_h(const sweep *b, const way *w, int loads)
{
    double documents = (double)SETTINGS * b->on->knobs->of;
    return (documents * w->seconds / w->documents + loads * b->load_s) / 3600;
}

static void tell(const sweep *b, const way *w, const way *slow)
{
    json_t *line = json_object();
    int     loads = w == slow ? SETTINGS : 1;
    json_object_set_new(line, "kind", json_string("sweep"));
    json_object_set_new(line, "model", json_string(b->source.name));
    json_object_set_new(line, "signature", json_string(engine_signature(b->engine)));
    json_object_set_new(line, "how", json_string(w->how));
    json_object_set_new(line, "documents", json_integer(w->documents));
    json_object_set_new(line, "in_flight", json_integer(w->in_flight));
    json_object_set_new(line, "groups", json_integer(b->roster.rows));
    json_object_set_new(line, "tp", json_integer(b->settings.tp));
    json_object_set_new(line, "valid", json_boolean(!b->verdict.wrong));
    if (b->verdict.wrong) json_object_set_new(line, "why", json_string(b->verdict.why));
    else {
        json_object_set_new(line, "seconds", json_real(w->seconds));
        json_object_set_new(line, "s_document", json_real(w->seconds / w->documents));
        json_object_set_new(line, "rows", json_real(w->rows));
        json_object_set_new(line, "core_s_document", json_real(core_s(w)));
        json_object_set_new(line, "times_core", json_real(core_s(slow) / core_s(w)));
        json_object_set_new(line, "load_s", json_real(b->load_s));
        json_object_set_new(line, "whole_h", json_real(whole_h(b, w, 0)));
        json_object_set_new(line, "whole_loads_h", json_real(whole_h(b, w, loads)));
        json_object_set_new(line, "times", json_real(whole_h(b, slow, 0) / whole_h(b, w, 0)));
        json_object_set_new(line, "times_loads",
                            json_real(whole_h(b, slow, SETTINGS) / whole_h(b, w, loads)));
    }
    table_line(b->on->table, line);
}

/* A text that differs is found by whoever makes it second, so nothing is told before both did. */
static status all_lines(sweep *b)
{
    const counts *flight = &b->on->knobs->documents;
    way           slow, fast[2 * COUNTS_MAX];
    TRY(one_by_one(b, &slow));
    for (int i = 0; i < 2 * flight->n; i++)
        TRY(all_at_once(b, &fast[i], flight->at[i / 2], i % 2 ? &b->shared : NULL));
    tell(b, &slow, &slow);
    for (int i = 0; i < 2 * flight->n; i++) tell(b, &fast[i], &slow);
    return DID_OK;
}

/* ---- opening ---- */

static void settle(sweep *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    int             most = 1, length = k->length ? k->length : g->length;
    int             end = g->end_id >= 0 ? g->end_id : g->mask_id == 0;
    int             rows = comm_size(b->on->world) / k->tp;
    b->each = (k->each + rows - 1) / rows * rows;
    for (int i = 0; i < k->documents.n; i++)
        if (k->documents.at[i] > most) most = k->documents.at[i];
    b->settings = (engine_settings){.model = {b->source.dir},
                                    .n_models = 1,
                                    .tp = k->tp,
                                    .documents = most,
                                    .pass_rows = k->pass_rows,
                                    .length_max = length,
                                    .end_id = end,
                                    .fused_commit = true,
                                    .folded = true,
                                    .kernels = k->kernels,
                                    .threads = k->threads};
    fill_kinds(b->kind, k->steps);
    b->roster = (roster){.most = SETTINGS * (b->each / rows),
                         .length = length,
                         .end_id = end,
                         .mask_id = g->mask_id,
                         .seed = k->seed,
                         .rows = rows,
                         .families = true,
                         .kind = b->kind,
                         .n_kinds = SETTINGS};
}

static status find_shared(sweep *b)
{
    lineage_list list[SETTINGS];
    for (int i = 0; i < SETTINGS; i++)
        list[i] = (lineage_list){b->kind[i].stage, b->kind[i].n_stages, b->roster.length, false};
    return lineage_open(&b->shared, list, SETTINGS, false);
}

static status open_all(sweep *b)
{
    comm         *world = b->on->world;
    engine_memory need = {0};
    TRY(source_open(&b->source, b->on->knobs, world));
    settle(b);
    TRY(comm_agree(world, engine_plan(&need, &b->settings)));
    TRY(source_fits((double)need.total, world));
    double since = clock_seconds();
    TRY(engine_open(&b->engine, &b->settings, world));
    b->load_s = clock_seconds() - since;
    source_close(&b->source);
    b->roster.row = engine_row(b->engine);
    TRY(comm_agree(world, find_shared(b)));
    return comm_agree(world, roster_open(&b->roster));
}

status bench_sweep(const ground *on)
{
    char   title[256];
    sweep  b = {.on = on};
    status s = open_all(&b);
    if (s == DID_OK) {
        snprintf(title, sizeof title,
                 "a sweep of %d settings, %d documents of %d tokens each, by %.60s; hours and ratios "
                 "are multiplied up from the documents that were made",
                 SETTINGS, on->knobs->of, b.roster.length, b.source.name);
        table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
        s = all_lines(&b);
    }
    source_close(&b.source);
    roster_close(&b.roster);
    lineage_close(&b.shared);
    engine_close(&b.engine);
    return s;
}
