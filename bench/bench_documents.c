#include "bench_documents.h"

#include <stdio.h>
#include <string.h>

#include "kernels.h"
#include "model.h"
#include "rival.h"
#include "roster.h"
#include "source.h"

static const column columns[] = {
    {"stages", "stages", -12, 0},    {"in_flight", "flight", 6, 0},  {"documents", "docs", 4, 0},
    {"s_min", "s min", 8, 2},        {"s_median", "median", 8, 2},   {"s_max", "max", 8, 2},
    {"documents_h", "docs/h", 9, 1}, {"tokens_s", "tokens/s", 8, 1}, {"passes", "passes", 7, 0},
    {"rows", "rows/p", 6, 1},        {"percent", "% peak", 6, 1},    {"linear", "linear", 6, 1},
    {"attention", "attent", 6, 1},   {"row-wise", "rowwis", 6, 1},   {"draw", "draw", 5, 1},
    {"wire", "wire", 5, 1},          {"wait", "wait", 5, 1},         {"ratio", "x f32", 6, 2},
};

typedef struct documents {
    const ground   *on;
    source          source;
    engine_settings settings;
    const kernels  *kernels; /* as this host would have them: their peak is the measure */
    rival          *rival;
    engine         *engine;
    roster_kind     kind;
    roster          roster; /* of my row's leader */
    int             n, in_flight;
    verdict         verdict;
    status          made; /* of the documents of the next run */
} documents;

status bench_documents_check(const knobs *k, int ranks)
{
    geometry g;
    TRY(source_check(&g, k, ranks));
    if (k->length == 1)
        return status_fail(DID_EINVAL, "--length: found 1, expected 0 or at least 2 positions");
    return rival_check(k);
}

/* ---- one run ---- */

static bool leads(const documents *b)
{
    return engine_leads(b->engine);
}

/* Look at the texts of the run before, then make the documents of the next. */
static void reset(void *context)
{
    documents *b = context;
    if (!leads(b)) return;
    roster_compare(&b->roster, &b->verdict);
    b->made = roster_begin(&b->roster, b->n, b->in_flight);
}

static status run(void *context)
{
    documents  *b = context;
    engine_feed feed = roster_feed(&b->roster);
    TRY(comm_agree(b->on->world, b->made));
    return engine_run(b->engine, leads(b) ? &feed : NULL);
}

/* `n` documents on every row, `in_flight` at a time; timed into *m unless NULL. */
static status run_documents(documents *b, int n, int in_flight, measured *m)
{
    task t = {.context = b, .run = run, .reset = reset, .calls_max = 1};
    b->n = n;
    b->in_flight = in_flight;
    b->verdict = (verdict){0};
    if (m) TRY(measure_task(m, &t, &b->on->effort, b->on->world));
    else {
        reset(b);
        TRY(run(b));
    }
    if (leads(b)) roster_compare(&b->roster, &b->verdict);
    return verdict_agree(&b->verdict, b->on->world);
}

/* ---- one line ---- */

/* Operations of the linear layers for so many rows and drawn tokens, on the first rank: rows
 * that are not drawn leave the last layer after their keys. */
static double linear_flops(const documents *b, double rows, double drawn)
{
    model m;
    model_split(&m, &b->source.geometry, 0, b->settings.tp);
    double d = m.geometry.d_model, mine = m.heads.len * m.geometry.head_size, mlp = m.mlp.len;
    double rest = 2 * d * mine + 2 * d * mlp; /* Q, output, MLP */
    return 2 * (rows * (m.geometry.n_layers - 1) * (rest + 2 * d * mine) + rows * 2 * d * mine +
                drawn * (rest + d * m.vocab.len));
}

static void add_share(json_t *line, const char *name, double seconds, double whole)
{
    json_object_set_new(line, name, json_real(100 * seconds / whole));
}

/* What the engine counted on rank 0 between two moments, for `runs` runs. */
static void add_counts(json_t *line, const documents *b, const engine_progress *from,
                       const engine_progress *to, int runs, double seconds)
{
    double passes = (double)(to->passes - from->passes), rows = (double)(to->rows - from->rows);
    double drawn = (double)(to->drawn - from->drawn);
    double flops = linear_flops(b, rows, drawn) / runs;
    double whole = to->seconds_total - from->seconds_total;
    json_object_set_new(line, "passes", json_integer((json_int_t)(passes / runs)));
    json_object_set_new(line, "rows", json_real(rows / passes));
    json_object_set_new(line, "percent",
                        json_real(1e-7 * flops / seconds /
                                  peaks_gflops_of(&b->on->peaks, b->kernels)));
    add_share(line, "linear", to->seconds_linear - from->seconds_linear, whole);
    add_share(line, "attention", to->seconds_attention - from->seconds_attention, whole);
    add_share(line, "row-wise", to->seconds_rowwise - from->seconds_rowwise, whole);
    add_share(line, "draw", to->seconds_draw - from->seconds_draw, whole);
    add_share(line, "wire", to->seconds_wire - from->seconds_wire, whole);
    add_share(line, "wait", to->seconds_wait - from->seconds_wait, whole);
}

