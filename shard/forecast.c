#include "forecast.h"

#include <math.h>

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* What one document brings to a pass of a stage: a draft a block, and every so many passes a finished
 * one to be committed with it; a refinement of the whole its window. */
static int segments_of(cost_segment out[2], const forecast_job *job, const forecast_stage *s)
{
    double length = job->length, window = smaller(length, job->window);
    double asked = s->passes > 0 ? s->asked / s->passes : 0;
    if (s->block >= job->length) {
        out[0] = (cost_segment){1, window, asked, window, .spanned = true};
        return 1;
    }
    double blocks = length / s->block, sees = larger(length / 2, s->block);
    out[0] = (cost_segment){1, s->block, asked, smaller(sees, window), .cached = true};
    out[1] = (cost_segment){.count = s->passes > 0 ? blocks / s->passes : 0,
                            .rows = s->block,
                            .keys = smaller(sees, window)};
    return 2;
}

static double rows_of(const cost_segment *s, int n)
{
    double rows = 0;
    for (int i = 0; i < n; i++) rows += s[i].count * s[i].rows;
    return rows;
}

/* A stage's passes, and one of them. */
typedef struct run {
    cost_segment kinds[2];
    int          n;
    double       passes;
} run;

/* One stage of `documents`. Of a spanned pass a row has its part alone, so a pass takes as many rows
 * more. */
static run run_of(const cost_place *at, const forecast_job *job, const forecast_stage *s,
                  double documents, double at_once)
{
    run    r;
    r.n = segments_of(r.kinds, job, s);
    double each = rows_of(r.kinds, r.n), room = job->pass_rows * (double)at->layout.span;
    double fit = larger(1, smaller(at_once, floor(room / each + 1e-9)));
    r.passes = ceil(documents * s->passes / fit - 1e-9);
    for (int i = 0; i < r.n && r.passes > 0; i++)
        r.kinds[i].count *= documents * s->passes / r.passes;
    return r;
}

static void add_stage(forecast *f, const cost_place *at, const forecast_job *job,
                      const forecast_stage *s, double at_once)
{
    run r = run_of(at, job, s, f->documents, at_once);
    if (s->passes <= 0 || f->documents <= 0) return;
    f->passes += r.passes;
    f->rows += r.passes * rows_of(r.kinds, r.n);
    if (at->machine) f->seconds += r.passes * cost_pass(at, r.kinds, r.n).seconds;
    cost_bytes b = cost_wire(at, r.kinds, r.n);
    f->bytes += r.passes * b.total;
    f->crossing += r.passes * b.crossing;
}

static double teams_of(const cost_layout *l)
{
    return l->mesh ? 1 : l->rows / l->span;
}

static double at_once_of(const cost_layout *l, const forecast_job *job, double documents)
{
    return smaller(documents, (double)job->in_flight * (l->mesh ? 1 : l->span));
}

double forecast_last(const cost_place *at, const forecast_job *job)
{
    cost_layer all = {0};
    double     documents = ceil(job->documents / teams_of(&at->layout));
    for (int i = 0; i < job->n_stages; i++) {
        if (job->stage[i].passes <= 0) continue;
        run r = run_of(at, job, &job->stage[i], documents, at_once_of(&at->layout, job, documents));
        cost_layer c = cost_layers(at, r.kinds, r.n);
        all.usual += r.passes * c.usual;
        all.last += r.passes * c.last;
    }
    return all.usual > 0 ? all.last / all.usual : 1;
}

forecast forecast_of(const cost_place *at, const forecast_job *job)
{
    const cost_layout *l = &at->layout;
    double   teams = teams_of(l);
    forecast f = {.documents = ceil(job->documents / teams)};
    double   at_once = at_once_of(l, job, f.documents);
    for (int i = 0; i < job->n_stages; i++) add_stage(&f, at, job, &job->stage[i], at_once);
    if (f.passes > 0) f.pass_seconds = f.seconds / f.passes;
    double share = f.documents > 0 ? job->documents / f.documents : 0;
    f.bytes *= share;
    f.crossing *= share;
    return f;
}
