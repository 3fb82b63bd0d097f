#include "price.h"

#include "kernels.h"

enum { KINDS = 24 };

static double keys_of(const segment *s)
{
    return (s->kind == SEGMENT_PATCH ? s->to : s->first + s->len) - s->from;
}

/* The kind that a segment is of, begun where there is none yet. */
static cost_segment *kind_of(cost_segment *kinds, int *n, const segment *s, bool cached)
{
    bool spanned = s->slot < 0; /* whatever has nothing cached */
    int  i = 0;
    while (i < *n && !(kinds[i].rows == s->len && kinds[i].cached == cached &&
                       kinds[i].spanned == spanned &&
                       (kinds[i].asks > 0) == (s->n_asks > 0)))
        i++;
    if (i == KINDS) return &kinds[KINDS - 1];
    if (i == *n) kinds[(*n)++] = (cost_segment){.rows = s->len, .cached = cached, .spanned = spanned};
    return &kinds[i];
}

static void average(double *mean, double count, double value)
{
    *mean += (value - *mean) / count;
}

static void add(engine_forecast *sum, const cost_time *t, double share)
{
    sum->seconds += share * t->seconds;
    sum->linear += share * t->linear;
    sum->attention += share * t->attention;
    sum->rowwise += share * t->rowwise;
    sum->draw += share * t->draw;
    sum->wire += share * (t->wire - t->hidden);
}

void price_pass(engine_forecast *sum, const cost_place *at, const pass *p)
{
    cost_segment kinds[KINDS] = {{0}};
    int          n = 0;
    for (int i = 0; i < p->n_segments; i++) {
        const segment *s = &p->segments[i];
        bool cached = s->kind == SEGMENT_PROBE && s->first % KEY_TILE != 0 && s->from < s->first;
        cost_segment *k = kind_of(kinds, &n, s, cached);
        k->count++;
        average(&k->rows, k->count, s->len);
        average(&k->asks, k->count, s->n_asks);
        average(&k->keys, k->count, keys_of(s));
    }
    /* The model is asked about all groups of a team together. */
    double groups = at->layout.groups > 1 ? at->layout.groups : 1;
    sum->bytes += cost_wire(at, kinds, n).total;
    if (!at->machine) return;
    for (int i = 0; i < n; i++) kinds[i].count *= groups;
    cost_time t = cost_pass(at, kinds, n);
    add(sum, &t, 1 / groups);
}
