/* Passes through the network on models made up for it: folded or not, cached or whole, wide or
 * alone, a row is the same row; and what is drawn from it follows the law of the sampler. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "chance.h"
#include "made_up.h"
#include "rig.h"

static comm *world;
static char  odd[MADE_UP_PATH], small[MADE_UP_PATH], toy[MADE_UP_PATH];

enum { LENGTH = 100, ROWS = 260 };

static void open_rig(rig *r, const char *dir, int tp, int rows, bool folded)
{
    if (rig_open(r, dir, world, tp, rows, LENGTH, folded, NULL) != DID_OK)
        fail_msg("%s", status_message());
}

static void random_tokens(int32_t *token, int n, int below, uint64_t seed)
{
    for (int i = 0; i < n; i++) token[i] = (int32_t)(made_up_bits(&seed) % (uint64_t)below);
}

/* Run what is in the batch: its logits, to be freed. */
static float *logits_of(rig *r)
{
    size_t n = (size_t)r->batch.pass.n_asks * (size_t)r->model.geometry.vocab;
    float *x = malloc(n * sizeof *x + 1);
    assert_int_equal(rig_logits(r, x), DID_OK);
    return x;
}

static double logsumexp(const float *x, int n)
{
    double peak = x[0], sum = 0;
    for (int i = 1; i < n; i++) peak = fmax(peak, x[i]);
    for (int i = 0; i < n; i++) sum += exp(x[i] - peak);
    return peak + log(sum);
}

/* Rows of log-probabilities over the real tokens, the mask being the last id. */
static double worst(const float *a, const float *b, int rows, int vocab)
{
    double most = 0;
    for (int r = 0; r < rows; r++, a += vocab, b += vocab) {
        double x = logsumexp(a, vocab - 1), y = logsumexp(b, vocab - 1);
        for (int i = 0; i < vocab - 1; i++)
            most = fmax(most, fabs((a[i] - x) - (b[i] - y)));
    }
    return most;
}

static int best(const float *x, int n)
{
    int at = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[at]) at = i;
    return at;
}

static void folding_changes_nothing(void **state)
{
    (void)state;
    enum { N = 64 };
    int32_t token[N];
    float  *x[2];
    int     vocab = made_up_odd.vocab;
    random_tokens(token, N, vocab, 1);
    for (int folded = 0; folded < 2; folded++) {
        rig r;
        open_rig(&r, odd, comm_size(world), N, folded);
        rig_probe(&r, -1, token, 0, N, 0);
        x[folded] = logits_of(&r);
        rig_close(&r);
    }
    for (int i = 0; i < N * vocab; i++) assert_true(fabsf(x[0][i] - x[1][i]) < 1e-3f);
    for (int i = 0; i < N; i++)
        assert_int_equal(best(x[0] + i * vocab, vocab - 1), best(x[1] + i * vocab, vocab - 1));
    free(x[0]);
    free(x[1]);
}

