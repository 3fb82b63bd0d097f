#include "guard.h"
#include "kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

/* Products that break the law in one way each. A row's own sum is taken forwards or backwards: the
 * same number, other bits. */

static int heights_asked, height_wrong, place_wrong;

static void product(float *c, const float *a, const float *w, int n, int k, bool backwards)
{
    for (int j = 0; j < n; j++) {
        float sum = 0;
        for (int i = 0; i < k; i++) {
            int at = backwards ? k - 1 - i : i;
            sum += a[at] * w[(size_t)j * k + at];
        }
        c[j] = sum;
    }
}

static void linear_honest(float *c, const float *a, const float *w, const float *bias, int rows,
                          int n, int k)
{
    (void)bias;
    heights_asked = rows > heights_asked ? rows : heights_asked;
    for (int r = 0; r < rows; r++)
        product(c + (size_t)r * n, a + (size_t)r * k, w, n, k, false);
}

static void linear_wrong_at_height(float *c, const float *a, const float *w, const float *bias,
                                   int rows, int n, int k)
{
    (void)bias;
    for (int r = 0; r < rows; r++)
        product(c + (size_t)r * n, a + (size_t)r * k, w, n, k, rows <= height_wrong);
}

static void linear_wrong_at_place(float *c, const float *a, const float *w, const float *bias,
                                  int rows, int n, int k)
{
    (void)bias;
    for (int r = 0; r < rows; r++)
        product(c + (size_t)r * n, a + (size_t)r * k, w, n, k, r == place_wrong);
}

/* The order of a row's sum hangs on what its neighbour holds. */
static void linear_wrong_by_neighbour(float *c, const float *a, const float *w, const float *bias,
                                      int rows, int n, int k)
{
    (void)bias;
    for (int r = 0; r < rows; r++)
        product(c + (size_t)r * n, a + (size_t)r * k, w, n, k,
                a[(size_t)((r + 1) % rows) * k] < a[(size_t)r * k]);
}

static panel try_out(void (*linear)(float *, const float *, const float *, const float *, int, int,
                                    int),
                     int n, int k)
{
    kernels set  = {.linear = linear};
    int     mark = guard_mark();
    panel   p    = linear_panel(&set, n, k, guard_floats(panel_scratch_floats(n, k)));
    guard_clear(mark);
    return p;
}

static void honest_products_pass(void **state)
{
    static const int SHAPES[][2] = {{1, 1}, {1, 40}, {13, 320}, {64, 64}, {33, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        panel p = try_out(linear_honest, SHAPES[i][0], SHAPES[i][1]);
        assert_true(p.verified && p.small == 16 && p.large == PANEL_MAX);
    }
    assert_int_equal(heights_asked, PANEL_MAX);
}

static void heights_that_differ_are_passed_over(void **state)
{
    (void)state;
    height_wrong = 16;
    panel p      = try_out(linear_wrong_at_height, 13, 80);
    assert_true(p.verified && p.small == 48 && p.large == 192);
    height_wrong = 48;
    p            = try_out(linear_wrong_at_height, 13, 80);
    assert_true(p.verified && p.small == 96 && p.large == 192);
    height_wrong = 96;
    p            = try_out(linear_wrong_at_height, 13, 80);
    assert_true(p.verified && p.small == 192 && p.large == 192);
}

static void a_place_that_differs_is_refused(void **state)
{
    static const int PLACES[] = {0, 1, 7, 100, 191};
    (void)state;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        place_wrong = PLACES[i];
        assert_false(try_out(linear_wrong_at_place, 13, 80).verified);
        assert_false(try_out(linear_wrong_at_place, 1, 80).verified);
    }
}

static void neighbours_that_matter_are_refused(void **state)
{
    (void)state;
    assert_false(try_out(linear_wrong_by_neighbour, 13, 80).verified);
}

static void a_product_right_at_any_height_needs_no_trial(void **state)
{
    (void)state;
    kernels set = {.any_height = true};
    panel   p   = linear_panel(&set, 50000, 4096, NULL);
    assert_true(p.verified && p.small > 0 && p.large == PANEL_MAX && p.large % p.small == 0);
}

/* Whether the BLAS passes hangs on the core it picked; where it does, test_blas holds it to it. */
static void shapes_of_a_model_are_tried_on_the_blas(void **state)
{
    static const int SHAPES[][2] = {{768, 256}, {192, 256}, {1025, 256}, {256, 1024},
                                    {13, 320},  {64, 64},   {2304, 768}};
    (void)state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        int    n = SHAPES[i][0], k = SHAPES[i][1], mark = guard_mark();
        float *scratch = guard_floats(panel_scratch_floats(n, k));
        panel  p       = linear_panel(kernels_find("blas"), n, k, scratch);
        print_message("%s [%d, %d]: small %d, large %d, %s\n", kernels_blas(), n, k, p.small,
                      p.large, p.verified ? "verified" : "refused");
        assert_true(p.small <= p.large && p.large <= PANEL_MAX && p.large % p.small == 0);
        guard_clear(mark);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_products_pass),
        cmocka_unit_test(heights_that_differ_are_passed_over),
        cmocka_unit_test(a_place_that_differs_is_refused),
        cmocka_unit_test(neighbours_that_matter_are_refused),
        cmocka_unit_test(a_product_right_at_any_height_needs_no_trial),
        cmocka_unit_test(shapes_of_a_model_are_tried_on_the_blas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
