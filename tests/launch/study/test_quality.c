#include "quality.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { E = 4095 };

static void close_to(double a, double b)
{
    assert_true(fabs(a - b) < 1e-12);
}

/* E w E v v, of which w, v, v were scored: the interior E is context only, and E in front has no
 * nll. Entropy: E 2/5, v 2/5, w 1/5. */
static void one_sample_by_hand(void **state)
{
    static const int32_t id[] = {E, 10, E, 11, 11};
    const float          nll[] = {NAN, 1.0f, 100.0f, 2.0f, 0.5f};
    quality              q;
    (void)state;
    assert_int_equal(quality_measure(&q, id, nll, 5, E, 0), DID_OK);
    assert_int_equal(q.tokens, 5);
    assert_int_equal(q.rows, 3);
    close_to(q.nll, 3.5);
    close_to(q.entropy, -0.8 * log(0.4) - 0.2 * log(0.2));
    close_to(q.repeats.share[0], 2.0 / 5);
    close_to(quality_perplexity(q.nll, q.rows), exp(3.5 / 3));

    /* All targets count where no id is left out. */
    assert_int_equal(quality_measure(&q, id, nll, 5, -1, 0), DID_OK);
    assert_int_equal(q.rows, 4);
    close_to(q.nll, 103.5);

    /* Three pads more: five of eight are E; repetition is about the text. */
    assert_int_equal(quality_measure(&q, id, nll, 5, E, 3), DID_OK);
    close_to(q.entropy, -5.0 / 8 * log(5.0 / 8) - 0.25 * log(0.25) - 0.125 * log(0.125));
    close_to(q.repeats.share[0], 2.0 / 5);
    assert_int_equal(q.rows, 3);
}

static void nothing_was_scored(void **state)
{
    static const int32_t id[] = {E, E};
    const float          nll[] = {NAN, 3};
    quality              q;
    double               h = 1;
    (void)state;
    assert_int_equal(quality_measure(&q, id, nll, 2, E, 0), DID_OK);
    assert_int_equal(q.rows, 0);
    assert_true(isnan(quality_perplexity(q.nll, q.rows)));
    assert_int_equal(quality_measure(&q, id, NULL, 2, E, 0), DID_OK);
    assert_int_equal(q.rows, 0);
    assert_int_equal(quality_entropy(&h, id, 2), DID_OK);
    close_to(h, 0);
    assert_int_equal(quality_entropy(&h, id, 0), DID_OK);
    close_to(h, 0);
}

static void what_was_edited(void **state)
{
    static const int32_t a[] = {E, 1, 2, 3, 4}, b[] = {E, 1, 9, 9, 4};
    static const bool    fixed[] = {true, true, false, false, false}, all[] = {1, 1, 1, 1, 1};
    (void)state;
    close_to(quality_edited(a, b, NULL, 5), 2.0 / 5);
    close_to(quality_edited(a, b, fixed, 5), 2.0 / 3);
    close_to(quality_edited(a, a, fixed, 5), 0);
    close_to(quality_edited(a, b, all, 5), 0);
}

static void means_and_medians(void **state)
{
    double odd[] = {5, NAN, 1, 3}, even[] = {4, 1, 3, 2}, none[] = {NAN};
    (void)state;
    close_to(quality_mean(odd, 4), 3);
    close_to(quality_median(odd, 4), 3);
    close_to(quality_median(even, 4), 2.5);
    assert_true(isnan(quality_mean(none, 1)));
    assert_true(isnan(quality_median(none, 1)));
    assert_true(isnan(quality_median(none, 0)));
}

/* 1, 2 and 6 fell to 0, 2 and 4: -1, 0, -2; their standard deviation is 1, the error 1 / sqrt 3. */
static void changes_in_pairs(void **state)
{
    const double before[] = {1, 2, NAN, 6, 5}, after[] = {0, 2, 3, 4, NAN};
    paired       p = quality_paired(before, after, 5);
    (void)state;
    assert_int_equal(p.pairs, 3);
    assert_int_equal(p.lower, 2);
    close_to(p.change, -1);
    close_to(p.error, 1 / sqrt(3));
    p = quality_paired(before, after, 1);
    assert_int_equal(p.pairs, 1);
    close_to(p.change, -1);
    assert_true(isnan(p.error));
    p = quality_paired(before + 2, after + 2, 1);
    assert_int_equal(p.pairs, 0);
    assert_true(isnan(p.change));
}

/* The mean of n throws of a coin lies within 1.96 * 0.5 / sqrt n of what was thrown, and the
 * bootstrap has to say about that. */
