#include "quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

static const double LEVEL = 0.95;

static status no_memory(int n)
{
    return status_fail(DID_ENOMEM, "no memory for the statistics of %d values", n);
}

static int compare_ids(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Unigram entropy of id[n] and `pads` more tokens `pad`. */
static status padded_entropy(double *out, const int32_t *id, int n, int32_t pad, int pads)
{
    int      all = n + pads;
    double   h = 0;
    int32_t *sorted = malloc(((size_t)all + 1) * sizeof *sorted);
    if (!sorted) return no_memory(all);
    if (n > 0) memcpy(sorted, id, (size_t)n * sizeof *id);
    for (int i = n; i < all; i++) sorted[i] = pad;
    qsort(sorted, (size_t)all, sizeof *sorted, compare_ids);
    for (int i = 0, next; i < all; i = next) {
        for (next = i + 1; next < all && sorted[next] == sorted[i];) next++;
        double share = (double)(next - i) / all;
        h -= share * log(share);
    }
    free(sorted);
    *out = h;
    return DID_OK;
}

status quality_entropy(double *out, const int32_t *id, int n)
{
    return padded_entropy(out, id, n, 0, 0);
}

status quality_measure(quality *out, const int32_t *id, const float *nll, int n, int32_t unscored,
                       int pads)
{
    *out = (quality){.tokens = n};
    for (int i = 0; nll && i < n; i++) {
        if (isnan(nll[i]) || id[i] == unscored) continue;
        out->nll += (double)nll[i];
        out->rows++;
    }
    TRY(padded_entropy(&out->entropy, id, n, unscored, pads));
    return repeats_count(&out->repeats, id, n);
}

double quality_perplexity(double nll, int rows)
{
    return rows > 0 ? exp(nll / rows) : NAN;
}

double quality_edited(const int32_t *before, const int32_t *after, const bool *fixed, int n)
{
    int open = 0, edited = 0;
    for (int i = 0; i < n; i++) {
        if (fixed && fixed[i]) continue;
        open++;
        edited += before[i] != after[i];
    }
    return open > 0 ? (double)edited / open : 0;
}

double quality_mean(const double *x, int n)
{
    double sum = 0;
    int    known = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        sum += x[i];
        known++;
    }
    return known > 0 ? sum / known : NAN;
}

static int compare_reals(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The numbers among x[n], sorted to the front; how many they are. */
static int sort_known(double *x, int n)
{
    int known = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i])) x[known++] = x[i];
    qsort(x, (size_t)known, sizeof *x, compare_reals);
    return known;
}

double quality_median(double *x, int n)
{
    int known = sort_known(x, n);
    if (known == 0) return NAN;
    return known % 2 ? x[known / 2] : (x[known / 2 - 1] + x[known / 2]) / 2;
}

/* One resampling of the n: sum(x) / sum(weight) over n draws with replacement. */
static double resample(const double *x, const double *weight, int n, int round, uint64_t seed)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < n; i++) {
        uint64_t bits = rng_bits(seed, round, 0, i, PURPOSE_SELECT) >> 32;
        int      which = (int)(bits * (uint64_t)n >> 32);
        sum += x[which];
        weights += weight ? weight[which] : 1;
    }
    return sum / weights;
}

/* The value below which a share of the sorted x[n] lies, between neighbours on a straight line. */
static double quantile(const double *x, int n, double share)
{
    double at = share * (n - 1);
    int    below = (int)at, above = below + 1 < n ? below + 1 : below;
    return x[below] + (at - below) * (x[above] - x[below]);
}