/* Any number of ranks: heads, columns and words split unevenly, and for some ranks none of them. */
static void width_changes_little(void **state)
{
    (void)state;
    enum { N = 24 };
    const struct {
        const char    *dir;
        const made_up *m;
        int            tp;
    } cases[] = {{odd, &made_up_odd, comm_size(world)},
                 {small, &made_up_small, comm_size(world)},
                 {toy, &made_up_toy, comm_size(world) % 2 ? 1 : 2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int32_t token[N];
        float  *x[2];
        random_tokens(token, N, cases[c].m->vocab, c);
        for (int wide = 0; wide < 2; wide++) {
            rig r;
            open_rig(&r, cases[c].dir, wide ? cases[c].tp : 1, 2 * N, true);
            rig_commit(&r, 0, token, 0, 7, 0);
            rig_probe(&r, 0, token + 7, 7, N - 7, 0);
            rig_probe(&r, -1, token, 0, N, 0);
            x[wide] = logits_of(&r);
            rig_close(&r);
        }
        assert_true(worst(x[0], x[1], 2 * N - 7, cases[c].m->vocab) < 1e-4);
        free(x[0]);
        free(x[1]);
    }
}

/* The clean text `x0`, and the same with masks, one pass for all blocks: what a full forward with
 * the block-causal mask computes. */
static float *whole_layout(rig *r, const int32_t *x0, const int32_t *xt, int n, int block)
{
    for (int first = 0; first < n; first += block) {
        rig_commit(r, 1, x0 + first, first, block, 0);
        rig_probe(r, 1, xt + first, first, block, 0);
    }
    return logits_of(r);
}

static void cached_equals_whole(void **state)
{
    (void)state;
    enum { N = 96, MASKS = 60 };
    static const int blocks[] = {1, 4, 16, 48};
    int              vocab = made_up_small.vocab;
    int32_t          x0[N], xt[N];
    rig              r;
    open_rig(&r, small, comm_size(world), 2 * N, true);
    random_tokens(x0, N, vocab - 1, 4);
    for (int i = 0; i < N; i++) xt[i] = i * 29 % N < MASKS ? vocab - 1 : x0[i];
    for (int b = 0; b < 4; b++) {
        int    block = blocks[b];
        float *whole = whole_layout(&r, x0, xt, N, block);
        for (int first = 0; first < N; first += block) {
            /* As a draft does: the commit of a block rides with the probe of the next. */
            if (first > 0) rig_commit(&r, 2, x0 + first - block, first - block, block, 0);
            rig_probe(&r, 2, xt + first, first, block, 0);
            float *cached = logits_of(&r);
            assert_memory_equal(cached, whole + (size_t)first * (size_t)vocab,
                                (size_t)block * (size_t)vocab * sizeof *cached);
            free(cached);
        }
        free(whole);
    }
    rig_close(&r);
}

/* A block as long as the text sees all of it and nothing else: no cache, no mask. */
static void whole_block_needs_no_mask(void **state)
{
    (void)state;
    enum { N = 90 };
    int     vocab = made_up_small.vocab;
    size_t  bytes = N * (size_t)vocab * sizeof(float);
    int32_t x0[N], xt[N];
    rig     r;
    open_rig(&r, small, comm_size(world), 2 * N, true);
    random_tokens(x0, N, vocab - 1, 5);
    for (int i = 0; i < N; i++) xt[i] = i % 3 ? vocab - 1 : x0[i];
    rig_probe(&r, -1, xt, 0, N, 0);
    float *free_of_mask = logits_of(&r);
    float *whole = whole_layout(&r, x0, xt, N, N);
    assert_memory_equal(free_of_mask, whole, bytes);
    free(whole);
    rig_probe(&r, 1, xt, 0, N, 0); /* what the slot holds is not before position 0 */
    whole = logits_of(&r);
    assert_memory_equal(free_of_mask, whole, bytes);
    free(whole);
    free(free_of_mask);
    rig_close(&r);
}

/* A pass of several documents; asks about rows of `asked`, or about all. */
static float *mixed_pass(rig *r, const int32_t *token, const bool *asked)
{
    static const struct {
        int kind, slot, first, len, from;
    } parts[] = {{SEGMENT_COMMIT, 0, 0, 9, 0}, {SEGMENT_PROBE, 0, 9, 5, 0},
                 {SEGMENT_PROBE, -1, 30, 20, 30}, {SEGMENT_COMMIT, 1, 0, 3, 0},
                 {SEGMENT_PROBE, 1, 3, 7, 1}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int row = r->batch.pass.n_rows;
        batch_segment(&r->batch, (segment_kind)parts[i].kind, parts[i].slot, token + row,
                      parts[i].first, parts[i].len, parts[i].from);
        for (int j = 0; j < parts[i].len && parts[i].kind == SEGMENT_PROBE; j++)
            if (!asked || asked[row + j]) batch_ask(&r->batch, parts[i].first + j);
    }
    return logits_of(r);
}

/* What else is wanted does not show in what one row gives. */
static void wanted_rows_do_not_matter(void **state)
{
    (void)state;
    enum { N = 44 };
    int     vocab = made_up_small.vocab, all = 0;
    size_t  bytes = (size_t)vocab * sizeof(float);
    int32_t token[N];
    rig     r;
    open_rig(&r, small, comm_size(world), N, true);
    random_tokens(token, N, vocab, 6);
    float *every = mixed_pass(&r, token, NULL);
    for (int row = 0; row < N; row++) {
        if (row < 9 || (row >= 34 && row < 37)) continue; /* commits */
        bool  asked[N] = {false};
        float *one, *some;
        asked[row] = true;
        one = mixed_pass(&r, token, asked);
        assert_memory_equal(one, every + (size_t)all * (size_t)vocab, bytes);
        asked[N - 1] = true;
        some = mixed_pass(&r, token, asked);
        assert_memory_equal(some, one, bytes);
        free(one);
        free(some);
        all++;
    }
    assert_int_equal(all, 32);
    free(every);
    rig_close(&r);
}

/* The travelling row at every third place of a pass of n rows, among strangers with other texts. */
static void strewn_pass(rig *r, int n, int phase, const int32_t *token, int32_t traveller)
{
    for (int i = 0; i < n; i++) {
        bool mine = i % 3 == phase;
        int  slot = mine || i % 2 ? 0 : -1;
        int  first = mine ? 70 : slot == 0 ? 70 - i % 60 : i % 90;
        batch_segment(&r->batch, SEGMENT_PROBE, slot, mine ? &traveller : &token[i], first, 1,
                      slot == 0 ? 0 : first);
        if (mine || n < 20) batch_ask(&r->batch, first);
    }
}

static void place_does_not_matter(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 4, 5, 15, 16, 17, 255, 257};
    int              vocab = made_up_small.vocab;
    size_t           bytes = (size_t)vocab * sizeof(float);
    int32_t          token[ROWS];
    rig              r;
    open_rig(&r, small, comm_size(world), ROWS, true);
    random_tokens(token, ROWS, vocab, 7);
    rig_commit(&r, 0, token, 0, 70, 0);
    float *alone, *none = logits_of(&r);
    rig_probe(&r, 0, &token[5], 70, 1, 0);
    alone = logits_of(&r);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int phase = 0; phase < 3 && phase < sizes[s]; phase++) {
            strewn_pass(&r, sizes[s], phase, token, token[5]);
            int    asks = r.batch.pass.n_asks, every = sizes[s] < 20 ? 3 : 1;
            float *x = logits_of(&r);
            for (int i = sizes[s] < 20 ? phase : 0; i < asks; i += every)
                assert_memory_equal(x + (size_t)i * (size_t)vocab, alone, bytes);
            free(x);
        }
    free(none);
    free(alone);
    rig_close(&r);
}

