/* Every thing has one owner and one place there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cyclic.h"

static const int SIZES[] = {1, 5, 63, 64, 65, 320, 768, 1003};

static void check_tiling(int n, int block, int parts)
{
    int all = 0;
    for (int part = 0; part < parts; part++) {
        int len = cyclic_len(n, block, parts, part), before = -1;
        assert_true(len <= cyclic_len(n, block, parts, 0));
        for (int i = 0; i < len; i++) {
            int g = cyclic_global(i, block, parts, part);
            assert_true(g > before && g < n);
            assert_int_equal(cyclic_owner(g, block, parts), part);
            assert_int_equal(cyclic_local(g, block, parts), i);
            before = g;
        }
        all += len;
    }
    assert_int_equal(all, n);
}

static void parts_tile(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++)
        for (int parts = 1; parts <= 7; parts++) {
            check_tiling(SIZES[s], cyclic_block(SIZES[s], parts), parts);
            check_tiling(SIZES[s], 3, parts);
        }
}

/* Nobody has more than a block's unevenness beyond an equal share, and blocks stay small. */
static void shares_are_even(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++)
        for (int parts = 1; parts <= 7; parts++) {
            int n = SIZES[s], block = cyclic_block(n, parts), rounds = (n + 64 * parts - 1) / (64 * parts);
            assert_in_range(block, 1, 64);
            assert_true(cyclic_len(n, block, parts, 0) <= n / parts + rounds + 1);
        }
    assert_int_equal(cyclic_block(768, 4), 64);
    assert_int_equal(cyclic_block(768, 5), 52);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_tile),
        cmocka_unit_test(shares_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