static void intervals_are_as_wide_as_they_should_be(void **state)
{
    enum { N = 400 };
    double   x[N], mean = 0;
    interval i, again, other, wide;
    (void)state;
    srand(3);
    for (int k = 0; k < N; k++) mean += x[k] = rand() % 2;
    mean /= N;
    assert_int_equal(quality_interval(&i, x, NULL, N, 0.95, 1), DID_OK);
    assert_true(i.low < mean && mean < i.high);
    assert_true(fabs((i.high - i.low) - 2 * 1.96 * 0.5 / 20) < 0.01);
    assert_int_equal(quality_interval(&again, x, NULL, N, 0.95, 1), DID_OK);
    assert_memory_equal(&i, &again, sizeof i);
    assert_int_equal(quality_interval(&other, x, NULL, N, 0.95, 2), DID_OK);
    assert_true(other.low != i.low || other.high != i.high);
    assert_int_equal(quality_interval(&wide, x, NULL, N, 0.99, 1), DID_OK);
    assert_true(wide.low < i.low && wide.high > i.high);
}

static void intervals_of_little(void **state)
{
    const double same[] = {2, NAN, 2, 2}, one[] = {7}, weight[] = {2}, none[] = {NAN};
    interval     i;
    (void)state;
    assert_int_equal(quality_interval(&i, same, NULL, 4, 0.95, 1), DID_OK);
    close_to(i.low, 2);
    close_to(i.high, 2);
    assert_int_equal(quality_interval(&i, one, weight, 1, 0.95, 1), DID_OK);
    close_to(i.low, 3.5);
    close_to(i.high, 3.5);
    assert_int_equal(quality_interval(&i, none, NULL, 1, 0.95, 1), DID_OK);
    assert_true(isnan(i.low) && isnan(i.high));
    assert_int_equal(quality_interval(&i, none, NULL, 0, 0.95, 1), DID_OK);
    assert_true(isnan(i.low) && isnan(i.high));
}

/* Four samples, one without a row: pooled over six rows with nll 12, the mean over three. */
static void a_summary_by_hand(void **state)
{
    const quality q[] = {
        {.tokens = 4, .rows = 3, .nll = 3, .entropy = 1, .repeats = {{0.5, 0.25, 0, 0}, 3}},
        {.tokens = 3, .rows = 2, .nll = 4, .entropy = 2, .repeats = {{0, 0, 0, 0}, 1}},
        {.tokens = 2, .rows = 1, .nll = 5, .entropy = 3, .repeats = {{0.5, 0, 0, 0}, 5}},
        {.tokens = 1, .rows = 0, .nll = 0, .entropy = 0}};
    summary s;
    (void)state;
    assert_int_equal(quality_summary(&s, q, 4, 1), DID_OK);
    assert_int_equal(s.samples, 4);
    assert_int_equal(s.scored, 3);
    assert_int_equal(s.rows, 6);
    close_to(s.nll, 2);
    close_to(s.perplexity, exp(2));
    close_to(s.perplexity_mean, (exp(1) + exp(2) + exp(5)) / 3);
    close_to(s.entropy, 1.5);
    close_to(s.repeated[0], 0.25);
    close_to(s.repeated[1], 0.0625);
    assert_int_equal(s.longest, 5);
    close_to(s.length_median, 1.5);
    assert_int_equal(s.length_max, 3);
    assert_true(s.perplexity_range.low >= exp(1) && s.perplexity_range.high <= exp(5));
    assert_true(s.perplexity_range.low < s.perplexity && s.perplexity < s.perplexity_range.high);
    assert_true(s.perplexity_mean_range.low < s.perplexity_mean);
    assert_true(s.entropy_range.low >= 0 && s.entropy_range.high <= 3);

    /* Without a scorer there is no perplexity, and lengths are those of the texts. */
    assert_int_equal(quality_summary(&s, q + 3, 1, 1), DID_OK);
    assert_true(isnan(s.perplexity) && isnan(s.perplexity_mean) && isnan(s.perplexity_range.low));
    close_to(s.length_median, 1);
    assert_int_equal(quality_summary(&s, q, 0, 1), DID_OK);
    assert_true(isnan(s.perplexity) && isnan(s.length_median) && isnan(s.entropy));
    assert_int_equal(s.length_max, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sample_by_hand),
        cmocka_unit_test(nothing_was_scored),
        cmocka_unit_test(what_was_edited),
        cmocka_unit_test(means_and_medians),
        cmocka_unit_test(changes_in_pairs),
        cmocka_unit_test(intervals_are_as_wide_as_they_should_be),
        cmocka_unit_test(intervals_of_little),
        cmocka_unit_test(a_summary_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
