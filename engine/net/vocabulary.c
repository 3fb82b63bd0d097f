#include "vocabulary.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BATCH = 32, DIGIT = 8, BINS = 1 << DIGIT, ROUNDS = 32 / DIGIT };

/* What one rank tells the others about one row, step by step. */
typedef struct peak_word {
    float   peak;
    int32_t token;
} peak_word;
typedef struct mass_word {
    double raw, tempered;
} mass_word;
typedef struct cut_word {
    double  above;        /* mass strictly above the threshold */
    double  tie;          /* mass of one token at the threshold; 0 where this rank has none */
    int32_t n_above, n_ties;
} cut_word;
typedef struct draw_word {
    double  raw, tempered;
    int32_t token;        /* -1: not on this rank */
} draw_word;

/* One row's search; the same on every rank except where it says "mine". */
typedef struct search {
    const float *x;       /* my slice of its logits */
    double      *weight;  /* mine: exp of the tempered logits above the peak */
    float        peak;
    int32_t      peak_token;
    double       raw_total, total, limit, above;
    uint32_t     prefix;  /* leading digits of the threshold found so far */
    bool         cut;     /* the nucleus drops something */
    int32_t      ties_kept, kept;
    double       tie, kept_total;
    int32_t      my_ties;
    double       my_begin, my_end;   /* my stretch of the distribution function */
    draw_word    drawn;
} search;

typedef struct context {
    const ask     *asks;
    search        *row;
    int            n, skip;  /* skip: the mask's place in my slice or -1 */
    span           mine;
    const kernels *k;
    comm          *comm;
    void          *all;      /* gathered words of all ranks */
    void          *word;     /* mine, one per row */
} context;

