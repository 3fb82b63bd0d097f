/* Draws from a distribution in slices against the same distribution sorted in one piece: the
 * nucleus to the token, its ties, every draw, on every rank the same bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chance.h"
#include "made_up.h"
#include "vocabulary.h"

static comm *world;

enum { LARGE = 50258, ASKS_MAX = 1600 };

/* ---- the distribution in one piece ---- */

typedef struct sorted {
    int    n, kept, top;
    int   *order;   /* [n] ids, most probable first, equal ones by id */
    char  *keep;    /* [vocab] */
    double raw_total, kept_total;
    const float *x;
    double temperature;
} sorted;

static const float *compared;

static int by_logit(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    if (compared[x] != compared[y]) return compared[x] > compared[y] ? -1 : 1;
    return (x > y) - (x < y);
}

static double weight_of(const sorted *s, int id, double temperature)
{
    return exp(((double)s->x[id] - s->x[s->top]) / temperature);
}

static void sort_out(sorted *s, const float *x, int vocab, int mask, const ask *a)
{
    double total = 0, sum = 0;
    *s = (sorted){.x = x, .temperature = a->temperature};
    s->order = malloc((size_t)vocab * sizeof *s->order);
    s->keep = calloc((size_t)vocab, 1);
    for (int i = 0; i < vocab; i++)
        if (i != mask) s->order[s->n++] = i;
    compared = x;
    qsort(s->order, (size_t)s->n, sizeof *s->order, by_logit);
    s->top = s->order[0];
    for (int i = 0; i < s->n; i++) {
        total += weight_of(s, s->order[i], a->temperature);
        s->raw_total += weight_of(s, s->order[i], 1);
    }
    for (int i = 0; i < s->n; i++) {
        double w = weight_of(s, s->order[i], a->temperature), before = sum;
        sum += w;
        bool within = sum <= a->nucleus * total || a->nucleus == 1;
        if (!within && !(a->inclusive && before <= a->nucleus * total) && i > 0) break;
        s->keep[s->order[i]] = 1;
        s->kept_total += w;
        s->kept++;
    }
}

static void sorted_clear(sorted *s)
{
    free(s->order);
    free(s->keep);
}

/* ---- the distribution in slices ---- */

typedef enum { EVEN, RAGGED, LAST_ONLY, LAYOUTS } layout;

/* Rank r's part: as models are split; or in pieces of which some are empty; or all on the last. */
static span slice(layout how, int vocab, int size, int r)
{
    if (how == EVEN) return split_part(vocab, 16, size, r);
    if (how == LAST_ONLY) return r == size - 1 ? (span){0, vocab} : (span){0, 0};
    int pairs = (size + 1) / 2; /* every other rank has nothing */
    span s = split_part(vocab, 1, pairs, r / 2);
    return r % 2 ? (span){s.first + s.len, 0} : s;
}

/* Answers to asks about rows[n], row i beginning at rows + i * stride; alike on every rank. */
static void answer_rows(answer *out, const ask *asks, int n, const float *rows, size_t stride,
                        int vocab, int mask, layout how, const kernels *k)
{
    int    size = comm_size(world);
    span   mine = slice(how, vocab, size, comm_rank(world));
    arena  scratch;
    float *logits = malloc((size_t)n * (size_t)mine.len * sizeof *logits + 1);
    for (int i = 0; i < n; i++)
        memcpy(logits + (size_t)i * (size_t)mine.len, rows + (size_t)i * stride + mine.first,
               (size_t)mine.len * sizeof *logits);
    assert_int_equal(arena_open(&scratch, vocabulary_scratch_bytes(mine.len, 1, size)), DID_OK);
    memset(out, 0xee, (size_t)n * sizeof *out);
    assert_int_equal(vocabulary_answer(out, asks, logits, n, &(slices){1, {mine}}, mask, &scratch, k, world),
                     DID_OK);
    assert_int_equal(scratch.used, 0);
    arena_close(&scratch);
    free(logits);

    size_t  bytes = (size_t)n * sizeof *out;
    answer *all = malloc(bytes * (size_t)size);
    assert_int_equal(comm_gather(world, all, out, bytes, EV_BENCH), DID_OK);
    for (int r = 0; r < size; r++) assert_memory_equal(all + r * n, out, bytes);
    free(all);
}

static bool near(double have, double want)
{
    return fabs(have - want) <= 1e-6 * want;
}

static void assert_answer(const answer *a, const sorted *s, int token)
{
    assert_true(a->finite == 1);
    assert_int_equal(a->token, token);
    assert_int_equal(a->kept, s->kept);
    assert_true(near(a->raw, weight_of(s, token, 1) / s->raw_total));
    assert_true(near(a->nucleus, weight_of(s, token, s->temperature) / s->kept_total));
    assert_true(near(a->peak, 1 / s->raw_total));
}

