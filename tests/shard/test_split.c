#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "split.h"

static void expect_parts(int total, int unit, int parts, const int *len)
{
    int at = 0;
    for (int i = 0; i < parts; i++) {
        span part = split_part(total, unit, parts, i);
        assert_int_equal(part.first, at);
        assert_int_equal(part.len, len[i]);
        at += len[i];
    }
    assert_int_equal(at, total);
}

static void heads(void **state)
{
    (void)state;
    expect_parts(12, 1, 5, (int[]){3, 3, 2, 2, 2});
    expect_parts(12, 1, 4, (int[]){3, 3, 3, 3});
    expect_parts(3, 1, 5, (int[]){1, 1, 1, 0, 0});
    expect_parts(0, 1, 2, (int[]){0, 0});
}

/* 50258 = 1570 units of 32 and 18 more. */
static void vocabulary(void **state)
{
    (void)state;
    expect_parts(50258, 1, 1, (int[]){50258});
    expect_parts(50258, 1, 3, (int[]){16753, 16753, 16752});
    expect_parts(50258, 1, 5, (int[]){10052, 10052, 10052, 10051, 10051});
    expect_parts(50258, 1, 7, (int[]){7180, 7180, 7180, 7180, 7180, 7179, 7179});
    expect_parts(50258, 32, 2, (int[]){25152, 25106});
    expect_parts(50258, 32, 3, (int[]){16768, 16768, 16722});
    expect_parts(50258, 32, 7, (int[]){7200, 7200, 7200, 7168, 7168, 7168, 7154});
}

/* Whatever the numbers: the parts tile the range, are cut at units, and are even to one unit. */
static void expect_tiling(int total, int unit, int parts)
{
    int at = 0, before = INT32_MAX;
    int units = (total + unit - 1) / unit;
    for (int i = 0; i < parts; i++) {
        span part = split_part(total, unit, parts, i);
        assert_int_equal(part.first, at);
        assert_true(part.len >= 0);
        at += part.len;
        int part_units = (part.len + unit - 1) / unit;
        assert_true(part_units == units / parts || part_units == units / parts + 1);
        assert_true(part_units <= before);
        assert_true(at == total || at % unit == 0);
        before = part_units;
    }
    assert_int_equal(at, total);
}

static void tiling(void **state)
{
    (void)state;
    static const int totals[] = {0, 1, 2, 7, 12, 31, 32, 33, 255, 768, 3072, 4097, 50257, 50258};
    static const int units[] = {1, 2, 16, 32, 64, 100};
    for (size_t t = 0; t < sizeof totals / sizeof *totals; t++) {
        for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
            for (int parts = 1; parts <= 64; parts++) expect_tiling(totals[t], units[u], parts);
        }
    }
    for (int parts = 1; parts <= 7; parts++) {
        expect_tiling(50258, 1, parts);
        expect_tiling(50258, 32, parts);
    }
}

/* As large as ranges get, with and without a part below a unit. */
static void largest(void **state)
{
    (void)state;
    expect_tiling(INT32_MAX - 127, 64, 5);
    expect_tiling(INT32_MAX - 100, 64, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(vocabulary),
        cmocka_unit_test(tiling),
        cmocka_unit_test(largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
