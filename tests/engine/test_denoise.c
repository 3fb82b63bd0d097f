/* Which masks a step turns into tokens, what it asks for them, and what it keeps of the answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "denoise.h"
#include "desk.h"
#include "net/chance.h"
#include "rng.h"

/* One step of positions [first, first + len); returns the segment it was asked in. */
static const segment *ask_step(desk *k, const document *d, int first, int len)
{
    batch_begin(&k->batch, 0);
    segment *s = batch_segment(&k->batch, SEGMENT_PROBE, -1, d->token + first, first, len, first);
    denoise_ask(d, first, len, &k->batch, &k->rules);
    desk_answer(k);
    return s;
}

static int step(desk *k, document *d, int first, int len)
{
    const segment *s = ask_step(k, d, first, len);
    return denoise_apply(d, s, &k->batch, &k->rules);
}

static void quotas_sum(void **state)
{
    (void)state;
    for (int n = 0; n <= 70; n++)
        for (int steps = 1; steps <= 70; steps++) {
            int left = n, before = n;
            for (int i = 0; i < steps && left > 0; i++) {
                int q = denoise_quota(left, i, steps);
                assert_int_equal(q, (left + steps - i - 1) / (steps - i));
                assert_in_range(q, 1, before); /* they never grow */
                before = q;
                left -= q;
            }
            assert_int_equal(left, 0);
        }
    assert_int_equal(denoise_quota(9, 7, 4), 9); /* past the last step everything goes */
}

/* The quota sampler takes its steps, and no region is left half done. */
static void quota_takes_its_steps(void **state)
{
    (void)state;
    desk k;
    desk_open(&k, 64, 64, 64);
    for (int n = 1; n < 63; n++)
        for (int steps = 1; steps <= 64; steps += 9) {
            document *d = desk_document(n + 1, 0, 5);
            desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, steps);
            int placed = 0, passes = 0;
            while (document_masked(d, 0, n + 1) > 0) {
                placed += step(&k, d, 0, n + 1);
                passes++;
            }
            assert_int_equal(placed, n);
            assert_int_equal(passes, n < steps ? n : steps);
            assert_int_equal(d->cost[0].nfe, passes);
            document_close(&d);
        }
    desk_close(&k);
}

static void reveal_steps_are_uniform(void **state)
{
    (void)state;
    enum { STEPS = 13, POSITIONS = 13000 };
    int       often[STEPS] = {0}, pair[STEPS * STEPS] = {0}, before = 0;
    document *d = desk_document(2, 0, 99);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_ANCESTRAL, STEPS);
    for (int i = 0; i < POSITIONS; i++) {
        int at = denoise_reveal_step(d, i, STEPS);
        assert_in_range(at, 0, STEPS - 1);
        often[at]++;
        pair[before * STEPS + at]++;
        before = at;
    }
    assert_true(chance_uniform(often, STEPS) > 0.01);
    assert_true(chance_uniform(pair, STEPS * STEPS) > 0.01);
    document_close(&d);
}

/* Only steps that reveal something cost a call: N (1 - (1 - 1/N)^n) of them on average. */
static void ancestral_calls_are_as_expected(void **state)
{
    (void)state;
    enum { DOCS = 400 };
    static const struct {
        int n, steps;
    } cases[] = {{7, 4}, {15, 32}, {3, 100}, {30, 8}};
    desk k;
    desk_open(&k, 64, 64, 64);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int    n = cases[c].n, calls = 0;
        double steps = cases[c].steps, want = steps * (1 - pow(1 - 1 / steps, n));
        for (int i = 0; i < DOCS; i++) {
            document *d = desk_document(n + 1, 0, (uint64_t)i);
            desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_ANCESTRAL, cases[c].steps);
            int last = -1, before = calls;
            while (document_masked(d, 0, n + 1) > 0) {
                const segment *s = ask_step(&k, d, 0, n + 1);
                int at = denoise_reveal_step(d, k.batch.pass.asks->position, (int)steps);
                assert_true(at > last); /* one call holds all of a step, and steps ascend */
                for (int j = 0; j < s->n_asks; j++) {
                    int position = k.batch.pass.asks[j].position;
                    assert_int_equal(denoise_reveal_step(d, position, (int)steps), at);
                }
                last = at;
                denoise_apply(d, s, &k.batch, &k.rules);
                calls++;
            }
            assert_int_equal(d->cost[0].nfe, calls - before);
            document_close(&d);
        }
        /* One call's standard deviation is below sqrt(steps / 4) and below sqrt(n). */
        double deviation = sqrt(fmin(steps / 4, n) / DOCS);
        assert_true(fabs((double)calls / DOCS - want) < 4 * deviation);
    }
    desk_close(&k);
}