/* Walk a uniform number over the whole distribution function: the middle of every kept token's
 * stretch, in ascending order of ids, draws that token. Stretches too thin for f64 are left out. */
static void scan(const float *x, int vocab, int mask, ask how, layout parts, const kernels *k)
{
    sorted  s;
    ask    *asks = calloc(ASKS_MAX, sizeof *asks);
    answer *answers = calloc(ASKS_MAX, sizeof *answers);
    int    *token = calloc(ASKS_MAX, sizeof *token), n = 0;
    double  begin = 0;
    sort_out(&s, x, vocab, mask, &how);
    for (int i = 0; i < vocab && n < ASKS_MAX; i++) {
        if (!s.keep[i]) continue;
        double w = weight_of(&s, i, how.temperature);
        how.uniform = (begin + w / 2) / s.kept_total;
        begin += w;
        if (w < 1e-10 * s.kept_total) continue;
        token[n] = i;
        asks[n++] = how;
    }
    answer_rows(answers, asks, n, x, 0, vocab, mask, parts, k);
    for (int i = 0; i < n; i++) assert_answer(&answers[i], &s, token[i]);
    sorted_clear(&s);
    free(asks);
    free(answers);
    free(token);
}

/* ---- rows of all kinds ---- */

enum { VOCAB = 83, KINDS = 8 };

static void fill(float *x, int vocab, int kind)
{
    uint64_t seed = (uint64_t)kind + 40;
    for (int i = 0; i < vocab; i++) {
        float z = made_up_normal(&seed);
        switch (kind) {
        case 0: x[i] = 2 * z; break;
        case 1: x[i] = i == vocab / 3 ? 12 : z; break;               /* one that outweighs all */
        case 2: x[i] = 0.25f * roundf(4 * z); break;                 /* many ties */
        case 3: x[i] = i % 2 ? 0.0f : -0.0f; break;                  /* flat, with both zeros */
        case 4: x[i] = i % 3 ? -INFINITY : z; break;                 /* impossible tokens */
        case 5: x[i] = 1e-3f * z; break;                             /* nearly flat */
        case 6: x[i] = 40 * z; break;                                /* nearly one */
        default: x[i] = -1e30f + 1e24f * roundf(z); break;           /* far from zero */
        }
    }
}

static const double masses[] = {0.05, 0.31, 0.503, 0.9, 0.99, 1};

static void nucleus_is_exact(void **state)
{
    (void)state;
    float x[VOCAB];
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t m = 0; m < sizeof masses / sizeof *masses; m++) {
            static const int masks[] = {VOCAB - 1, 0, 50, 16};
            int              which = (int)m + kind, mask = masks[which % 4];
            ask              a = {.nucleus = masses[m], .temperature = 1};
            a.inclusive = (int)m / 2 % 2 ^ kind % 2;
            fill(x, VOCAB, kind);
            x[mask] = which % 3 ? 99 : NAN; /* the mask is in no distribution */
            scan(x, VOCAB, mask, a, which % LAYOUTS, kernels_find(NULL));
        }
}

static void temperature_comes_first(void **state)
{
    (void)state;
    static const double temperatures[] = {0.1, 0.7, 1.5, 20};
    float               x[VOCAB];
    for (int i = 0; i < 4; i++)
        for (int kind = 0; kind < 3; kind++) {
            ask a = {.nucleus = 0.87, .inclusive = i % 2, .temperature = temperatures[i]};
            fill(x, VOCAB, kind);
            scan(x, VOCAB, VOCAB - 1, a, EVEN, kernels_find(NULL));
        }
}

static void every_kernel_set_draws_alike(void **state)
{
    (void)state;
    float x[VOCAB];
    for (const char *const *name = kernels_available(); *name; name++)
        for (int kind = 0; kind < KINDS; kind += 2) {
            ask a = {.nucleus = 0.77, .temperature = 0.9};
            fill(x, VOCAB, kind);
            scan(x, VOCAB, 7, a, RAGGED, kernels_find(*name));
        }
}

/* Fewer words than ranks. */
static void tiny_vocabularies(void **state)
{
    (void)state;
    for (int vocab = 2; vocab < 8; vocab++)
        for (layout how = 0; how < LAYOUTS; how++) {
            float x[8];
            ask   a = {.nucleus = 0.8, .inclusive = vocab % 2, .temperature = 1};
            fill(x, vocab, 0);
            scan(x, vocab, vocab / 2, a, how, kernels_find(NULL));
        }
}

/* Temperature 0 takes the most probable, of equals the smallest id; the numbers are those of the
 * untempered distribution. */
