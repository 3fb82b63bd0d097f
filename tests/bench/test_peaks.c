#include "peaks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const peaks two = {.n_fma = 2,
                          .n_read = 3,
                          .fma = {{.isa = "narrow", .gflops = 50}, {.isa = "wide", .gflops = 100}},
                          .read = {{.bytes = 1 << 10, .gbs = 80},
                                   {.bytes = 1 << 20, .gbs = 40},
                                   {.bytes = 1 << 30, .gbs = 10}}};

static void the_best_width_counts(void **state)
{
    (void)state;
    assert_true(peaks_gflops(&two) == 100);
}

static void between_points_lies_a_line(void **state)
{
    (void)state;
    assert_true(peaks_gbs(&two, 1) == 80);
    assert_true(peaks_gbs(&two, 1 << 10) == 80);
    assert_true(fabs(peaks_gbs(&two, 1 << 15) - 60) < 1e-9);
    assert_true(peaks_gbs(&two, 1 << 20) == 40);
    assert_true(fabs(peaks_gbs(&two, 1 << 25) - 25) < 1e-9);
    assert_true(peaks_gbs(&two, (size_t)1 << 40) == 10);
}

static void the_tighter_limit_counts(void **state)
{
    (void)state;
    const kernels *k = kernels_find("ref");
    standing       s = peaks_standing(&two, k, 50e9, 10e9, 1 << 20, 1);
    assert_string_equal(s.limit, "fma");
    assert_true(fabs(s.of_peak - 0.5) < 1e-9 && fabs(s.gflops - 50) < 1e-9);
    s = peaks_standing(&two, k, 20e9, 30e9, 1 << 20, 1);
    assert_string_equal(s.limit, "read");
    assert_true(fabs(s.of_peak - 0.75) < 1e-9 && fabs(s.gbs - 30) < 1e-9);
}

static double one_pair(float *sink, int rounds)
{
    *sink = (float)rounds;
    return rounds;
}

/* Pairs of bf16 have a peak of their own, which holds for the sets that multiply pairs. */
static void pairs_have_their_own_limit(void **state)
{
    (void)state;
    kernels pairs = *kernels_of(PRECISION_BF16, "ref");
    peaks   dot = two;
    dot.dot = (peak_fma){.isa = "pairs", .gflops = 400};
    assert_true(peaks_gflops_of(&dot, &pairs) == 100);
    pairs.pairs_only = one_pair;
    assert_true(peaks_gflops_of(&dot, &pairs) == 400 && peaks_gflops_of(&two, &pairs) == 100);
    standing s = peaks_standing(&dot, &pairs, 200e9, 10e9, 1 << 20, 1);
    assert_string_equal(s.limit, "dot");
    assert_true(fabs(s.of_peak - 0.5) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_best_width_counts),
                                       cmocka_unit_test(between_points_lies_a_line),
                                       cmocka_unit_test(the_tighter_limit_counts),
                                       cmocka_unit_test(pairs_have_their_own_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
