#include "bench_passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "company.h"
#include "hands.h"
#include "rival.h"
#include "shards.h"
#include "source.h"

static const column columns[] = {
    {"pass", "pass", -12, 0},       {"documents", "docs", 4, 0}, {"context", "context", 7, 0},
    {"rows", "rows", 5, 0},         {"error", "error", 7, 1},    {"ms_min", "ms min", 9, 2},
    {"ms_median", "median", 9, 2},  {"ms_max", "max", 9, 2},     {"rows_s", "rows/s", 8, 0},
    {"tokens_s", "tokens/s", 8, 1}, {"gflops", "GFLOP/s", 8, 1}, {"percent", "% peak", 6, 1},
    {"limit", "limit", -5, 0},      {"linear", "linear", 6, 1},  {"attention", "attent", 6, 1},
    {"row-wise", "rowwis", 6, 1},   {"draw", "draw", 5, 1},      {"wire", "wire", 5, 1},
    {"ratio", "x f32", 6, 2},       {"thread_ratio", "x 1thr", 6, 2},
    {"slowest", "slowest", -8, 0},
};

static const char *const sections[SECTION_COUNT] = {
#define X(name, text) [SECTION_##name] = text,
    SECTION_MAP(X)
#undef X
};

typedef struct passes {
    const ground  *on;
    const kernels *kernels;
    rival         *rival;
    bool           fixed;  /* as in a reproducible run */
    grid           grid;
    source         source;
    stand          fast, oracle;
    stand_size     size, oracle_size;
    int32_t       *scratch;
    answer        *first; /* [rows] answers of the first timed pass */
} passes;

static int largest(const counts *c)
{
    int most = 0;
    for (int i = 0; i < c->n; i++)
        if (c->at[i] > most) most = c->at[i];
    return most;
}

/* A list that nobody asked for leaves out what is longer than the model's own length, but not
 * everything. */
static counts within_length(const counts *c, int length)
{
    counts out = {.said = c->said};
    for (int i = 0; i < c->n; i++)
        if (c->said || c->at[i] <= length) out.at[out.n++] = c->at[i];
    if (out.n == 0) out.at[out.n++] = length;
    return out;
}

/* ---- sizes ---- */

static void measure_sizes(passes *p)
{
    const knobs *k = p->on->knobs;
    int          length = p->source.geometry.length;
    counts       context = within_length(&k->context, length);
    counts       refine = within_length(&k->refine, length);
    int          documents = largest(&k->documents), whole = largest(&refine);
    int          draft = documents * 2 * k->block;
    p->size.rows = COMPANY_STRANGERS + (draft > whole ? draft : whole);
    p->size.slots = documents;
    p->size.length = largest(&context) > whole ? largest(&context) : whole;
    p->size.fixed = p->fixed;
    p->oracle_size = (stand_size){.rows = whole > 2 * k->block ? whole : 2 * k->block,
                                  .slots = 1,
                                  .length = p->size.length,
                                  .fixed = p->fixed};
}

status bench_passes_check(const knobs *k, int ranks)
{
    geometry g;
    TRY(source_check(&g, k, ranks));
    counts context = within_length(&k->context, g.length),
           refine = within_length(&k->refine, g.length);
    for (int i = 0; i < context.n; i++)
        if (context.at[i] < 2 * k->block)
            return status_fail(DID_EINVAL,
                               "--context: found %d, expected at least two blocks of %d",
                               context.at[i], k->block);
    for (int i = 0; i < refine.n; i++)
        if (refine.at[i] < k->wanted)
            return status_fail(DID_EINVAL,
                               "--refine: found %d, expected at least the %d rows wanted",
                               refine.at[i], k->wanted);
    if (k->reproducible && SHARDS % k->tp)
        return status_fail(DID_EINVAL, "--reproducible --tp %d: expected 1, 2, 4 or 8", k->tp);
    return rival_check(k);
}

/* ---- one line ---- */

static status run(void *context)
{
    passes *p = context;
    return forward(p->fast.batch.answers, &p->fast.batch.pass, &p->fast.place);
}

/* The pass as it is timed; its first answers are kept, and every repetition has to give them
 * again. */
static status time_pass(passes *p, const scene *s, measured *m, verdict *v)
{
    batch *b = &p->fast.batch;
    task   t = {.context = p, .run = run};
    batch_begin(b, 0);
    for (int d = 0; d < s->documents; d++) scene_put(b, s, d);
    size_t bytes = (size_t)b->pass.n_asks * sizeof *b->answers;
    TRY(run(p));
    memcpy(p->first, b->answers, bytes);
    p->fast.timing = (timing){0};
    TRY(measure_task(m, &t, &p->on->effort, p->on->world));
    if (memcmp(p->first, b->answers, bytes)) verdict_wrong(v, "a repetition gave other answers");
    return verdict_agree(v, p->on->world);
}

