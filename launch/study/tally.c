#include "tally.h"

#include <math.h>

static double of_document(const harvest_document *d, measure what)
{
    switch (what) {
    case MEASURE_PERPLEXITY_MEAN: return quality_perplexity(d->quality.nll, d->quality.rows);
    case MEASURE_PERPLEXITY_TEXT: return quality_perplexity(d->told.nll, d->told.rows);
    case MEASURE_ENTROPY: return d->quality.entropy;
    case MEASURE_REPEATED: return d->quality.repeats.share[REPEATS_NGRAMS - 1];
    case MEASURE_EDITS: return d->edits;
    case MEASURE_NFE: return d->nfe;
    case MEASURE_ROWS: return d->rows;
    case MEASURE_SECONDS: return d->seconds;
    case MEASURE_NLL:
    case MEASURE_PERPLEXITY:
    case MEASURE_GAP:
    case MEASURE_CHANGE:
    case MEASURES: break;
    }
    return NAN;
}

static double mean(const harvest *h, measure what, int place, const int *which, int n)
{
    double sum = 0;
    int    known = 0;
    for (int i = 0; i < n; i++) {
        const harvest_document *d = &h->setting[place].document[which ? which[i] : i];
        double                  x = d->there ? of_document(d, what) : NAN;
        if (isnan(x)) continue;
        sum += x;
        known++;
    }
    return known > 0 ? sum / known : NAN;
}

/* Nats per token, all tokens alike. */
static double pooled(const harvest *h, int place, const int *which, int n)
{
    double nll = 0, rows = 0;
    for (int i = 0; i < n; i++) {
        const harvest_document *d = &h->setting[place].document[which ? which[i] : i];
        if (!d->there) continue;
        nll += d->quality.nll;
        rows += d->quality.rows;
    }
    return rows > 0 ? nll / rows : NAN;
}

double tally_mean_nll(const harvest_document *d)
{
    return d->there && d->quality.rows > 0 ? d->quality.nll / d->quality.rows : NAN;
}

/* Mean over the pairs of which both are there. */
static double change(const harvest *h, int place, const int *which, int n)
{
    double sum = 0;
    int    known = 0, baseline = h->spec->baseline;
    for (int i = 0; baseline >= 0 && baseline != place && i < n; i++) {
        int    at = which ? which[i] : i;
        double x = tally_mean_nll(&h->setting[place].document[at]) -
                   tally_mean_nll(&h->setting[baseline].document[at]);
        if (isnan(x)) continue;
        sum += x;
        known++;
    }
    return known > 0 ? sum / known : NAN;
}

/* ---- the frontier ---- */

typedef struct point {
    double entropy, nll;
} point;

/* The settings of the frontier in ascending entropy; how many. */
static int frontier_points(const harvest *h, const int *which, int n, point *out)
{
    const spec *s = h->spec;
    int         count = 0;
    for (int i = 0; i < s->n_settings && count < SPEC_FRONTIER_MAX; i++) {
        if (s->setting[i].section != s->frontier) continue;
        point p = {mean(h, MEASURE_ENTROPY, i, which, n), pooled(h, i, which, n)};
        if (isnan(p.entropy) || isnan(p.nll)) continue;
        int at = count++;
        for (; at > 0 && out[at - 1].entropy > p.entropy; at--) out[at] = out[at - 1];
        out[at] = p;
    }
    return count;
}

static double gap(const harvest *h, int place, const int *which, int n)
{
    point  line[SPEC_FRONTIER_MAX];
    int    count = frontier_points(h, which, n, line), k = 1;
    double entropy = mean(h, MEASURE_ENTROPY, place, which, n);
    double nll = pooled(h, place, which, n);
    if (count < 2 || isnan(entropy)) return NAN;
    while (k + 1 < count && line[k].entropy < entropy) k++;
    const point *a = &line[k - 1], *b = &line[k];
    if (b->entropy == a->entropy) return NAN;
    double share = (entropy - a->entropy) / (b->entropy - a->entropy);
    return nll - (a->nll + share * (b->nll - a->nll));
}

bool tally_inside(const harvest *h, int place)
{
    point  line[SPEC_FRONTIER_MAX];
    int    n = h->n_documents, count = frontier_points(h, NULL, n, line);
    double entropy = mean(h, MEASURE_ENTROPY, place, NULL, n);
    return count > 1 && entropy >= line[0].entropy && entropy <= line[count - 1].entropy;
}

/* ---- all measures ---- */

double tally(const harvest *h, measure what, int place, const int *which, int n)
{
    switch (what) {
    case MEASURE_NLL: return pooled(h, place, which, n);
    case MEASURE_PERPLEXITY: return exp(pooled(h, place, which, n));
    case MEASURE_GAP: return gap(h, place, which, n);
    case MEASURE_CHANGE: return change(h, place, which, n);
    default: return mean(h, what, place, which, n);
    }
}

double tally_number(const void *pair, const int *which, int n)
{
    const tally_pair *p = pair;
    double            left = tally(p->harvest, p->what, p->left, which, n);
    return p->right < 0 ? left : left - tally(p->harvest, p->what, p->right, which, n);
}