static void zero_temperature(void **state)
{
    (void)state;
    enum { N = KINDS - 1 };
    float   *x = malloc(N * VOCAB * sizeof *x);
    ask      asks[N];
    answer   answers[N];
    for (layout how = 0; how < LAYOUTS; how++) {
        for (int i = 0; i < N; i++) {
            fill(x + i * VOCAB, VOCAB, i);
            x[i * VOCAB + 3] = 1e6f; /* the mask */
            asks[i] = (ask){.nucleus = 0.1, .uniform = 0.99};
        }
        answer_rows(answers, asks, N, x, VOCAB, VOCAB, 3, how, kernels_find(NULL));
        for (int i = 0; i < N; i++) {
            sorted s;
            sort_out(&s, x + i * VOCAB, VOCAB, 3, &(ask){.nucleus = 1, .temperature = 1});
            assert_int_equal(answers[i].token, s.top);
            assert_true(near(answers[i].raw, 1 / s.raw_total) && answers[i].peak == answers[i].raw);
            assert_true(answers[i].nucleus == 1 && answers[i].kept == 1);
            sorted_clear(&s);
        }
    }
    free(x);
}

/* SCORE: the probability of a token that somebody names. */
static void scores(void **state)
{
    (void)state;
    float   x[VOCAB];
    ask     asks[VOCAB];
    answer  answers[VOCAB];
    for (int kind = 0; kind < KINDS; kind++) {
        sorted s;
        fill(x, VOCAB, kind);
        for (int i = 0; i < VOCAB; i++)
            asks[i] = (ask){.kind = ASK_SCORE, .token = i, .nucleus = 0.1, .temperature = 3};
        sort_out(&s, x, VOCAB, VOCAB - 1, &(ask){.nucleus = 1, .temperature = 1});
        answer_rows(answers, asks, VOCAB - 1, x, 0, VOCAB, VOCAB - 1, kind % LAYOUTS,
                    kernels_find(NULL));
        for (int i = 0; i < VOCAB - 1; i++) {
            double p = weight_of(&s, i, 1) / s.raw_total;
            assert_int_equal(answers[i].token, i);
            if (p > 1e-30) assert_true(near(answers[i].raw, p));
            else assert_true(answers[i].raw > 0 && answers[i].raw < 1e-29);
        }
        sorted_clear(&s);
    }
}

/* A row that is not numbers says so, and its neighbours in the batch do not notice. */
static void nonsense_is_reported(void **state)
{
    (void)state;
    enum { N = 70 };
    float   *x = malloc(N * VOCAB * sizeof *x);
    ask      asks[N];
    answer   answers[N];
    for (int i = 0; i < N; i++) {
        fill(x + i * VOCAB, VOCAB, 0);
        asks[i] = (ask){.nucleus = i % 2 ? 0.9 : 1, .temperature = i % 3, .uniform = 0.5};
        if (i % 7 == 1) x[i * VOCAB + i] = NAN;
        if (i % 7 == 3) x[i * VOCAB + i] = INFINITY;
        if (i % 7 == 5) for (int j = 0; j < VOCAB; j++) x[i * VOCAB + j] = -INFINITY;
    }
    answer_rows(answers, asks, N, x, VOCAB, VOCAB, VOCAB - 1, EVEN, kernels_find(NULL));
    for (int i = 0; i < N; i++) {
        bool sound = i % 7 != 1 && i % 7 != 3 && i % 7 != 5;
        assert_true(answers[i].finite == (sound ? 1 : 0));
        /* All rows are one row, so draws of the same settings are one draw. */
        if (sound && i >= 42) assert_memory_equal(&answers[i], &answers[i - 42], sizeof *answers);
    }
    free(x);
}

/* ---- a real vocabulary ---- */

/* Nothing to tell 50257 tokens apart: 45231 of them are within 0.9, those of the smaller ids. */
static void flat_vocabulary(void **state)
{
    (void)state;
    enum { KEPT = 45231, DRAWS = 120, BINS = 8 };
    static const int mask = 20000;
    float           *x = calloc(LARGE, sizeof *x);
    ask              asks[DRAWS];
    answer           answers[DRAWS];
    int              often[BINS] = {0};
    uint64_t         seed = 9;
    for (int i = 0; i < DRAWS; i++)
        asks[i] = (ask){.nucleus = 0.9, .temperature = 1, .uniform = made_up_uniform(&seed)};
    for (int i = 0; i < 20; i++) /* and some that are known exactly */
        asks[i].uniform = (i * (KEPT - 1) / 19 + 0.5) / KEPT;
    answer_rows(answers, asks, DRAWS, x, 0, LARGE, mask, EVEN, kernels_find(NULL));
    for (int i = 0; i < DRAWS; i++) {
        const answer *a = &answers[i];
        int           place = (int)(asks[i].uniform * KEPT);
        assert_int_equal(a->kept, KEPT);
        if (i < 20) assert_int_equal(a->token, place < mask ? place : place + 1);
        assert_true(near(a->raw, 1.0 / (LARGE - 1)) && near(a->nucleus, 1.0 / KEPT));
        if (i >= 20) often[(a->token - (a->token > mask)) * BINS / KEPT]++;
    }
    assert_int_equal(answers[19].token, KEPT);
    assert_true(chance_uniform(often, BINS) > 0.01);
    free(x);
}

