#include "depths.h"

#include <stdio.h>

#include "budget.h"
#include "log.h"
#include "prospect.h"
#include "strata.h"

double depths_last(const job *j, const settings *s, const foresight *f)
{
    const request  *one = j->input.n > 0 ? &j->input.request[0] : NULL;
    const geometry *g = &j->models.shape[0];
    int groups = s->groups > 0 ? s->groups : s->depth, window = settings_refine_window(s);
    if (s->depth <= 1) return 0;
    forecast_job ahead = prospect_job(one ? one->stage : j->usual, one ? one->n_stages : j->n_usual,
                                      one ? one->length : j->input.length_max,
                                      window ? window : g->length);
    ahead.pass_rows = s->pass_rows;
    ahead.documents = s->documents ? s->documents : BUDGET_DOCUMENTS * groups;
    if (one && j->input.n < ahead.documents) ahead.documents = j->input.n;
    ahead.in_flight = (int)ahead.documents;
    cost_place at = {.model = g,
                     .machine = f->found ? &f->machine : NULL,
                     .layout = {.rows = 1, .cols = s->tp ? s->tp : 1, .depth = 1, .span = 1,
                                .groups = groups, .per_host = f->per_host},
                     .precision = s->precision == 1};
    return forecast_last(&at, &ahead);
}

/* Beyond that a depth waits too much to go unsaid. */
static const double WAITS = 0.1;

static void say_layers(int which, int layers, double last, int depths)
{
    char   text[512] = "";
    size_t n = 0;
    for (int i = 0; i < depths && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d (waits %.0f %%)", i ? ", " : "",
                              strata_part(layers, last, depths, i).len,
                              100 * strata_wait(layers, last, depths, i));
    log_say("plan", "layers of model %d from depth to depth: %s; the last with all that follows it "
            "should cost %.2f of the others", which, text, last);
    if (strata_wait_most(layers, last, depths) < WAITS) return;
    log_warn("plan", "%d layers cannot be shared out over %d depths without one of them waiting %.0f %% "
             "of the time", layers, depths, 100 * strata_wait_most(layers, last, depths));
}

void depths_say(const engine_settings *e, const models *m)
{
    for (int i = 0; i < m->n && e->depth > 1; i++)
        say_layers(i, m->shape[i].n_layers, e->last_layer > 0 ? e->last_layer : 1, e->depth);
}