static void first_hitting_asks_one(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(17, 2, 3);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_FHS, 0);
    for (int left = 14; left > 0; left--) {
        assert_int_equal(document_masked(d, 0, 17), left);
        const segment *s = ask_step(&k, d, 0, 17);
        assert_int_equal(s->n_asks, 1);
        int at = k.batch.pass.asks->position;
        assert_true(d->masked[at]);
        assert_int_equal(denoise_apply(d, s, &k.batch, &k.rules), 1);
        assert_false(d->masked[at]);
    }
    assert_int_equal(d->cost[0].nfe, 14);
    document_close(&d);
    desk_close(&k);
}

/* Every order of the masked positions is as likely as any other, region by region. */
static void orders_are_uniform(void **state)
{
    (void)state;
    enum { DOCS = 2400, ORDERS = 24 };
    int  often[2][ORDERS] = {{0}};
    desk k;
    desk_open(&k, 64, 64, 64);
    for (int i = 0; i < DOCS; i++)
        for (int how = 0; how < 2; how++) {
            document *d = desk_document(9, 0, (uint64_t)i);
            desk_stage(d, 4, 0, how ? SAMPLER_QUOTA : SAMPLER_FHS, 4);
            int code = 0, seen[4];
            for (int n = 0; n < 4; n++) {
                const segment *s = ask_step(&k, d, 4, 4);
                assert_int_equal(s->n_asks, 1);
                seen[n] = k.batch.pass.asks->position;
                int before = 0; /* Lehmer code: how many of those to come are smaller */
                for (int j = 0; j < n; j++) before += seen[j] < seen[n];
                code = code * (4 - n) + seen[n] - 4 - before;
                denoise_apply(d, s, &k.batch, &k.rules);
            }
            often[how][code]++;
            document_close(&d);
        }
    assert_true(chance_uniform(often[0], ORDERS) > 0.01);
    assert_true(chance_uniform(often[1], ORDERS) > 0.01);
    desk_close(&k);
}

static void left_goes_from_left(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(20, 1, 3);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 5)->order = ORDER_LEFT;
    d->masked[7] = false;
    for (int next = 2; document_masked(d, 0, 20) > 0;) {
        const segment *s = ask_step(&k, d, 0, 20);
        for (int j = 0; j < s->n_asks; j++, next++) {
            next += next == 7;
            assert_int_equal(k.batch.pass.asks[j].position, next);
        }
        denoise_apply(d, s, &k.batch, &k.rules);
    }
    document_close(&d);
    desk_close(&k);
}

/* Sureness in thirds, so that there are ties. */
static answer tell_thirds(const ask *a, int position)
{
    answer out = desk_tell(a, position);
    out.peak = (float)(1 + position * 5 % 3) / 3;
    return out;
}

static void confident_takes_the_surest(void **state)
{
    (void)state;
    enum { N = 17 };
    desk      k;
    document *d = desk_document(N, 0, 3);
    desk_open(&k, 64, 64, 64);
    k.teller = tell_thirds;
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 4)->order = ORDER_CONFIDENT;
    for (int left = N - 1; left > 0;) {
        bool was[N];
        memcpy(was, d->masked, sizeof was);
        const segment *s = ask_step(&k, d, 0, N);
        assert_int_equal(s->n_asks, left);
        left -= denoise_apply(d, s, &k.batch, &k.rules);
        assert_int_equal(document_masked(d, 0, N), left);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                if (!was[i] || d->masked[i] || !was[j] || !d->masked[j]) continue;
                float placed = tell_thirds(k.batch.pass.asks, i).peak;
                float passed = tell_thirds(k.batch.pass.asks, j).peak;
                assert_true(placed > passed || (placed == passed && i < j));
            }
    }
    assert_int_equal(d->cost[0].nfe, 4);
    document_close(&d);
    desk_close(&k);
}

