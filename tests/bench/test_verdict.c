#include "verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void rounding_is_forgiven(void **state)
{
    (void)state;
    verdict v = {0};
    verdict_number(&v, 1 + 0x1p-23, 1, 1, 8, "one");
    assert_false(v.wrong);
    assert_true(v.error == 2);
    verdict_number(&v, 100 + 0x1p-20, 100, 4, 8, "a sum of larger things");
    assert_false(v.wrong);
    assert_true(v.error == 4);
}

static void more_is_not(void **state)
{
    (void)state;
    verdict v = {0};
    verdict_number(&v, 1 + 9 * 0x1p-24, 1, 1, 8, "the fifth element");
    assert_true(v.wrong);
    assert_non_null(strstr(v.why, "the fifth element"));
    verdict_wrong(&v, "later trouble");
    assert_null(strstr(v.why, "later trouble"));
}

static void what_is_no_number_is_wrong(void **state)
{
    (void)state;
    const float got[][2] = {{1, NAN}, {NAN, 1}, {INFINITY, 1}, {1, -INFINITY}}, want[] = {1, 1};
    for (int i = 0; i < 4; i++) {
        verdict v = {0};
        verdict_floats(&v, got[i], want, 2, 1, 1e9, "an element");
        assert_true(v.wrong);
    }
    verdict v = {0};
    verdict_number(&v, 1, NAN, 1, 1e9, "an element");
    assert_true(v.wrong);
}

static void floats_are_scaled_one_by_one(void **state)
{
    (void)state;
    const float want[] = {0, 1000, -1e-3f}, got[] = {0x1p-24f, 1000 + 0x1p-14f, -1e-3f};
    verdict     v = {0};
    verdict_floats(&v, got, want, 3, 1, 2, "an element");
    assert_false(v.wrong);
    assert_true(v.error > 1 && v.error < 1.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounding_is_forgiven),
                                       cmocka_unit_test(more_is_not),
                                       cmocka_unit_test(what_is_no_number_is_wrong),
                                       cmocka_unit_test(floats_are_scaled_one_by_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