status quality_interval(interval *out, const double *x, const double *weight, int n, double level,
                        uint64_t seed)
{
    size_t  room = (size_t)n + 1;
    double *known = malloc(room * sizeof *known), *heavy = malloc(room * sizeof *heavy);
    double *found = malloc(QUALITY_ROUNDS * sizeof *found);
    status  s = known && heavy && found ? DID_OK : no_memory(n);
    int     kept = 0, rounds = 0;
    *out = (interval){NAN, NAN};
    for (int i = 0; s == DID_OK && i < n; i++) {
        if (isnan(x[i])) continue;
        known[kept] = x[i];
        heavy[kept++] = weight ? weight[i] : 1;
    }
    if (s == DID_OK && kept > 0) {
        for (int r = 0; r < QUALITY_ROUNDS; r++) found[r] = resample(known, heavy, kept, r, seed);
        rounds = sort_known(found, QUALITY_ROUNDS); /* drawn without weight: 0 / 0 */
    }
    if (rounds > 0)
        *out = (interval){quantile(found, rounds, (1 - level) / 2),
                          quantile(found, rounds, (1 + level) / 2)};
    free(known);
    free(heavy);
    free(found);
    return s;
}

paired quality_paired(const double *before, const double *after, int n)
{
    paired p = {.change = NAN, .error = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        double change = after[i] - before[i];
        if (isnan(change)) continue;
        p.pairs++;
        p.lower += change < 0;
        sum += change;
    }
    if (p.pairs == 0) return p;
    p.change = sum / p.pairs;
    for (int i = 0; i < n; i++) {
        double off = after[i] - before[i] - p.change;
        if (!isnan(off)) squares += off * off;
    }
    if (p.pairs > 1) p.error = sqrt(squares / (p.pairs - 1) / p.pairs);
    return p;
}

/* ---- all samples ---- */

/* Columns of the table of samples, each [n]. */
typedef struct columns {
    double *nll, *rows, *perplexity, *entropy, *length;
} columns;

static void fill(columns *c, const quality *q, int n, bool any)
{
    for (int i = 0; i < n; i++) {
        c->nll[i] = q[i].nll;
        c->rows[i] = q[i].rows;
        c->perplexity[i] = quality_perplexity(q[i].nll, q[i].rows);
        c->entropy[i] = q[i].entropy;
        c->length[i] = any ? q[i].rows : q[i].tokens;
    }
}

static status sum_up(summary *out, columns *c, const quality *q, int n, uint64_t seed)
{
    double   nll = 0;
    interval range;
    for (int i = 0; i < n; i++) {
        out->scored += q[i].rows > 0;
        out->rows += q[i].rows;
        nll += q[i].nll;
        if (q[i].repeats.longest > out->longest) out->longest = q[i].repeats.longest;
        for (int k = 0; k < REPEATS_NGRAMS; k++) out->repeated[k] += q[i].repeats.share[k] / n;
    }
    fill(c, q, n, out->rows > 0);
    out->nll = out->rows > 0 ? nll / (double)out->rows : NAN;
    out->perplexity = exp(out->nll);
    TRY(quality_interval(&range, c->nll, c->rows, n, LEVEL, seed));
    out->perplexity_range = (interval){exp(range.low), exp(range.high)};
    out->perplexity_mean = quality_mean(c->perplexity, n);
    TRY(quality_interval(&out->perplexity_mean_range, c->perplexity, NULL, n, LEVEL, seed));
    out->entropy = quality_mean(c->entropy, n);
    TRY(quality_interval(&out->entropy_range, c->entropy, NULL, n, LEVEL, seed));
    for (int i = 0; i < n; i++)
        if (c->length[i] > out->length_max) out->length_max = (int)c->length[i];
    out->length_median = quality_median(c->length, n); /* reorders its column: last */
    return DID_OK;
}

status quality_summary(summary *out, const quality *q, int n, uint64_t seed)
{
    enum { COLUMNS = 5 };
    size_t  room = (size_t)n + 1;
    double *all = malloc(COLUMNS * room * sizeof *all);
    *out = (summary){.samples = n};
    if (!all) return no_memory(n);
    columns c = {all, all + room, all + 2 * room, all + 3 * room, all + 4 * room};
    status  s = sum_up(out, &c, q, n, seed);
    free(all);
    return s;
}