/* The best draws are placed, and the others draw again, with other numbers. */
static void drawn_takes_the_best_draws(void **state)
{
    (void)state;
    enum { N = 17 };
    desk      k;
    document *d = desk_document(N, 0, 3);
    double    before[N];
    desk_open(&k, 64, 64, 64);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 4)->order = ORDER_DRAWN;
    for (int left = N - 1, step = 0; left > 0; step++) {
        const segment *s = ask_step(&k, d, 0, N);
        float          least = 1, most = 0;
        assert_int_equal(s->n_asks, left);
        left -= denoise_apply(d, s, &k.batch, &k.rules);
        for (int j = s->ask; j < s->ask + s->n_asks; j++) {
            const ask *a = &k.batch.pass.asks[j];
            float      raw = k.batch.answers[j].raw;
            bool       placed = !d->masked[a->position];
            if (placed && raw < least) least = raw;
            if (!placed && raw > most) most = raw;
            assert_true(step == 0 || a->uniform != before[a->position]);
            before[a->position] = a->uniform;
        }
        assert_true(least >= most);
    }
    assert_int_equal(d->cost[0].nfe, 4);
    document_close(&d);
    desk_close(&k);
}

/* All draws that reach the threshold are placed, and where none does the best one, the lower of
 * equals; the others are asked about again, with the same numbers. */
static void threshold_places_what_is_sure(void **state)
{
    (void)state;
    enum { N = 33 };
    static const double levels[] = {0.05, 0.5, 0.9, 1};
    desk                k;
    desk_open(&k, 64, 64, 64);
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        document *d = desk_document(N, 2, 31 + l);
        desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_THRESHOLD, 0)->threshold = levels[l];
        int passes = 0;
        for (int left = N - 3; left > 0; passes++) {
            int            best = -1, sure = 0;
            const segment *s = ask_step(&k, d, 0, N);
            assert_int_equal(s->n_asks, left);
            bool want[N] = {false};
            for (int j = 0; j < left; j++) {
                const answer *a = &k.batch.answers[s->ask + j];
                int           at = k.batch.pass.asks[s->ask + j].position;
                want[at] = a->raw >= levels[l];
                sure += want[at];
                if (best < 0 || a->raw > k.batch.answers[best].raw) best = s->ask + j;
            }
            if (sure == 0) want[k.batch.pass.asks[best].position] = true;
            int placed = denoise_apply(d, s, &k.batch, &k.rules);
            assert_int_equal(placed, sure > 0 ? sure : 1);
            for (int i = 3; i < N; i++)
                if (want[i]) assert_false(d->masked[i]);
            left -= placed;
            assert_int_equal(document_masked(d, 0, N), left);
        }
        assert_int_equal(d->cost[0].nfe, passes);
        document_close(&d);
    }
    desk_close(&k);
}

/* What is asked: positions ascending and inside the region, settings of the stage, and the number
 * drawn for this token of this attempt of this stage. */
static void asks_say_it_all(void **state)
{
    (void)state;
    static const struct {
        sampler how;
        order   in;
    } ways[] = {{SAMPLER_FHS, 0}, {SAMPLER_ANCESTRAL, 0}, {SAMPLER_QUOTA, ORDER_RANDOM},
                {SAMPLER_QUOTA, ORDER_LEFT}, {SAMPLER_QUOTA, ORDER_CONFIDENT}, {SAMPLER_THRESHOLD, 0}};
    desk k;
    desk_open(&k, 64, 64, 64);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (int attempt = 0; attempt < 2; attempt++) {
            document *d = desk_document(40, 2, 21);
            desk_stage(d, 8, 0, SAMPLER_FHS, 0);
            stage *now = desk_stage(d, STAGE_BLOCK_WHOLE, 0.5, ways[w].how, 3);
            now->order = ways[w].in;
            now->nucleus = 0.75;
            now->rule = NUCLEUS_INCLUSIVE;
            now->temperature = 0.5;
            d->at = 1;
            d->attempt = attempt;
            const segment *s = ask_step(&k, d, 5, 20);
            assert_in_range(s->n_asks, 1, 20);
            for (int j = 0; j < s->n_asks; j++) {
                const ask *a = &k.batch.pass.asks[s->ask + j];
                int        position = a->position;
                assert_in_range(position, 5, 24);
                assert_true(j == 0 || a[-1].row < a->row);
                assert_int_equal(a->kind, ASK_DRAW);
                assert_true(a->nucleus == 0.75 && a->temperature == 0.5 && a->inclusive == 1);
                assert_true(a->uniform == rng_uniform(21, attempt, 1, position, PURPOSE_TOKEN));
            }
            document_close(&d);
        }
    desk_close(&k);
}

