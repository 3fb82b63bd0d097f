#include "vocabulary.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "hands.h"

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

/* My stretch of a distribution function. */
typedef struct stretch {
    double  begin, end;
    int32_t ties;
} stretch;

/* One row's search; the same on every rank except where it says "mine". */
typedef struct search {
    const float *x;       /* mine: its logits */
    double      *weight;  /* mine: exp of the tempered logits above the peak */
    float        peak;
    int32_t      peak_token;
    double       raw_total, total, limit, above;
    uint32_t     prefix;  /* leading digits of the threshold found so far */
    bool         cut;     /* the nucleus drops something */
    int32_t      ties_kept, kept;
    double       tie, kept_total;
    stretch      mine[VOCABULARY_SLICES_MAX];
    draw_word    drawn;
} search;

/* Some of my words. */
typedef struct slice {
    int at, len;   /* where they are in a row of mine */
    int first;     /* the first one's id */
    int skip;      /* the mask's place among them or -1 */
} slice;

typedef struct context {
    const ask     *asks;
    search        *row;
    int            n, n_slices, parts;  /* parts: slices of all ranks */
    slice          slice[VOCABULARY_SLICES_MAX];
    const kernels *k;
    comm          *comm;
    void          *all;      /* gathered words of all parts, row after row of each */
    void          *word;     /* those of my slices */
    int            round;    /* of the search for the threshold */
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
    return comm_gather(c->comm, c->all, c->word, bytes_per_row * (size_t)(c->n_slices * c->n),
                       EV_DRAW);
}

static bool truncates(const ask *a)
{
    return a->kind == ASK_DRAW && a->temperature > 0 && a->nucleus < 1;
}

static peak_word my_peak(const context *c, const slice *w, const search *s)
{
    const float *x = s->x + w->at;
    float        peak = c->k->max(x, w->len, w->skip);
    int          at = 0;
    while (at < w->len && (x[at] != peak || at == w->skip)) at++;
    return (peak_word){peak, w->first + at};
}

/* What the threads share out: the words of my slices, each of which is about one slice of one row. */
static void share_words(context *c, hands_work *work)
{
    hands_each(c->n_slices * c->n, work, c);
}

static void set_peak(void *shared, int thread, int m, int to)
{
    const context *c = shared;
    (void)thread;
    (void)to;
    ((peak_word *)c->word)[m] = my_peak(c, &c->slice[m / c->n], &c->row[m % c->n]);
}

static status find_peaks(context *c)
{
    peak_word *all = c->all;
    share_words(c, set_peak);
    TRY(exchange(c, sizeof *all));
    for (int i = 0; i < c->n; i++) {
        peak_word best = all[i];
        for (int p = 1; p < c->parts; p++)
            if (all[p * c->n + i].peak > best.peak) best = all[p * c->n + i];
        c->row[i].peak = best.peak;
        c->row[i].peak_token = best.token;
    }
    return DID_OK;
}

/* Exponentials of one of my slices, and their sums. */
static mass_word my_mass(const context *c, const slice *w, const search *s, const ask *a)
{
    double       t = a->kind == ASK_DRAW ? a->temperature : 1, scale = t > 0 ? 1 / t : 1;
    double      *weight = s->weight + w->at;
    const float *x = s->x + w->at;
    mass_word    mass;
    mass.tempered = mass.raw = c->k->exponentials(weight, x, s->peak, 1, w->len, w->skip);
    if (scale != 1) mass.tempered = c->k->exponentials(weight, x, s->peak, scale, w->len, w->skip);
    return mass;
}

static void set_mass(void *shared, int thread, int m, int to)
{
    const context *c = shared;
    int            i = m % c->n;
    (void)thread;
    (void)to;
    ((mass_word *)c->word)[m] = my_mass(c, &c->slice[m / c->n], &c->row[i], &c->asks[i]);
}

static status weigh(context *c)
{
    mass_word *all = c->all;
    share_words(c, set_mass);
    TRY(exchange(c, sizeof *all));
    for (int i = 0; i < c->n; i++) {
        search *s = &c->row[i];
        s->raw_total = s->total = 0;
        for (int p = 0; p < c->parts; p++) {
            s->raw_total += all[p * c->n + i].raw;
            s->total += all[p * c->n + i].tempered;
        }
        s->cut = truncates(&c->asks[i]);
        s->limit = s->cut ? c->asks[i].nucleus * s->total : INFINITY;
        s->above = 0;
        s->prefix = 0;
    }
    return DID_OK;
}