static json_t *line_of(const documents *b, int n, int in_flight)
{
    json_t *line = json_object();
    int     rows = comm_size(b->on->world) / b->settings.tp;
    json_object_set_new(line, "kind", json_string("documents"));
    json_object_set_new(line, "model", json_string(b->source.name));
    json_object_set_new(line, "precision", json_string(rival_name(b->kernels->precision)));
    json_object_set_new(line, "signature", json_string(engine_signature(b->engine)));
    json_object_set_new(line, "tp", json_integer(b->settings.tp));
    json_object_set_new(line, "groups", json_integer(rows));
    json_object_set_new(line, "length", json_integer(b->roster.length));
    json_object_set_new(line, "stages",
                        json_string(b->kind.n_stages > 1 ? "draft+refine" : "draft"));
    json_object_set_new(line, "in_flight", json_integer(in_flight));
    json_object_set_new(line, "documents", json_integer((json_int_t)rows * n));
    json_object_set_new(line, "valid", json_boolean(!b->verdict.wrong));
    if (b->verdict.wrong) json_object_set_new(line, "why", json_string(b->verdict.why));
    return line;
}

static void add_speed(json_t *line, const documents *b, const measured *m, int n)
{
    double all = (double)n * comm_size(b->on->world) / b->settings.tp;
    table_times(line, m);
    json_object_set_new(line, "s_min", json_real(m->min));
    json_object_set_new(line, "s_median", json_real(m->median));
    json_object_set_new(line, "s_max", json_real(m->max));
    json_object_set_new(line, "documents_h", json_real(3600 * all / m->median));
    json_object_set_new(line, "tokens_s", json_real(all * (b->roster.length - 1) / m->median));
}

static status take(documents *b, int in_flight)
{
    int             n = in_flight * b->on->knobs->waves;
    char            name[RIVAL_NAME];
    measured        m = {0};
    engine_progress from = engine_totals(b->engine);
    TRY(run_documents(b, n, in_flight, &m));
    engine_progress to = engine_totals(b->engine);
    json_t         *line = line_of(b, n, in_flight);
    if (!b->verdict.wrong) {
        add_speed(line, b, &m, n);
        add_counts(line, b, &from, &to, m.samples, m.median);
        snprintf(name, sizeof name, "%d %d", b->kind.n_stages, in_flight);
        rival_tell(b->rival, line, b->kernels->precision, false, name, m.median);
    }
    table_line(b->on->table, line);
    return DID_OK;
}

/* All numbers of documents in flight, with these stages; the first documents alone, beforehand. */
static status all_lines(documents *b, int n_stages)
{
    const knobs *k = b->on->knobs;
    int          alone = k->check < b->roster.most ? k->check : b->roster.most;
    b->kind.n_stages = n_stages;
    roster_forget(&b->roster);
    TRY(run_documents(b, alone, 1, NULL));
    if (b->verdict.wrong) {
        table_line(b->on->table, line_of(b, alone, 1));
        return DID_OK;
    }
    for (int i = 0; i < k->documents.n; i++) TRY(take(b, k->documents.at[i]));
    return DID_OK;
}

/* ---- opening ---- */

static void settle(documents *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    int             most = 0, length = k->length ? k->length : g->length;
    stage           usual = {.nucleus = 0.9, .temperature = 1};
    int             end = g->end_id >= 0 ? g->end_id : g->mask_id == 0;
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
                                    .bf16 = b->kernels->precision == PRECISION_BF16,
                                    .kernels = k->kernels,
                                    .threads = k->threads};
    b->roster = (roster){.most = most * k->waves,
                         .length = length,
                         .end_id = end,
                         .mask_id = g->mask_id,
                         .seed = k->seed,
                         .rows = comm_size(b->on->world) / k->tp,
                         .kind = &b->kind,
                         .n_kinds = 1};
    b->kind = (roster_kind){.stage = {usual, usual}};
    b->kind.stage[0].block = k->block;
    b->kind.stage[0].sampler = SAMPLER_FHS;
    b->kind.stage[1].block = STAGE_BLOCK_WHOLE;
    b->kind.stage[1].remask = 0.25;
    b->kind.stage[1].sampler = SAMPLER_QUOTA;
    b->kind.stage[1].steps = k->steps;
}

static status open_all(documents *b)
{
    comm         *world = b->on->world;
    engine_memory need = {0};
    TRY(source_open(&b->source, b->on->knobs, world));
    settle(b);
    TRY(comm_agree(world, engine_plan(&need, &b->settings)));
    TRY(source_fits((double)need.total, world));
    TRY(engine_open(&b->engine, &b->settings, world));
    source_close(&b->source);
    b->roster.row = engine_row(b->engine);
    return comm_agree(world, roster_open(&b->roster));
}

static status all_documents(const ground *on, const kernels *k, rival *r)
{
    char      title[256];
    documents b = {.on = on, .kernels = k, .rival = r};
    status    s = open_all(&b);
    if (s == DID_OK) {
        snprintf(
            title, sizeof title,
            "documents of %d tokens by %.60s in %s, blocks of %d, refined in %d steps; where the "
            "time goes in %%",
            b.roster.length, b.source.name, rival_name(k->precision), on->knobs->block,
            on->knobs->steps);
        table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
        for (int stages = 1; s == DID_OK && stages <= 2; stages++) s = all_lines(&b, stages);
    }
    source_close(&b.source);
    roster_close(&b.roster);
    engine_close(&b.engine);
    return s;
}

status bench_documents(const ground *on)
{
    rival r = {.n = 0};
    for (precision p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        const kernels *k = rival_set(on->knobs, p);
        if (k) TRY(all_documents(on, k, &r));
    }
    return DID_OK;
}
