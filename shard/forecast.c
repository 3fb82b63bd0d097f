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
    double drawn = s->passes > 0 ? s->drawn / s->passes : 0;
    if (s->block >= job->length) {
        out[0] = (cost_segment){1, window, drawn, window, false};
        return 1;
    }
    double blocks = length / s->block, sees = larger(length / 2, s->block);
    out[0] = (cost_segment){1, s->block, drawn, smaller(sees, window), true};
    out[1] = (cost_segment){s->passes > 0 ? blocks / s->passes : 0, s->block, 0,
                            smaller(sees, window), false};
    return 2;
}

static double rows_of(const cost_segment *s, int n)
{
    double rows = 0;
    for (int i = 0; i < n; i++) rows += s[i].count * s[i].rows;
    return rows;
}

/* One stage of all documents of a team. Of a spanned pass a row has its part alone, so a pass takes
 * as many rows more. */
static void add_stage(forecast *f, const cost_place *at, const forecast_job *job,
                      const forecast_stage *s, double at_once)
{
    cost_segment kinds[2];
    int          n = segments_of(kinds, job, s);
    double       each = rows_of(kinds, n), room = job->pass_rows * (double)at->layout.span;
    double       fit = larger(1, smaller(at_once, floor(room / each + 1e-9)));
    double       passes = ceil(f->documents * s->passes / fit - 1e-9);
    if (s->passes <= 0 || f->documents <= 0) return;
    for (int i = 0; i < n; i++) kinds[i].count *= f->documents * s->passes / passes;
    f->passes += passes;
    f->rows += passes * rows_of(kinds, n);
    if (at->machine) f->seconds += passes * cost_pass(at, kinds, n).seconds;
    cost_bytes b = cost_wire(at, kinds, n);
    f->bytes += passes * b.total;
    f->crossing += passes * b.crossing;
}

forecast forecast_of(const cost_place *at, const forecast_job *job)
{
    const cost_layout *l = &at->layout;
    double   teams = l->mesh ? 1 : l->rows / l->span;
    forecast f = {.documents = ceil(job->documents / teams)};
    double   at_once = smaller(f.documents, (double)job->in_flight * (l->mesh ? 1 : l->span));
    for (int i = 0; i < job->n_stages; i++) add_stage(&f, at, job, &job->stage[i], at_once);
    if (f.passes > 0) f.pass_seconds = f.seconds / f.passes;
    double share = f.documents > 0 ? job->documents / f.documents : 0;
    f.bytes *= share;
    f.crossing *= share;
    return f;
}