/* The snapshot is the flavour asked for, taken when the token was placed; the trace remembers. */
static void tokens_are_placed(void **state)
{
    (void)state;
    enum { N = 24 };
    desk k;
    desk_open(&k, 64, 64, 64);
    for (int flavour = 0; flavour < 2; flavour++) {
        document *d = desk_document(N, 3, 8);
        desk_stage(d, 4, 0, SAMPLER_FHS, 0);
        stage *now = desk_stage(d, STAGE_BLOCK_WHOLE, 0.5, SAMPLER_QUOTA, 6);
        now->confidence = flavour ? CONFIDENCE_NUCLEUS : CONFIDENCE_RAW;
        d->at = 1;
        d->traced = true;
        assert_int_equal(document_reserve(d), DID_OK);
        for (int i = 0; i < N; i++) d->before[i] = i + 30;
        while (document_masked(d, 0, N) > 0) {
            int nfe = d->cost[1].nfe, drawn = d->n_draws, n = step(&k, d, 0, N);
            assert_int_equal(d->n_draws, drawn + n);
            for (int i = drawn; i < d->n_draws; i++) {
                const draw *x = &d->draws[i];
                assert_int_equal(x->stage, 1);
                assert_int_equal(x->step, nfe);
                assert_int_equal(x->token, d->token[x->position]);
                assert_int_equal(x->replaced, x->position + 30);
                assert_true(x->snapshot == d->snapshot[x->position]);
            }
        }
        for (int i = 4; i < N; i++) {
            ask    a = {.uniform = rng_uniform(8, 0, 1, i, PURPOSE_TOKEN)};
            answer want = desk_tell(&a, i);
            assert_int_equal(d->token[i], want.token);
            assert_true(d->snapshot[i] == (flavour ? want.nucleus : want.raw));
        }
        assert_int_equal(d->n_draws, N - 4);
        document_close(&d);
    }
    desk_close(&k);
}

static answer tell_nonsense(const ask *a, int position)
{
    answer out = desk_tell(a, position);
    out.finite = position != 9;
    return out;
}

/* Logits that are no numbers end the document with the place named; nothing of the step stays. */
static void nonsense_is_a_failure(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(20, 0, 3);
    desk_open(&k, 64, 64, 64);
    k.teller = tell_nonsense;
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 1);
    assert_int_equal(step(&k, d, 0, 20), 0);
    assert_int_equal(d->finish, FINISH_FAILED);
    assert_non_null(strstr(d->reason, "position 9"));
    assert_int_equal(document_masked(d, 0, 20), 19);
    assert_int_equal(d->cost[0].nfe, 0);
    document_close(&d);
    desk_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotas_sum),
        cmocka_unit_test(quota_takes_its_steps),
        cmocka_unit_test(reveal_steps_are_uniform),
        cmocka_unit_test(ancestral_calls_are_as_expected),
        cmocka_unit_test(first_hitting_asks_one),
        cmocka_unit_test(orders_are_uniform),
        cmocka_unit_test(left_goes_from_left),
        cmocka_unit_test(confident_takes_the_surest),
        cmocka_unit_test(drawn_takes_the_best_draws),
        cmocka_unit_test(threshold_places_what_is_sure),
        cmocka_unit_test(asks_say_it_all),
        cmocka_unit_test(tokens_are_placed),
        cmocka_unit_test(nonsense_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
