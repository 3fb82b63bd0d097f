#include "bench_span.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine.h"
#include "kernels.h"
#include "rival.h"
#include "rng.h"
#include "source.h"
#include "verdict.h"

static const column columns[] = {
    {"span", "rows", 4, 0},           {"positions", "positions", 9, 0},
    {"s_min", "s min", 8, 3},         {"s_median", "median", 8, 3},
    {"s_max", "max", 8, 3},           {"times", "x 1 row", 7, 2},
    {"work_s", "cpu s", 8, 3},        {"work_times", "x 1 row", 7, 2},
    {"linear", "linear", 6, 1},       {"attention", "attent", 6, 1},
    {"row-wise", "rowwis", 6, 1},     {"draw", "draw", 5, 1},
    {"wire", "wire", 5, 1},           {"workspace_mb", "work MB", 8, 1},
    {"ratio", "x f32", 6, 2},
};

/* A refinement usually reopens a quarter and takes 32 passes to fill it. */
enum { SPANS_MAX = 16, PASS_SHARE = 128 };

/* The engine of one span. */
typedef struct contender {
    int             span;
    engine         *engine;
    engine_memory   bytes;
    engine_progress totals; /* over all rounds */
    double          seconds[MEASURE_SAMPLES_MAX];
    double          work[MEASURE_SAMPLES_MAX]; /* of a processor, on the rank that needed most */
    verdict         verdict;
} contender;

typedef struct spans {
    const ground   *on;
    source          source;
    const kernels  *kernels;
    rival          *rival;
    engine_settings settings;
    contender       of[SPANS_MAX];
    int             n, rounds, end_id;
    engine         *engine;  /* of the run at hand */
    document       *doc;     /* rank 0: of the run at hand; NULL while the engine has it */
    int32_t        *known;   /* rank 0: what it became the first time, [length] */
    bool            given;   /* rank 0: to the engine */
    status          made;
    double          work;    /* mine, in the run at hand */
} spans;

status bench_span_check(const knobs *k, int ranks)
{
    geometry g;
    TRY(source_check(&g, k, ranks));
    if (k->length < 2)
        return status_fail(DID_EINVAL, "--length: found %d, expected at least 2 positions",
                           k->length);
    return rival_check(k);
}

/* ---- the document: of one feed, on the first rank ---- */

static status take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    spans *b = context;
    (void)room;
    (void)wait_ms;
    *n = b->doc && !b->given;
    if (*n) docs[0] = b->doc;
    b->given = *over = true;
    return DID_OK;
}

static status take_back(void *context, document **doc)
{
    (void)context;
    *doc = NULL; /* it is still b->doc */
    return DID_OK;
}

static bool first(const spans *b)
{
    return comm_rank(b->on->world) == 0;
}

/* A text with as many masks as so many passes of a refinement fill. */
static status make(spans *b)
{
    const knobs *k = b->on->knobs;
    int          n = k->length, share = n / PASS_SHARE > 0 ? n / PASS_SHARE : 1;
    int          masks = share * k->steps < n - 1 ? share * k->steps : n - 1;
    int32_t     *given = malloc((size_t)n * sizeof *given);
    if (!given) return status_fail(DID_ENOMEM, "no memory for %d positions", n);
    for (int i = 0; i < n; i++) {
        int word = (int)(rng_uniform((uint64_t)k->seed, 0, 0, i, PURPOSE_TOKEN) *
                         (b->source.geometry.vocab - 1));
        given[i] = i == 0 ? b->end_id : word + (word >= b->source.geometry.mask_id);
        /* Masks lie evenly over all positions but the first. */
        if (i > 0 && (int64_t)i * masks / (n - 1) > (int64_t)(i - 1) * masks / (n - 1)) given[i] = -1;
    }
    document_close(&b->doc);
    status s = document_open(&b->doc, n, given, b->source.geometry.mask_id);
    free(given);
    if (s != DID_OK) return s;
    b->doc->key = (uint64_t)k->seed;
    b->doc->n_stages = 1;
    b->doc->stage[0] = (stage){.block = STAGE_BLOCK_WHOLE,
                               .sampler = SAMPLER_QUOTA,
                               .steps = k->steps,
                               .nucleus = 0.9,
                               .temperature = 1};
    b->given = false;
    return DID_OK;
}