/* Mass by the next digit of the order, among the tokens that share the digits found so far. */
static void histogram(double bins[BINS], const slice *w, const search *s, int round)
{
    int shift = 32 - DIGIT * (round + 1);
    memset(bins, 0, BINS * sizeof *bins);
    for (int i = w->at; i < w->at + w->len; i++) {
        uint32_t key = order_of(s->x[i]);
        if (round > 0 && key >> (shift + DIGIT) != s->prefix) continue;
        bins[key >> shift & (BINS - 1)] += s->weight[i];
    }
}

/* Walk down from the largest digit to the one in which the mass crosses the limit. Rounding may leave
 * everything within it: then in the first round nothing is cut, and in a later one the threshold lies
 * in the lowest digit that holds any mass. */
static void descend(search *s, const double *all, int n, int i, int parts, int round)
{
    double above = s->above, begin = above;
    int    digit = -1;
    bool   crossed = false;
    for (int bin = BINS - 1; bin >= 0 && !crossed; bin--) {
        double mass = 0;
        for (int p = 0; p < parts; p++)
            mass += all[((size_t)p * (size_t)n + (size_t)i) * BINS + (size_t)bin];
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

static void set_bins(void *shared, int thread, int m, int to)
{
    const context *c = shared;
    const search  *s = &c->row[m % c->n];
    (void)thread;
    (void)to;
    if (s->cut)
        histogram((double *)c->word + (size_t)m * BINS, &c->slice[m / c->n], s, c->round);
}

static status find_threshold(context *c)
{
    bool any = false;
    for (int i = 0; i < c->n; i++) any = any || c->row[i].cut;
    for (int round = 0; any && round < ROUNDS; round++) {
        c->round = round;
        share_words(c, set_bins);
        TRY(exchange(c, BINS * sizeof(double)));
        for (int i = 0; i < c->n; i++)
            if (c->row[i].cut)
                descend(&c->row[i], c->all, c->n, i, c->parts, round);
    }
    return DID_OK;
}

static cut_word my_cut(const slice *w, const search *s)
{
    cut_word out = {0};
    for (int i = w->at; i < w->at + w->len; i++) {
        if (i - w->at == w->skip) continue;
        uint32_t key = order_of(s->x[i]);
        if (!s->cut || key > s->prefix) {
            out.above += s->weight[i];
            out.n_above++;
        } else if (key == s->prefix) {
            out.tie = s->weight[i];
            out.n_ties++;
        }
    }
    return out;
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

/* Where the slices of a row lie in the distribution function, mine among them. */
static void lay_out(const context *c, search *s, const cut_word *all, int i)
{
    int first = comm_rank(c->comm) * c->n_slices, left = s->ties_kept;
    s->kept_total = 0;
    for (int p = 0; p < c->parts; p++) {
        const cut_word *w = &all[p * c->n + i];
        int             take = w->n_ties < left ? w->n_ties : left;
        double          end = s->kept_total + (w->above + take * s->tie);
        left -= take;
        if (p >= first && p < first + c->n_slices)
            s->mine[p - first] = (stretch){s->kept_total, end, take};
        s->kept_total = end;
    }
}

static void set_cut(void *shared, int thread, int m, int to)
{
    const context *c = shared;
    (void)thread;
    (void)to;
    ((cut_word *)c->word)[m] = my_cut(&c->slice[m / c->n], &c->row[m % c->n]);
}

/* Sizes of the nucleus, and my parts of its distribution function. */
static status measure(context *c)
{
    cut_word *all = c->all;
    share_words(c, set_cut);
    TRY(exchange(c, sizeof *all));
    for (int i = 0; i < c->n; i++) {
        search *s = &c->row[i];
        double  above = 0;
        int     n_above = 0, ties = 0;
        s->tie = 0;
        for (int p = 0; p < c->parts; p++) {
            const cut_word *w = &all[p * c->n + i];
            above += w->above;
            n_above += w->n_above;
            ties += w->n_ties;
            if (w->n_ties > 0) s->tie = w->tie;
        }
        s->ties_kept = keep_ties(&c->asks[i], s, above, n_above, s->tie, ties);
        s->kept = n_above + s->ties_kept;
        lay_out(c, s, all, i);
    }
    return DID_OK;
}

/* The word at place `at` of a slice of mine; -1: none. */
static draw_word word_of(const slice *w, const search *s, int at)
{
    if (at < 0) return (draw_word){.token = -1};
    double raw = exp((double)s->x[w->at + at] - (double)s->peak);
    return (draw_word){raw, s->weight[w->at + at], w->first + at};
}

/* The token whose stretch of the distribution function holds `target`, if it is in this slice. */
static draw_word look_up(const slice *w, const search *s, const stretch *mine, double target)
{
    /* Stretches share their borders exactly, so one slice and no other answers. */
    bool last = mine->end >= s->kept_total;
    if (mine->end <= mine->begin || target < mine->begin || (target >= mine->end && !last))
        return word_of(w, s, -1);
    double sum = 0, rest = target - mine->begin;
    int    ties = mine->ties, found = -1;
    for (int i = 0; i < w->len; i++) {
        uint32_t key = order_of(s->x[w->at + i]);
        if (i == w->skip || (s->cut && key < s->prefix)) continue;
        if (s->cut && key == s->prefix && ties-- <= 0) continue;
        if (s->weight[w->at + i] <= 0) continue;
        found = i; /* the last kept token answers for what rounding leaves over */
        sum += s->weight[w->at + i];
        if (sum > rest) break;
    }
    return word_of(w, s, found);
}

static draw_word my_draw(const context *c, int j, int i)
{
    const ask    *a = &c->asks[i];
    const search *s = &c->row[i];
    const slice  *w = &c->slice[j];
    bool          fixed = a->kind == ASK_SCORE || a->temperature == 0;
    int           at = (a->kind == ASK_SCORE ? a->token : s->peak_token) - w->first;
    if (fixed) return word_of(w, s, at >= 0 && at < w->len ? at : -1);
    return look_up(w, s, &s->mine[j], a->uniform * s->kept_total);
}

static void set_draw(void *shared, int thread, int m, int to)
{
    const context *c = shared;
    (void)thread;
    (void)to;
    ((draw_word *)c->word)[m] = my_draw(c, m / c->n, m % c->n);
}

static status pick(context *c)
{
    draw_word *all = c->all;
    share_words(c, set_draw);
    TRY(exchange(c, sizeof *all));
    for (int i = 0; i < c->n; i++) {
        c->row[i].drawn = (draw_word){.token = -1};
        for (int p = 0; p < c->parts; p++)
            if (all[p * c->n + i].token >= 0 && c->row[i].drawn.token < 0)
                c->row[i].drawn = all[p * c->n + i];
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

size_t vocabulary_scratch_bytes(int len, int n_slices, int ranks)
{
    size_t word = BINS * sizeof(double) * BATCH * (size_t)n_slices;
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

/* How many words of mine there are, and which. */
static int cut_words(context *c, const slices *mine, int mask_id)
{
    int at = 0;
    c->n_slices = mine->n;
    c->parts = mine->n * comm_size(c->comm);
    for (int j = 0; j < mine->n; j++) {
        span w = mine->at[j];
        bool masked = mask_id >= w.first && mask_id < w.first + w.len;
        c->slice[j] = (slice){at, w.len, w.first, masked ? mask_id - w.first : -1};
        at += w.len;
    }
    return at;
}

status vocabulary_answer(answer *answers, const ask *asks, const float *logits, int n,
                         const slices *mine, int mask_id, arena *scratch, const kernels *k,
                         comm *row)
{
    size_t  mark = arena_mark(scratch);
    context c = {.k = k, .comm = row};
    size_t  len = (size_t)cut_words(&c, mine, mask_id);
    size_t  word = BINS * sizeof(double) * BATCH * (size_t)c.n_slices;
    c.row = arena_take(scratch, BATCH * sizeof *c.row);
    c.word = arena_take(scratch, word);
    c.all = arena_take(scratch, word * (size_t)comm_size(row));
    double *weight = arena_take(scratch, BATCH * len * sizeof *weight);
    status  s = DID_OK;
    memset(c.word, 0, word);
    for (int done = 0; s == DID_OK && done < n; done += c.n) {
        c.n = n - done < BATCH ? n - done : BATCH;
        c.asks = asks + done;
        for (int i = 0; i < c.n; i++)
            c.row[i] = (search){.x = logits + (size_t)(done + i) * len,
                                .weight = weight + (size_t)i * len};
        s = answer_batch(answers + done, &c);
    }
    arena_release(scratch, mark);
    return s;
}