/* Unsigned integers in the order of the floats; both zeros are one. */
static uint32_t order_of(float x)
{
    float    canonical = x + 0.0f;
    uint32_t bits;
    memcpy(&bits, &canonical, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static status exchange(context *c, size_t bytes_per_row)
{
    return comm_gather(c->comm, c->all, c->word, bytes_per_row * (size_t)c->n, EV_DRAW);
}

static bool truncates(const ask *a)
{
    return a->kind == ASK_DRAW && a->temperature > 0 && a->nucleus < 1;
}

static status find_peaks(context *c)
{
    peak_word *mine = c->word, *all = c->all;
    for (int i = 0; i < c->n; i++) {
        const float *x = c->row[i].x;
        float        peak = c->k->max(x, c->mine.len, c->skip);
        int          at = 0;
        while (at < c->mine.len && (x[at] != peak || at == c->skip)) at++;
        mine[i] = (peak_word){peak, c->mine.first + at};
    }
    TRY(exchange(c, sizeof *mine));
    for (int i = 0; i < c->n; i++) {
        peak_word best = all[i];
        for (int r = 1; r < comm_size(c->comm); r++)
            if (all[r * c->n + i].peak > best.peak) best = all[r * c->n + i];
        c->row[i].peak = best.peak;
        c->row[i].peak_token = best.token;
    }
    return DID_OK;
}

/* Exponentials of my slice and their sums over all ranks, in rank order. */
static status weigh(context *c)
{
    mass_word *mine = c->word, *all = c->all;
    for (int i = 0; i < c->n; i++) {
        search *s = &c->row[i];
        double  t = c->asks[i].kind == ASK_DRAW ? c->asks[i].temperature : 1;
        double  scale = t > 0 ? 1 / t : 1;
        mine[i].raw = c->k->exponentials(s->weight, s->x, s->peak, 1, c->mine.len, c->skip);
        mine[i].tempered = mine[i].raw;
        if (scale != 1)
            mine[i].tempered =
                c->k->exponentials(s->weight, s->x, s->peak, scale, c->mine.len, c->skip);
    }
    TRY(exchange(c, sizeof *mine));
    for (int i = 0; i < c->n; i++) {
        search *s = &c->row[i];
        s->raw_total = s->total = 0;
        for (int r = 0; r < comm_size(c->comm); r++) {
            s->raw_total += all[r * c->n + i].raw;
            s->total += all[r * c->n + i].tempered;
        }
        s->cut = truncates(&c->asks[i]);
        s->limit = s->cut ? c->asks[i].nucleus * s->total : INFINITY;
        s->above = 0;
        s->prefix = 0;
    }
    return DID_OK;
}

/* Mass by the next digit of the order, among the tokens that share the digits found so far. */
static void histogram(double bins[BINS], const context *c, const search *s, int round)
{
    int shift = 32 - DIGIT * (round + 1);
    memset(bins, 0, BINS * sizeof *bins);
    for (int i = 0; i < c->mine.len; i++) {
        uint32_t key = order_of(s->x[i]);
        if (round > 0 && key >> (shift + DIGIT) != s->prefix) continue;
        bins[key >> shift & (BINS - 1)] += s->weight[i];
    }
}

/* Walk down from the largest digit to the one in which the mass crosses the limit. Rounding may leave
 * everything within it: then in the first round nothing is cut, and in a later one the threshold lies
 * in the lowest digit that holds any mass. */
static void descend(search *s, const double *all, int n, int i, int ranks, int round)
{
    double above = s->above, begin = above;
    int    digit = -1;
    bool   crossed = false;
    for (int bin = BINS - 1; bin >= 0 && !crossed; bin--) {
        double mass = 0;
        for (int r = 0; r < ranks; r++)
            mass += all[((size_t)r * (size_t)n + (size_t)i) * BINS + (size_t)bin];
        if (mass <= 0) continue;
        digit = bin;
        begin = above;
        above += mass;
        crossed = above > s->limit;
    }
    if (!crossed && round == 0) {
        s->cut = false;
        return;
    }
    s->above = begin;
    s->prefix = s->prefix << DIGIT | (uint32_t)digit;
}

static status find_threshold(context *c)
{
    bool any = false;
    for (int i = 0; i < c->n; i++) any = any || c->row[i].cut;
    for (int round = 0; any && round < ROUNDS; round++) {
        for (int i = 0; i < c->n; i++)
            if (c->row[i].cut)
                histogram((double *)c->word + (size_t)i * BINS, c, &c->row[i], round);
        TRY(exchange(c, BINS * sizeof(double)));
        for (int i = 0; i < c->n; i++)
            if (c->row[i].cut)
                descend(&c->row[i], c->all, c->n, i, comm_size(c->comm), round);
    }
    return DID_OK;
}

static cut_word my_cut(const context *c, const search *s)
{
    cut_word w = {0};
    for (int i = 0; i < c->mine.len; i++) {
        if (i == c->skip) continue;
        uint32_t key = order_of(s->x[i]);
        if (!s->cut || key > s->prefix) {
            w.above += s->weight[i];
            w.n_above++;
        } else if (key == s->prefix) {
            w.tie = s->weight[i];
            w.n_ties++;
        }
    }
    return w;
}

/* How many of the tokens at the threshold stay. */
static int keep_ties(const ask *a, const search *s, double above, int n_above, double tie, int ties)
{
    if (!s->cut || ties == 0) return 0;
    double room = tie > 0 ? (s->limit - above) / tie : ties;
    /* Inclusive: who has no more than the limit before it stays, so the one that crosses does. */
    double stay = floor(room) + (a->inclusive ? 1 : 0);
    int    least = n_above == 0; /* the first token always stays */
    if (stay < least) stay = least;
    return stay < ties ? (int)stay : ties;
}

/* Sizes of the nucleus, and my part of its distribution function. */
static status measure(context *c)
{
    cut_word *mine = c->word, *all = c->all;
    for (int i = 0; i < c->n; i++) mine[i] = my_cut(c, &c->row[i]);
    TRY(exchange(c, sizeof *mine));
    int ranks = comm_size(c->comm), me = comm_rank(c->comm);
    for (int i = 0; i < c->n; i++) {
        search *s = &c->row[i];
        double  above = 0, tie = 0;
        int     n_above = 0, ties = 0;
        for (int r = 0; r < ranks; r++) {
            const cut_word *w = &all[r * c->n + i];
            above += w->above;
            n_above += w->n_above;
            ties += w->n_ties;
            if (w->n_ties > 0) tie = w->tie;
        }
        s->ties_kept = keep_ties(&c->asks[i], s, above, n_above, tie, ties);
        s->kept = n_above + s->ties_kept;
        s->tie = tie;
        s->kept_total = 0;
        for (int r = 0, left = s->ties_kept; r < ranks; r++) {
            const cut_word *w = &all[r * c->n + i];
            int             take = w->n_ties < left ? w->n_ties : left;
            double          mass = w->above + take * tie;
            left -= take;
            if (r == me) {
                s->my_ties = take;
                s->my_begin = s->kept_total;
                s->my_end = s->kept_total + mass;
            }
            s->kept_total += mass;
        }
    }
    return DID_OK;
}

static draw_word word_of(const context *c, const search *s, int at)
{
    if (at < 0) return (draw_word){.token = -1};
    double raw = exp((double)s->x[at] - (double)s->peak);
    return (draw_word){raw, s->weight[at], c->mine.first + at};
}

/* The token whose stretch of the distribution function holds `target`, if that is mine. */
static draw_word look_up(const context *c, const search *s, double target)
{
    /* Stretches share their borders exactly, so one rank and no other answers. */
    bool last = s->my_end >= s->kept_total;
    if (s->my_end <= s->my_begin || target < s->my_begin || (target >= s->my_end && !last))
        return word_of(c, s, -1);
    double sum = 0, rest = target - s->my_begin;
    int    ties = s->my_ties, found = -1;
    for (int i = 0; i < c->mine.len; i++) {
        uint32_t key = order_of(s->x[i]);
        if (i == c->skip || (s->cut && key < s->prefix)) continue;
        if (s->cut && key == s->prefix && ties-- <= 0) continue;
        if (s->weight[i] <= 0) continue;
        found = i; /* the last kept token answers for what rounding leaves over */
        sum += s->weight[i];
        if (sum > rest) break;
    }
    return word_of(c, s, found);
}

static status pick(context *c)
{
    draw_word *mine = c->word, *all = c->all;
    for (int i = 0; i < c->n; i++) {
        const ask    *a = &c->asks[i];
        const search *s = &c->row[i];
        bool          fixed = a->kind == ASK_SCORE || a->temperature == 0;
        int32_t       token = a->kind == ASK_SCORE ? a->token : s->peak_token;
        int           at = token - c->mine.first;
        mine[i] = !fixed ? look_up(c, s, a->uniform * s->kept_total)
                         : word_of(c, s, at >= 0 && at < c->mine.len ? at : -1);
    }
    TRY(exchange(c, sizeof *mine));
    for (int i = 0; i < c->n; i++) {
        c->row[i].drawn = (draw_word){.token = -1};
        for (int r = 0; r < comm_size(c->comm); r++)
            if (all[r * c->n + i].token >= 0 && c->row[i].drawn.token < 0)
                c->row[i].drawn = all[r * c->n + i];
    }
    return DID_OK;
}

/* A probability as a float in (0, 1]. */
static float probability(double part, double whole)
{
    double p = part / whole;
    return p < FLT_MIN ? FLT_MIN : p > 1 ? 1 : (float)p;
}

static answer conclude(const ask *a, const search *s)
{
    bool   greedy = a->kind == ASK_DRAW && a->temperature == 0;
    answer out = {.token = s->drawn.token, .kept = greedy ? 1 : s->kept};
    out.finite = isfinite(s->raw_total) && isfinite(s->total) && s->drawn.token >= 0;
    if (out.finite == 0) return out;
    out.raw = probability(s->drawn.raw, s->raw_total);
    out.nucleus = greedy ? 1 : probability(s->drawn.tempered, s->kept_total);
    out.peak = probability(1, s->raw_total);
    return out;
}

size_t vocabulary_scratch_bytes(int len, int ranks)
{
    size_t word = BINS * sizeof(double) * BATCH;
    return arena_round(BATCH * sizeof(search)) + arena_round(word) +
           arena_round(word * (size_t)ranks) +
           arena_round((size_t)BATCH * (size_t)len * sizeof(double));
}

static status answer_batch(answer *answers, context *c)
{
    TRY(find_peaks(c));
    TRY(weigh(c));
    TRY(find_threshold(c));
    TRY(measure(c));
    TRY(pick(c));
    for (int i = 0; i < c->n; i++) answers[i] = conclude(&c->asks[i], &c->row[i]);
    return DID_OK;
}

status vocabulary_answer(answer *answers, const ask *asks, const float *logits, int n, span mine,
                         int mask_id, arena *scratch, const kernels *k, comm *row)
{
    size_t  mark = arena_mark(scratch), word = BINS * sizeof(double) * BATCH;
    context c = {.mine = mine, .k = k, .comm = row};
    c.skip = mask_id >= mine.first && mask_id < mine.first + mine.len ? mask_id - mine.first : -1;
    c.row = arena_take(scratch, BATCH * sizeof *c.row);
    c.word = arena_take(scratch, word);
    c.all = arena_take(scratch, word * (size_t)comm_size(row));
    double *weight = arena_take(scratch, (size_t)BATCH * (size_t)mine.len * sizeof *weight);
    status  s = DID_OK;
    memset(c.word, 0, word);
    for (int done = 0; s == DID_OK && done < n; done += c.n) {
        c.n = n - done < BATCH ? n - done : BATCH;
        c.asks = asks + done;
        for (int i = 0; i < c.n; i++)
            c.row[i] = (search){.x = logits + (size_t)(done + i) * (size_t)mine.len,
                                .weight = weight + (size_t)i * (size_t)mine.len};
        s = answer_batch(answers + done, &c);
    }
    arena_release(scratch, mark);
    return s;
}