/* ---- first hitting, on a toy: five tokens, three masks ---- */

enum { V = 5, STATES = 216, OUTCOMES = 125, DOCS = 500, ROUNDS = 6 };
static const double MASS = 0.95;

static void tokens_of_state(int state, int32_t token[4])
{
    token[0] = made_up_toy.end;
    for (int i = 1; i < 4; i++, state /= V + 1) token[i] = state % (V + 1);
}

static int state_of_tokens(const int32_t token[4])
{
    return token[1] + (V + 1) * (token[2] + (V + 1) * token[3]);
}

/* The truncated distribution of a row, by sorting. */
static void truncate_row(const float *x, double q[V])
{
    double total = 0, sum = 0, kept = 0, p[V];
    for (int i = 0; i < V; i++) total += p[i] = exp((double)x[i]);
    for (int i = 0; i < V; i++) q[i] = 0;
    for (int n = 0; n < V; n++) {
        int top = -1;
        for (int i = 0; i < V; i++)
            if (q[i] == 0 && (top < 0 || p[i] > p[top])) top = i;
        sum += p[top];
        if (n > 0 && sum > MASS * total) break;
        q[top] = p[top];
        kept += p[top];
    }
    for (int i = 0; i < V; i++) q[i] /= kept;
}

/* The law of the finished block: every order of its positions alike, every token from its row. */
static void exact_law(rig *r, double law[STATES])
{
    int32_t token[4];
    for (int s = 0; s < STATES; s++) {
        tokens_of_state(s, token);
        rig_probe(r, -1, token, 0, 4, 0);
    }
    float *x = logits_of(r);
    for (int s = 0; s < STATES; s++) law[s] = s == STATES - 1;
    for (int s = STATES - 1; s >= 0; s--) { /* a mask is the largest digit: states only fall */
        int masks = 0;
        tokens_of_state(s, token);
        for (int i = 1; i < 4; i++) masks += token[i] == V;
        for (int i = 1; i < 4; i++) {
            double q[V];
            if (token[i] != V) continue;
            truncate_row(x + ((size_t)s * 4 + (size_t)i) * (V + 1), q);
            for (int t = 0; t < V; t++) {
                token[i] = t;
                law[state_of_tokens(token)] += law[s] * q[t] / masks;
            }
            token[i] = V;
        }
    }
    free(x);
}