/* The same pass by the master alone: the same answers, and how long they take then. */
static status time_alone(passes *p, measured *m, verdict *v)
{
    task t = {.context = p, .run = run};
    hands_use(1);
    status s = measure_task(m, &t, &p->on->effort, p->on->world);
    hands_use(p->on->knobs->threads);
    size_t bytes = (size_t)p->fast.batch.pass.n_asks * sizeof *p->first;
    if (s == DID_OK && memcmp(p->first, p->fast.batch.answers, bytes))
        verdict_wrong(v, "one thread gives other answers");
    return s == DID_OK ? verdict_agree(v, p->on->world) : s;
}

/* Where the slowest rank's time went, in percent. */
static status add_sections(json_t *line, const passes *p, const measured *m)
{
    comm   *world = p->on->world;
    timing *all = malloc((size_t)comm_size(world) * sizeof *all);
    status  s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", comm_size(world));
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, &p->fast.timing, sizeof *all, EV_BENCH);
    double whole = 0;
    for (int i = 0; s == DID_OK && i < SECTION_COUNT; i++) whole += all[m->slowest].seconds[i];
    for (int i = 0; s == DID_OK && i < SECTION_COUNT; i++)
        json_object_set_new(line, sections[i], json_real(100 * all[m->slowest].seconds[i] / whole));
    free(all);
    return s;
}

static status add_speed(json_t *line, const passes *p, const scene *s, const measured *m)
{
    scene_cost cost = scene_work(s, &p->fast.model);
    standing   at =
        peaks_standing(&p->on->peaks, p->kernels, cost.flops, cost.bytes, (size_t)cost.bytes,
                       m->median);
    double groups = p->grid.teams, asks = (double)s->documents * scene_asks(s);
    table_times(line, m);
    json_object_set_new(line, "rows_s",
                        json_real(groups * s->documents * scene_rows(s) / m->median));
    if (asks > 0) json_object_set_new(line, "tokens_s", json_real(groups * asks / m->median));
    json_object_set_new(line, "gflops", json_real(at.gflops));
    json_object_set_new(line, "gbs", json_real(at.gbs));
    json_object_set_new(line, "percent", json_real(100 * at.of_peak));
    json_object_set_new(line, "limit", json_string(at.limit));
    return add_sections(line, p, m);
}

static json_t *line_of(const passes *p, const scene *s, const verdict *v)
{
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("pass"));
    json_object_set_new(line, "model", json_string(p->source.name));
    json_object_set_new(line, "precision", json_string(rival_name(p->kernels->precision)));
    json_object_set_new(line, "set", json_string(p->kernels->name));
    json_object_set_new(line, "reproducible", json_boolean(p->fixed));
    json_object_set_new(line, "tp", json_integer(p->grid.shape.cols));
    json_object_set_new(line, "groups", json_integer(p->grid.teams));
    json_object_set_new(line, "threads", json_integer(p->on->knobs->threads));
    json_object_set_new(line, "pass", json_string(scene_name(s->kind)));
    json_object_set_new(line, "documents", json_integer(s->documents));
    json_object_set_new(line, "context", json_integer(s->context));
    json_object_set_new(line, "rows", json_integer((json_int_t)s->documents * scene_rows(s)));
    json_object_set_new(line, "asked", json_integer((json_int_t)s->documents * scene_asks(s)));
    json_object_set_new(line, "valid", json_boolean(!v->wrong));
    if (v->wrong) json_object_set_new(line, "why", json_string(v->why));
    else json_object_set_new(line, "error", json_real(v->error));
    return line;
}

static status take(passes *p, scene_kind kind, int documents, int context)
{
    const knobs *k = p->on->knobs;
    char         name[RIVAL_NAME];
    verdict      v = {0};
    measured     m = {0}, alone = {0};
    scene        s = {.kind = kind,
                      .geometry = &p->source.geometry,
                      .documents = documents,
                      .context = context,
                      .block = k->block,
                      .wanted = k->wanted,
                      .seed = k->seed,
                      .scratch = p->scratch};
    TRY(company_check(&v, &s, &p->fast, &p->oracle, p->on->world));
    if (!v.wrong) TRY(time_pass(p, &s, &m, &v));
    timing spent = p->fast.timing;
    if (!v.wrong && k->threads > 1) TRY(time_alone(p, &alone, &v));
    p->fast.timing = spent;
    json_t *line = line_of(p, &s, &v);
    status  all = v.wrong ? DID_OK : add_speed(line, p, &s, &m);
    if (!v.wrong && k->threads > 1)
        json_object_set_new(line, "thread_ratio", json_real(alone.median / m.median));
    snprintf(name, sizeof name, "%s %d %d", scene_name(kind), documents, context);
    if (!v.wrong) rival_tell(p->rival, line, p->kernels->precision, p->fixed, name, m.median);
    table_line(p->on->table, line);
    return all;
}

