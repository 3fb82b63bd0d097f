/* Layers over depths: all of them, in order, each depth at least one; no other whole shares have a
 * quicker slowest depth; and with layers enough none waits a tenth of the time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "strata.h"

static const double LAST[] = {0.05, 0.4, 1, 1.7, 3.2, 6.5, 40};
enum { LASTS = sizeof LAST / sizeof *LAST };

static double cost_of(int layers, double last, int depths, int depth)
{
    int n = strata_part(layers, last, depths, depth).len;
    return depth + 1 == depths ? n - 1 + last : n;
}

static double slowest(int layers, double last, int depths)
{
    double most = 0;
    for (int d = 0; d < depths; d++) most = fmax(most, cost_of(layers, last, depths, d));
    return most;
}

static void every_layer_has_its_depth(void **state)
{
    (void)state;
    for (int i = 0; i < LASTS; i++)
        for (int layers = 1; layers <= 40; layers++)
            for (int depths = 1; depths <= layers; depths++) {
                int at = 0;
                for (int d = 0; d < depths; d++) {
                    span s = strata_part(layers, LAST[i], depths, d);
                    assert_true(s.first == at && s.len > 0);
                    at += s.len;
                }
                assert_int_equal(at, layers);
            }
}

/* The quickest slowest depth that `depths` can have, found by trying every first share. */
static double least(int layers, double last, int depths)
{
    double best = HUGE_VAL;
    if (depths == 1) return layers - 1 + last;
    for (int n = 1; n <= layers - depths + 1; n++)
        best = fmin(best, fmax(n, least(layers - n, last, depths - 1)));
    return best;
}

static void no_other_shares_are_quicker(void **state)
{
    (void)state;
    for (int i = 0; i < LASTS; i++)
        for (int layers = 1; layers <= 13; layers++)
            for (int depths = 1; depths <= layers && depths <= 5; depths++)
                assert_true(slowest(layers, LAST[i], depths) <=
                            least(layers, LAST[i], depths) + 1e-12);
}

static void waits_are_what_is_left(void **state)
{
    (void)state;
    for (int i = 0; i < LASTS; i++)
        for (int depths = 1; depths <= 6; depths++) {
            double most = 0, pace = slowest(12, LAST[i], depths);
            for (int d = 0; d < depths; d++) {
                double wait = strata_wait(12, LAST[i], depths, d);
                assert_true(fabs(wait - (1 - cost_of(12, LAST[i], depths, d) / pace)) < 1e-12);
                most = fmax(most, wait);
            }
            assert_true(most == strata_wait_most(12, LAST[i], depths));
        }
}

/* An uneven end is made up for with whole layers: of two depths the lighter lacks less than one. */
static void with_layers_enough_nobody_waits(void **state)
{
    (void)state;
    for (double last = 0.1; last < 9; last += 0.1)
        for (int layers = 24; layers <= 96; layers += 3)
            assert_true(strata_wait_most(layers, last, 2) < 0.1);
    assert_int_equal(strata_part(12, 7, 2, 1).len, 3);   /* a costly head: 9 layers before it */
    assert_int_equal(strata_part(12, 0.5, 2, 1).len, 6); /* a cheap end: 6 and 5.5 */
    assert_true(strata_wait_most(6, 0.3, 2) > 0.2);      /* six layers: 3 and 2.3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_layer_has_its_depth),
                                       cmocka_unit_test(no_other_shares_are_quicker),
                                       cmocka_unit_test(waits_are_what_is_left),
                                       cmocka_unit_test(with_layers_enough_nobody_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
