#include "pulse.h"

/* How much of a document is done, in [0, 1]: stages count alike. */
static double share_of(const document *d)
{
    int    asked = d->at == 0 ? d->length : d->cost[d->at].reopened;
    double here =
        d->entered && asked > 0 ? 1 - (double)document_masked(d, 0, d->length) / asked : 0;
    return (d->at + (here > 0 ? here : 0)) / d->n_stages;
}

void pulse_note(pulse *p, document *const *docs, int n, const engine_progress *e, double now)
{
    p->last = *e;
    p->pass_s = p->passed > 0 ? now - p->passed : 0;
    p->passed = now;
    p->share = 0;
    for (int i = 0; i < n; i++) p->share += share_of(docs[i]);
}

json_t *pulse_tell(pulse *p, const loads *held, const engine *whose, double now)
{
    const engine_progress *e = &p->last;
    double                 wire_s = whose ? engine_totals(whose).seconds_wire : 0;
    json_t                *holding = json_array();
    for (const load *l = held->first; l; l = l->next)
        if (!l->text)
            json_array_append_new(holding,
                                  json_pack("[I, I]", (json_int_t)l->serial, (json_int_t)l->epoch));
    p->told = now;
    return json_pack("{s:o, s:i, s:i, s:f, s:I, s:I, s:I, s:f, s:f, s:f}", "holding", holding,
                     "drafting", e->drafting, "refining", e->refining, "share", p->share, "drawn",
                     (json_int_t)e->drawn, "passes", (json_int_t)e->passes, "nfe",
                     (json_int_t)e->nfe, "pass_s", p->pass_s, "wire_s", wire_s, "io_s", p->talk_s);
}