static status all_scenes(passes *p)
{
    static const scene_kind drafts[] = {SCENE_DRAFT, SCENE_FUSED, SCENE_COMMIT};
    const knobs            *k = p->on->knobs;
    counts                  context = within_length(&k->context, p->source.geometry.length);
    counts                  refine = within_length(&k->refine, p->source.geometry.length);
    for (int c = 0; c < context.n; c++)
        for (int i = 0; i < 3; i++)
            for (int d = 0; d < k->documents.n; d++)
                TRY(take(p, drafts[i], k->documents.at[d], context.at[c]));
    for (int r = 0; r < refine.n; r++) TRY(take(p, SCENE_REFINE, 1, refine.at[r]));
    return DID_OK;
}

/* ---- opening ---- */

/* The part that may fail on this rank alone. */
static status open_here(passes *p)
{
    const geometry *g = &p->source.geometry;
    size_t          rows = (size_t)p->size.rows;
    p->scratch = malloc((size_t)p->size.length * sizeof *p->scratch);
    p->first = malloc(rows * sizeof *p->first);
    if (!p->scratch || !p->first) return status_fail(DID_ENOMEM, "no memory for %zu rows", rows);
    const kernels *ref = kernels_of(p->kernels->precision, "ref");
    TRY(stand_open(&p->fast, p->source.dir, g, &p->grid, p->kernels, &p->size));
    return stand_open(&p->oracle, p->source.dir, g, &p->grid, ref, &p->oracle_size);
}

static status open_all(passes *p)
{
    comm           *world = p->on->world;
    const geometry *g = &p->source.geometry;
    TRY(comm_agree(world, source_check(&p->source.geometry, p->on->knobs, comm_size(world))));
    measure_sizes(p);
    precision how = p->kernels->precision;
    TRY(source_fits((double)stand_bytes(g, p->grid.shape.cols, how, &p->size) +
                        (double)stand_bytes(g, p->grid.shape.cols, how, &p->oracle_size),
                    world));
    TRY(source_open(&p->source, p->on->knobs, world));
    TRY(comm_agree(world, open_here(p)));
    source_close(&p->source);
    TRY(comm_agree(world, comm_reserve(p->grid.row, stand_sum_floats(&p->fast, &p->size))));
    if (p->fixed) comm_pair(p->grid.row);
    return comm_agree(world, comm_share(p->grid.row));
}

static void close_all(passes *p)
{
    source_close(&p->source);
    stand_close(&p->fast);
    stand_close(&p->oracle);
    free(p->scratch);
    free(p->first);
    grid_close(&p->grid);
}

static status all_passes(const ground *on, const kernels *k, bool fixed, rival *r)
{
    char   title[256];
    passes p = {.on = on, .kernels = k, .rival = r, .fixed = fixed};
    grid_shape shape = {1, 1, on->knobs->tp};
    TRY(grid_open(&p.grid, on->world, &shape));
    status s = open_all(&p);
    if (s == DID_OK) {
        snprintf(
            title, sizeof title,
            "passes of %.60s, kernels %s, %s%s; %d group%s of %d rank%s; where the time goes in %%",
            p.source.name, k->name, rival_name(k->precision), fixed ? ", reproducible" : "",
            p.grid.teams,
            p.grid.teams > 1 ? "s" : "", p.grid.shape.cols, p.grid.shape.cols > 1 ? "s" : "");
        table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
        s = all_scenes(&p);
    }
    close_all(&p);
    return s;
}

status bench_passes(const ground *on)
{
    rival  r = {.n = 0};
    status s = hands_open(on->knobs->threads, on->world);
    for (precision p = PRECISION_F32; s == DID_OK && p <= PRECISION_BF16; p++) {
        const kernels *k = rival_set(on->knobs, p);
        for (int fixed = 0; s == DID_OK && k && fixed <= on->knobs->reproducible; fixed++)
            s = all_passes(on, k, fixed, &r);
    }
    hands_use(1);
    return s;
}