/* ---- one run ---- */

static void reset(void *context)
{
    spans *b = context;
    if (first(b)) b->made = make(b);
}

static status run(void *context)
{
    spans      *b = context;
    engine_feed feed = {.context = b, .take = take, .deliver = take_back, .put_down = take_back};
    TRY(comm_agree(b->on->world, b->made));
    double since = clock_work_seconds();
    status s = engine_run(b->engine, engine_leads(b->engine) ? &feed : NULL);
    b->work = clock_work_seconds() - since;
    return s;
}

/* What the busiest rank needed: on a machine with other work the clock on the wall tells of that. */
static status find_busiest(spans *b, double *work)
{
    int     ranks = comm_size(b->on->world);
    double *all = malloc((size_t)ranks * sizeof *all);
    status  s = comm_agree(b->on->world, all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d "
                                                                    "ranks", ranks));
    if (s == DID_OK) s = comm_gather(b->on->world, all, &b->work, sizeof b->work, EV_BENCH);
    *work = 0;
    for (int r = 0; s == DID_OK && r < ranks; r++)
        if (all[r] > *work) *work = all[r];
    free(all);
    return s;
}

/* Every run has to give the text of the very first. */
static void compare(spans *b, verdict *v)
{
    size_t bytes = (size_t)b->on->knobs->length * sizeof *b->known;
    if (!first(b)) return;
    if (b->doc->finish != FINISH_LENGTH)
        verdict_wrong(v, "the document was not finished: %.100s", b->doc->reason);
    else if (!b->known) {
        b->known = malloc(bytes);
        if (b->known) memcpy(b->known, b->doc->token, bytes);
        else verdict_wrong(v, "no memory to compare the document");
    } else if (memcmp(b->known, b->doc->token, bytes))
        verdict_wrong(v, "another text than one row gives");
}

static status run_once(spans *b, contender *c, int round)
{
    measured m;
    task     t = {.context = b, .run = run, .reset = reset, .calls_max = 1};
    effort   once = {1, 1, 0, 0, true};
    b->engine = c->engine;
    TRY(measure_task(&m, &t, &once, b->on->world));
    c->seconds[round] = m.max;
    TRY(find_busiest(b, &c->work[round]));
    compare(b, &c->verdict);
    return verdict_agree(&c->verdict, b->on->world);
}

/* All spans in turn, again and again: what else the machine does meets all of them. */
static status run_rounds(spans *b)
{
    for (int round = 0; round < b->rounds; round++)
        for (int i = 0; i < b->n; i++) TRY(run_once(b, &b->of[i], round));
    return DID_OK;
}

/* ---- lines ---- */

static void add_shares(json_t *line, const engine_progress *p)
{
    double whole = p->seconds_total > 0 ? p->seconds_total : 1;
    json_object_set_new(line, "linear", json_real(100 * p->seconds_linear / whole));
    json_object_set_new(line, "attention", json_real(100 * p->seconds_attention / whole));
    json_object_set_new(line, "row-wise", json_real(100 * p->seconds_rowwise / whole));
    json_object_set_new(line, "draw", json_real(100 * p->seconds_draw / whole));
    json_object_set_new(line, "wire", json_real(100 * p->seconds_wire / whole));
}

static json_t *line_of(const spans *b, const contender *c)
{
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("span"));
    json_object_set_new(line, "model", json_string(b->source.name));
    json_object_set_new(line, "precision", json_string(rival_name(b->kernels->precision)));
    json_object_set_new(line, "signature", json_string(engine_signature(c->engine)));
    json_object_set_new(line, "tp", json_integer(b->settings.tp));
    json_object_set_new(line, "span", json_integer(c->span));
    json_object_set_new(line, "positions", json_integer(b->on->knobs->length));
    json_object_set_new(line, "passes", json_integer(b->on->knobs->steps));
    json_object_set_new(line, "workspace_mb", json_real(1e-6 * (double)c->bytes.workspace));
    json_object_set_new(line, "valid", json_boolean(!c->verdict.wrong));
    if (c->verdict.wrong) json_object_set_new(line, "why", json_string(c->verdict.why));
    return line;
}

