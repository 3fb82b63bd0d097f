#include "measure.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "peaks.h"
#include "verdict.h"

static comm *world;

static void distributions(void **state)
{
    (void)state;
    double   seconds[] = {5, 1, 3, /* rank 1 */ 4, 9, 2, /* rank 2 */ 3, 3, 3};
    measured m = {0};
    measure_summarize(&m, seconds, 3, 3);
    assert_true(m.min == 1 && m.median == 3 && m.max == 9);
    assert_int_equal(m.slowest, 1);
    double even[] = {4, 1, 2, 3};
    measure_summarize(&m, even, 1, 4);
    assert_true(m.min == 1 && m.median == 2.5 && m.max == 4 && m.slowest == 0);
}

/* A task that counts what is done to it and fails when it is called too often between resets. */
typedef struct counted {
    int    calls, resets, since_reset, since_reset_most;
    double seconds;
} counted;

static status work(void *context)
{
    counted *c = context;
    c->calls++;
    c->since_reset++;
    if (c->since_reset > c->since_reset_most) c->since_reset_most = c->since_reset;
    clock_sleep(c->seconds);
    return DID_OK;
}

static void put_back(void *context)
{
    counted *c = context;
    c->resets++;
    c->since_reset = 0;
}

static status refuse(void *context)
{
    (void)context;
    return status_fail(DID_EIO, "no such thing");
}

static void the_slowest_rank_is_named(void **state)
{
    (void)state;
    int      last = comm_size(world) - 1;
    counted  c = {.seconds = comm_rank(world) == last ? 0.03 : 0.002};
    task     t = {.context = &c, .run = work};
    effort   e = {3, 3, 0, 0.001, false};
    measured m;
    assert_int_equal(measure_task(&m, &t, &e, world), DID_OK);
    assert_int_equal(m.slowest, last);
    assert_true(strlen(m.host) > 0);
    assert_true(m.max >= 0.03 && (last == 0 || m.min < 0.03) && m.min >= 0.002);
    assert_true(m.median >= m.min && m.median <= m.max);
    assert_int_equal(m.samples, 3);
    assert_int_equal(m.calls, 1);
}

static void short_calls_are_repeated(void **state)
{
    (void)state;
    counted  c = {0};
    task     t = {.context = &c, .run = work, .reset = put_back, .calls_max = 5};
    effort   e = {4, 4, 1, 1, false};
    measured m;
    assert_int_equal(measure_task(&m, &t, &e, world), DID_OK);
    assert_int_equal(m.calls, 5);
    assert_int_equal(c.since_reset_most, 5);
    assert_int_equal(c.resets, 4 + 2); /* samples and warm-up */
    assert_int_equal(c.calls, 4 * 5 + 2);
}

static void what_is_warm_counts_at_once(void **state)
{
    (void)state;
    counted  c = {.seconds = 0.002};
    task     t = {.context = &c, .run = work, .reset = put_back};
    effort   e = {1, 5, 0, 0, true};
    measured m;
    assert_int_equal(measure_task(&m, &t, &e, world), DID_OK);
    assert_int_equal(c.calls, 1);
    assert_int_equal(m.samples, 1);
    assert_true(m.min >= 0.002);
}

static void failures_come_back(void **state)
{
    (void)state;
    task     t = {.run = refuse};
    effort   e = {1, 1, 0, 0, false};
    measured m;
    assert_int_equal(measure_task(&m, &t, &e, world), DID_EIO);
}

static void one_wrong_rank_is_enough(void **state)
{
    (void)state;
    int     last = comm_size(world) - 1;
    verdict v = {.error = 1 + comm_rank(world)};
    if (comm_rank(world) == last) verdict_wrong(&v, "the sky is green");
    assert_int_equal(verdict_agree(&v, world), DID_OK);
    assert_true(v.wrong);
    assert_non_null(strstr(v.why, "the sky is green"));
    assert_true(v.error == last + 1);
}

/* Figures of a machine that is busy with other tests mean little, but they are figures. */
static void peaks_are_measured(void **state)
{
    (void)state;
    effort e = {1, 2, 0.0001, 0.001, false};
    peaks  p;
    assert_int_equal(peaks_measure(&p, 300 << 10, &e, world), DID_OK);
    assert_true(p.n_fma >= 1 && p.n_read == 2);
    assert_true(peaks_gflops(&p) > 0.01 && peaks_gflops(&p) < 1e5);
    for (int i = 0; i < p.n_read; i++) assert_true(p.read[i].gbs > 0.01 && p.read[i].gbs < 1e5);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(distributions),
                                       cmocka_unit_test(the_slowest_rank_is_named),
                                       cmocka_unit_test(short_calls_are_repeated),
                                       cmocka_unit_test(what_is_warm_counts_at_once),
                                       cmocka_unit_test(failures_come_back),
                                       cmocka_unit_test(one_wrong_rank_is_enough),
                                       cmocka_unit_test(peaks_are_measured)};
    int                     failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
