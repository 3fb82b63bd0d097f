#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "bootstrap.h"

enum { N = 40 };

static double mean(const void *context, const int *which, int n)
{
    const double *x = context;
    double        sum = 0;
    for (int i = 0; i < n; i++) sum += x[which[i]];
    return sum / n;
}

static double nothing(const void *context, const int *which, int n)
{
    (void)context, (void)which, (void)n;
    return NAN;
}

static double now_and_then(const void *context, const int *which, int n)
{
    (void)context, (void)n;
    return which[0] % 2 ? NAN : 7;
}

static void fill(double x[N])
{
    for (int i = 0; i < N; i++) x[i] = sin(i * 1.7) + i / 10.0;
}

/* The same drawing as quality_interval's, so that tables agree. */
static void means_agree_with_quality(void **state)
{
    double   x[N];
    interval mine, theirs;
    (void)state;
    fill(x);
    for (uint64_t seed = 1; seed < 4; seed++) {
        assert_int_equal(bootstrap_interval(&mine, mean, x, N, seed), DID_OK);
        assert_int_equal(quality_interval(&theirs, x, NULL, N, 0.95, seed), DID_OK);
        assert_true(fabs(mine.low - theirs.low) < 1e-12);
        assert_true(fabs(mine.high - theirs.high) < 1e-12);
        assert_true(mine.low < mine.high);
    }
}

/* The width of a mean's interval is near that of the normal distribution. */
static void width_is_right(void **state)
{
    double   x[N], sum = 0, squares = 0;
    interval got;
    (void)state;
    fill(x);
    for (int i = 0; i < N; i++) sum += x[i];
    for (int i = 0; i < N; i++) squares += (x[i] - sum / N) * (x[i] - sum / N);
    double error = sqrt(squares / N / N);
    assert_int_equal(bootstrap_interval(&got, mean, x, N, 5), DID_OK);
    assert_true(fabs((got.high - got.low) / (2 * 1.96 * error) - 1) < 0.08);
}

static void what_is_no_number_is_left_out(void **state)
{
    interval got;
    (void)state;
    assert_int_equal(bootstrap_interval(&got, nothing, NULL, N, 1), DID_OK);
    assert_true(isnan(got.low) && isnan(got.high));
    assert_int_equal(bootstrap_interval(&got, now_and_then, NULL, N, 1), DID_OK);
    assert_true(got.low == 7 && got.high == 7);
    assert_int_equal(bootstrap_interval(&got, mean, NULL, 0, 1), DID_OK);
    assert_true(isnan(got.low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(means_agree_with_quality),
                                       cmocka_unit_test(width_is_right),
                                       cmocka_unit_test(what_is_no_number_is_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