/* Lines of all spans; the first is one row. */
static void tell(spans *b)
{
    double one = 0, work = 0;
    for (int i = 0; i < b->n; i++) {
        contender *c = &b->of[i];
        measured   m = {.samples = b->rounds, .calls = 1}, busy = m;
        char       name[RIVAL_NAME];
        json_t    *line = line_of(b, c);
        measure_summarize(&m, c->seconds, 1, b->rounds);
        measure_summarize(&busy, c->work, 1, b->rounds);
        if (i == 0) one = m.median;
        if (i == 0) work = busy.median;
        if (!c->verdict.wrong) {
            table_seconds(line, &m);
            json_object_set_new(line, "times", json_real(one / m.median));
            json_object_set_new(line, "work_s", json_real(busy.median));
            json_object_set_new(line, "work_times", json_real(work / busy.median));
            add_shares(line, &c->totals);
            snprintf(name, sizeof name, "span %d", c->span);
            rival_tell(b->rival, line, b->kernels->precision, false, name, m.median);
        }
        table_line(b->on->table, line);
    }
}

/* ---- opening ---- */

static void settle(spans *b)
{
    const knobs    *k = b->on->knobs;
    const geometry *g = &b->source.geometry;
    b->end_id = g->end_id >= 0 ? g->end_id : g->mask_id == 0;
    b->rounds = k->repeats > 0 ? k->repeats : b->on->effort.samples_min;
    b->settings = (engine_settings){.model = {b->source.dir},
                                    .n_models = 1,
                                    .tp = k->tp,
                                    .documents = 1,
                                    .pass_rows = k->pass_rows,
                                    .length_max = k->length,
                                    .refine_window = k->length,
                                    .end_id = b->end_id,
                                    .fused_commit = true,
                                    .folded = true,
                                    .bf16 = b->kernels->precision == PRECISION_BF16,
                                    .kernels = k->kernels};
    int rows = comm_size(b->on->world) / k->tp;
    for (int span = 1; span <= rows && b->n < SPANS_MAX; span++)
        if (rows % span == 0) b->of[b->n++].span = span;
}

/* All engines at once, so that they can take turns. */
static status open_all(spans *b)
{
    comm  *world = b->on->world;
    double need = 0;
    TRY(source_open(&b->source, b->on->knobs, world));
    settle(b);
    for (int i = 0; i < b->n; i++) {
        b->settings.span = b->of[i].span;
        TRY(comm_agree(world, engine_plan(&b->of[i].bytes, &b->settings)));
        need += (double)b->of[i].bytes.total;
    }
    TRY(source_fits(need, world));
    for (int i = 0; i < b->n; i++) {
        b->settings.span = b->of[i].span;
        TRY(engine_open(&b->of[i].engine, &b->settings, world));
    }
    source_close(&b->source);
    return DID_OK;
}

static void close_all(spans *b)
{
    source_close(&b->source);
    for (int i = 0; i < b->n; i++) engine_close(&b->of[i].engine);
    document_close(&b->doc);
    free(b->known);
}

static status all_spans(const ground *on, const kernels *k, rival *r)
{
    char   title[256];
    spans  b = {.on = on, .kernels = k, .rival = r};
    status s = open_all(&b);
    if (s == DID_OK) s = run_rounds(&b);
    for (int i = 0; s == DID_OK && i < b.n; i++) b.of[i].totals = engine_totals(b.of[i].engine);
    if (s == DID_OK) {
        snprintf(title, sizeof title,
                 "one document of %d positions refined in %d pass%s by rows of %d rank%s, %.60s in "
                 "%s; where the first rank's time goes in %%",
                 on->knobs->length, on->knobs->steps, on->knobs->steps > 1 ? "es" : "",
                 on->knobs->tp, on->knobs->tp > 1 ? "s" : "", b.source.name,
                 rival_name(k->precision));
        table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
        tell(&b);
    }
    close_all(&b);
    return s;
}

status bench_span(const ground *on)
{
    rival r = {.n = 0};
    for (precision p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        const kernels *k = rival_set(on->knobs, p);
        if (k) TRY(all_spans(on, k, &r));
    }
    return DID_OK;
}
