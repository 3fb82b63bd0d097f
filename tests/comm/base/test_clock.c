/* Seconds from the first call on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"

static void test_starts_at_zero(void **state)
{
    (void)state;
    assert_true(clock_seconds() == 0);
}

static void test_never_goes_back(void **state)
{
    (void)state;
    double last = clock_seconds();
    for (int i = 0; i < 10000; i++) {
        double now = clock_seconds();
        assert_true(now >= last);
        last = now;
    }
    assert_true(last > 0 && last < 60);
}

static void test_sleep(void **state)
{
    (void)state;
    double before = clock_seconds();
    clock_sleep(0.02);
    assert_true(clock_seconds() - before >= 0.02);
    before = clock_seconds();
    clock_sleep(1.01);
    double slept = clock_seconds() - before;
    assert_true(slept >= 1.01 && slept < 10);
    clock_sleep(0);
}

/* Who sleeps has no work. */
static void test_work(void **state)
{
    (void)state;
    double before = clock_work_seconds(), began = clock_seconds();
    clock_sleep(0.05);
    assert_true(clock_work_seconds() - before < 0.04);
    while (clock_work_seconds() - before < 0.01) assert_true(clock_seconds() - began < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_at_zero),
        cmocka_unit_test(test_never_goes_back),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