/* A hundred equal tokens at the cut, strewn over the vocabulary: 37 of them fit, the first 37. */
static void ties_at_the_cut(void **state)
{
    (void)state;
    enum { SURE = 1000, TIES = 100, STAY = 37 };
    for (int inclusive = 0; inclusive < 2; inclusive++) {
        float *x = malloc(LARGE * sizeof *x);
        double sure = SURE * exp(3), tie = exp(1), rest = (LARGE - 1 - SURE - TIES) * exp(-4);
        ask    a = {.inclusive = inclusive, .temperature = 1};
        a.nucleus = (sure + (STAY + 0.5 - inclusive) * tie) / (sure + TIES * tie + rest);
        for (int i = 0; i < LARGE; i++) x[i] = -4;
        for (int i = 0; i < SURE; i++) x[i * 50 + 3] = 3;
        for (int i = 0; i < TIES; i++) x[i * 500 + 7] = 1;
        sorted s;
        sort_out(&s, x, LARGE, LARGE - 1, &a);
        assert_int_equal(s.kept, SURE + STAY);
        for (int i = 0; i < TIES; i++) assert_int_equal(s.keep[i * 500 + 7], i < STAY);
        sorted_clear(&s);

        ask     asks[2 * STAY + 6];
        answer  answers[2 * STAY + 6];
        int     n = 0, token[2 * STAY + 6];
        double  begin = 0, total = sure + STAY * tie;
        for (int i = 0, ties = 0, sures = 0; i < LARGE; i++) {
            bool   tied = x[i] == 1 && ties++ < STAY, is_sure = x[i] == 3;
            double w = tied ? tie : is_sure ? exp(3) : 0;
            if (tied || (is_sure && sures++ % 50 == 0)) {
                asks[n] = a;
                asks[n].uniform = (begin + w / 2) / total;
                token[n++] = i;
            }
            begin += w;
        }
        answer_rows(answers, asks, n, x, 0, LARGE, LARGE - 1, EVEN, kernels_find(NULL));
        for (int i = 0; i < n; i++) {
            assert_int_equal(answers[i].token, token[i]);
            assert_int_equal(answers[i].kept, SURE + STAY);
        }
        free(x);
    }
}

/* Many draws from a lively row follow its law. */
static void draws_follow_the_law(void **state)
{
    (void)state;
    enum { IDS = 40, DRAWS = 3200 };
    float    x[IDS];
    ask     *asks = calloc(DRAWS, sizeof *asks);
    answer  *answers = calloc(DRAWS, sizeof *answers);
    ask      a = {.nucleus = 0.93, .temperature = 1.3};
    sorted   s;
    uint64_t seed = 77;
    fill(x, IDS, 0);
    sort_out(&s, x, IDS, 11, &a);
    for (int i = 0; i < DRAWS; i++) {
        asks[i] = a;
        asks[i].uniform = made_up_uniform(&seed);
    }
    answer_rows(answers, asks, DRAWS, x, 0, IDS, 11, EVEN, kernels_find(NULL));
    int    often[IDS] = {0}, place[IDS];
    double expected[IDS];
    for (int i = 0; i < s.kept; i++) {
        place[s.order[i]] = i;
        expected[i] = DRAWS * weight_of(&s, s.order[i], a.temperature) / s.kept_total;
    }
    for (int i = 0; i < DRAWS; i++) {
        assert_true(s.keep[answers[i].token]);
        often[place[answers[i].token]]++;
    }
    assert_true(chance_of(often, expected, s.kept) > 0.01);
    sorted_clear(&s);
    free(asks);
    free(answers);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nucleus_is_exact),
        cmocka_unit_test(temperature_comes_first),
        cmocka_unit_test(every_kernel_set_draws_alike),
        cmocka_unit_test(tiny_vocabularies),
        cmocka_unit_test(zero_temperature),
        cmocka_unit_test(scores),
        cmocka_unit_test(nonsense_is_reported),
        cmocka_unit_test(flat_vocabulary),
        cmocka_unit_test(ties_at_the_cut),
        cmocka_unit_test(draws_follow_the_law),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