/* One step of many documents. Choosing first asks about one row; drawing all keeps one of them. */
static void step(rig *r, int32_t token[DOCS][4], bool choose_first, uint64_t *seed)
{
    answer answers[4 * DOCS];
    int    chosen[DOCS], used = 0;
    for (int d = 0; d < DOCS; d++) {
        int masks = 0, nth;
        chosen[d] = 0;
        for (int i = 1; i < 4; i++) masks += token[d][i] == V;
        nth = (int)(made_up_uniform(seed) * masks);
        batch_segment(&r->batch, SEGMENT_PROBE, -1, token[d], 0, 4, 0);
        for (int i = 1; i < 4; i++) {
            if (token[d][i] != V) continue;
            if (nth-- == 0) chosen[d] = i;
            if (choose_first && chosen[d] != i) continue;
            ask *a = batch_ask(&r->batch, i);
            a->nucleus = MASS;
            a->temperature = 1;
            a->uniform = made_up_uniform(seed);
            if (choose_first) break;
        }
    }
    assert_int_equal(forward(answers, &r->batch.pass, &r->place), DID_OK);
    for (int d = 0; d < DOCS; d++) {
        const segment *s = &r->batch.pass.segments[d];
        for (int j = 0; j < s->n_asks; j++, used++)
            if (r->batch.pass.asks[used].position == chosen[d])
                token[d][chosen[d]] = answers[used].token;
    }
    batch_begin(&r->batch, 0);
}

/* Outcomes too rare to be counted are counted together. */
static double chance_of_law(const int *often, const double *law, int n)
{
    int    counts[STATES + 1] = {0}, cells = 1;
    double expected[STATES + 1] = {0};
    for (int s = 0; s < STATES; s++) {
        int32_t token[4];
        tokens_of_state(s, token);
        if (token[1] == V || token[2] == V || token[3] == V) continue;
        int cell = n * law[s] < 5 ? 0 : cells++;
        counts[cell] += often[s];
        expected[cell] += n * law[s];
    }
    assert_true(cells > 20);
    if (expected[0] > 0) return chance_of(counts, expected, cells);
    assert_int_equal(counts[0], 0);
    return chance_of(counts + 1, expected + 1, cells - 1);
}

static void first_hitting_has_its_law(void **state)
{
    (void)state;
    double   law[STATES];
    rig      r;
    open_rig(&r, toy, 1, 4 * DOCS, true);
    uint64_t seed = 1000 + (uint64_t)comm_rank(world);
    int      ranks = comm_size(world), rounds = (ROUNDS + ranks - 1) / ranks;
    exact_law(&r, law);
    for (int choose_first = 0; choose_first < 2; choose_first++) {
        int often[STATES] = {0}, all[64 * STATES];
        for (int round = 0; round < rounds; round++) {
            int32_t token[DOCS][4];
            for (int d = 0; d < DOCS; d++) tokens_of_state(STATES - 1, token[d]);
            for (int n = 0; n < 3; n++) step(&r, token, choose_first, &seed);
            for (int d = 0; d < DOCS; d++) often[state_of_tokens(token[d])]++;
        }
        assert_int_equal(comm_gather(world, all, often, sizeof often, EV_BENCH), DID_OK);
        for (int s = 0; s < STATES; s++) {
            often[s] = 0;
            for (int q = 0; q < ranks; q++) often[s] += all[q * STATES + s];
        }
        assert_true(chance_of_law(often, law, ranks * rounds * DOCS) > 0.01);
    }
    rig_close(&r);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up_open_all(odd, &made_up_odd, world);
    made_up_open_all(small, &made_up_small, world);
    made_up_open_all(toy, &made_up_toy, world);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_changes_nothing),
        cmocka_unit_test(width_changes_little),
        cmocka_unit_test(cached_equals_whole),
        cmocka_unit_test(whole_block_needs_no_mask),
        cmocka_unit_test(wanted_rows_do_not_matter),
        cmocka_unit_test(place_does_not_matter),
        cmocka_unit_test(first_hitting_has_its_law),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(odd, world);
    made_up_close_all(small, world);
    made_up_close_all(toy, world);
    comm_stop(&world);
    return failed;
}
