#include "candidates.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "prospect.h"
#include "report.h"
#include "split.h"
#include "stages.h"

/* What a process holds before it loads a model, where no calibration says; and what the front-end and
 * the threads of its sockets take beside the engine. */
static const double HELD = 18e6, FRONTEND = 4e6;

/* A part of a spanned window below this is no pass worth having. */
enum { SPAN_POSITIONS = 256 };

/* ---- the job ---- */

static status read_job(candidates *c, const plan_settings *s)
{
    char           text[STAGES_TEXT_MAX];
    stage          stages[STAGES_MAX];
    int            n, handle, window = 0;
    settings       as = {.refine_window = s->refine_window};
    stage_defaults usual = {.sampler = -1, .nucleus = 0.9, .temperature = 1, .order = ORDER_RANDOM};
    TRY(models_add(&c->models, s->model, &handle));
    c->model = c->models.shape[0];
    stages_default(&c->model, text, sizeof text);
    TRY(stages_parse(stages, &n, s->stages ? s->stages : text, &usual, &c->models));
    int length = s->length ? s->length : c->model.length;
    TRY(stages_check(stages, n, length, &c->models));
    window = settings_refine_window(&as);
    if (window == 0) window = c->model.length;
    c->job = prospect_job(stages, n, length, window);
    c->job.documents = s->documents;
    c->job.pass_rows = s->pass_rows;
    return DID_OK;
}

/* ---- grids ---- */

static void fill_budget(candidates *c, const plan_settings *s)
{
    budget *b = &c->budget;
    b->held = (size_t)((c->foresight.found ? c->foresight.machine.held : HELD) + FRONTEND);
    size_t all = host_memory_limit(report_resident(), &b->source);
    if (s->memory_gb > 0) {
        all = (size_t)(1e9 * s->memory_gb);
        b->source = "--memory";
    }
    b->limit = all / (size_t)s->per_host;
    b->room = b->limit > b->held ? b->limit - b->held : 0;
}

static engine_settings engine_of(const candidates *c, const plan_settings *s)
{
    engine_settings e = {.n_models = c->models.n, .pass_rows = s->pass_rows,
                         .length_max = c->job.length,
                         .refine_window = c->job.window == c->job.length && s->refine_window
                                              ? c->job.length : 0,
                         .fused_commit = true, .folded = true, .bf16 = s->precision == 1};
    for (int i = 0; i < c->models.n; i++) e.model[i] = c->models.dir[i];
    return e;
}

/* What a run of this grid, `rows` of whose rows span a refinement, would settle on; where that does not fit, what it would need for the least
 * it could do. */
static status try_grid(candidates *c, const plan_settings *s, int cols, int rows, bool mesh)
{
    char            text[16];
    candidate      *x = &c->at[c->n];
    engine_settings e = engine_of(c, s);
    settings        as = {.tp = cols, .layout = mesh, .documents = s->in_flight,
                          .pass_rows = s->pass_rows, .refine_span = text};
    if (c->n == CANDIDATES_MAX) return DID_OK;
    snprintf(text, sizeof text, "%d", rows);
    status fit = budget_settle(&e, &x->need, &c->budget, &as, &c->models, s->ranks, s->documents);
    if (fit != DID_OK && fit != DID_EINVAL) return fit;
    if (fit != DID_OK) {
        e.tp = cols;
        e.span = rows;
        e.mesh_rows = mesh ? s->ranks / cols : 0;
        e.documents = s->in_flight ? s->in_flight : 1;
        TRY(engine_plan(&x->need, &e));
    }
    x->fits = fit == DID_OK;
    x->in_flight = e.documents;
    x->layout = (cost_layout){.rows = s->ranks / e.tp, .cols = e.tp, .depth = 1, .span = rows,
                              .groups = 1, .mesh = mesh, .per_host = s->per_host};
    cost_place at = {.model = &c->model,
                     .machine = c->foresight.found ? &c->foresight.machine : NULL,
                     .link = c->link, .layout = x->layout, .precision = s->precision};
    c->job.in_flight = e.documents;
    x->forecast = forecast_of(&at, &c->job);
    c->n++;
    return DID_OK;
}

/* The columns of the 2-D grid where nobody says: as many as rows, or a few more. */
static int mesh_columns(int ranks)
{
    int cols = 1;
    while (ranks % cols || cols < ranks / cols) cols++;
    return cols;
}

static status try_all(candidates *c, const plan_settings *s)
{
    int heads = models_heads(&c->models);
    for (int q = 1; q <= s->ranks && q <= heads; q++) {
        int rows = s->ranks / q;
        if (s->ranks % q) continue;
        TRY(try_grid(c, s, q, 1, false));
        for (int n = 2; n <= rows && n <= SETTINGS_SPAN_MAX; n++)
            if (rows % n == 0 && c->job.window / n >= SPAN_POSITIONS)
                TRY(try_grid(c, s, q, n, false));
    }
    if (s->precision == 0 && s->ranks > 1)
        TRY(try_grid(c, s, mesh_columns(s->ranks), 1, true));
    return DID_OK;
}

static void choose(candidates *c)
{
    c->best = -1;
    for (int i = 0; i < c->n; i++) {
        const candidate *x = &c->at[i], *best = c->best >= 0 ? &c->at[c->best] : NULL;
        bool sooner = best && c->foresight.found && x->forecast.seconds < best->forecast.seconds;
        if (x->fits && (!best || sooner)) c->best = i;
    }
}

status candidates_find(candidates *c, const plan_settings *s)
{
    memset(c, 0, sizeof *c);
    TRY(foresight_find(&c->foresight, s->calibration, s->kernels, s->precision == 1));
    c->link = s->link ? s->wire : (calibration_link){false, 50e-6, 1.25e9};
    if (!s->link && c->foresight.found) c->link = c->foresight.machine.link;
    TRY(read_job(c, s));
    fill_budget(c, s);
    TRY(try_all(c, s));
    choose(c);
    return DID_OK;
}

static double uneven(int total, int unit, int parts)
{
    return (double)split_part(total, unit, parts, 0).len * parts / total - 1;
}

imbalance candidates_imbalance(const candidates *c, const candidate *x)
{
    const geometry *g = &c->model;
    int             parts = x->layout.mesh ? cost_team(&x->layout) : x->layout.cols;
    double          teams = x->layout.mesh ? 1 : x->layout.rows / x->layout.span;
    return (imbalance){.heads = uneven(g->n_heads, 1, parts),
                       .mlp = uneven(g->d_mlp, SPLIT_MLP, parts),
                       .vocab = uneven(g->vocab, SPLIT_VOCAB, parts),
                       .documents = x->forecast.documents * teams / c->job.documents - 1,
                       .heads_most = split_part(g->n_heads, 1, parts, 0).len,
                       .documents_most = (int)x->forecast.documents};
}
