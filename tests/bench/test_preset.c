#include "preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_bundled_model_is_tiny(void **state)
{
    (void)state;
    geometry preset, bundled;
    assert_int_equal(preset_find(&preset, "tiny"), DID_OK);
    assert_int_equal(geometry_read(&bundled, DID_TEST_MODELS "/did-tiny"), DID_OK);
    assert_int_equal(preset.d_model, bundled.d_model);
    assert_int_equal(preset.n_layers, bundled.n_layers);
    assert_int_equal(preset.n_heads, bundled.n_heads);
    assert_int_equal(preset.d_mlp, bundled.d_mlp);
    assert_int_equal(preset.vocab, bundled.vocab);
    assert_int_equal(preset.mask_id, bundled.mask_id);
    assert_int_equal(preset.end_id, bundled.end_id);
    assert_int_equal(preset.length, bundled.length);
}

static void small_is_bd3lm_small(void **state)
{
    (void)state;
    geometry g;
    assert_int_equal(preset_find(&g, "small"), DID_OK);
    assert_true(g.d_model == 768 && g.n_heads == 12 && g.n_layers == 12 && g.vocab == 50258 &&
                g.d_mlp == 3072 && g.length == 1024);
}

static void numbers_are_a_geometry(void **state)
{
    (void)state;
    geometry g;
    assert_int_equal(preset_find(&g, "320x5x3x1003"), DID_OK);
    assert_true(g.d_model == 320 && g.n_heads == 5 && g.n_layers == 3 && g.vocab == 1003 &&
                g.head_size == 64 && g.d_mlp == 1280 && g.length == 1024);
    assert_int_equal(preset_find(&g, "320x5x3x1003x96"), DID_OK);
    assert_int_equal(g.length, 96);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "large",
                                      "320x5x3",
                                      "320x5x3x1003x",
                                      "320x5x3x1003x96x1",
                                      "0x1x1x100",
                                      "320x0x1x100",
                                      "321x5x1x100",
                                      "320x5x0x100",
                                      "320x5x1x3",
                                      "1024x2x1x100",
                                      "320x5x1x100x1",
                                      "-320x5x1x100",
                                      "320x-5x1x100"};
    geometry                 g;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (preset_find(&g, bad[i]) != DID_EINVAL) fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bundled_model_is_tiny), cmocka_unit_test(small_is_bd3lm_small),
        cmocka_unit_test(numbers_are_a_geometry), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
