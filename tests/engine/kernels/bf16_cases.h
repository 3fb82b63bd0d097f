/* bf16_cases.h - the conversions, held against arithmetic in f64; test_bf16.c and its fellows are
 * this text at one level of optimisation each. */
#ifndef DID_BF16_CASES_H
#define DID_BF16_CASES_H

#include "bf16.h"
#include "kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The value of a bf16 from its parts; an infinity stands for the power of two it begins at. */
static double value_of(uint16_t half)
{
    int    exponent = half >> 7 & 0xff, fraction = half & 0x7f;
    double size = exponent == 0 ? ldexp(fraction, -133) : ldexp(128 + fraction, exponent - 134);
    return half & 0x8000 ? -size : size;
}

static void widening_is_exact(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1 << 16; i++) {
        assert_int_equal(bits_of(half_widen((uint16_t)i)), i << 16);
        if ((i & 0x7f80) != 0x7f80)
            assert_true((double)half_widen((uint16_t)i) == value_of((uint16_t)i));
    }
}

static void what_is_one_stays_one(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1 << 16; i++) {
        uint16_t back = half_round(half_widen((uint16_t)i));
        bool     number = (i & 0x7fff) <= 0x7f80;
        assert_int_equal(back, number ? i : (i | 0x40));
    }
}

/* Between every bf16 and its neighbour away from 0: around both ends and around the middle. */
static void rounding_is_to_the_nearest(void **state)
{
    static const uint32_t BELOW[] = {1, 2, 0x1234, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xc000, 0xffff};
    (void)state;
    for (uint32_t i = 0; i < 1 << 16; i++) {
        if ((i & 0x7f80) == 0x7f80) continue; /* infinite or no number */
        for (size_t b = 0; b < sizeof BELOW / sizeof *BELOW; b++) {
            double   x = float_of(i << 16 | BELOW[b]);
            double   near = fabs(x - value_of((uint16_t)i));
            double   far = fabs(x - value_of((uint16_t)(i + 1)));
            bool     up = far < near || (far == near && i % 2 == 1);
            uint16_t got = half_round((float)x);
            assert_int_equal(got, up ? i + 1 : i);
        }
    }
}

static void no_number_stays_none(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 0x7fffff; i += 977) {
        assert_true(isnan(half_widen(half_round(float_of(0x7f800000 | i)))));
        assert_true(isnan(half_widen(half_round(float_of(0xff800000 | i)))));
    }
    assert_true(isnan(half_widen(half_round(float_of(0x7f800001)))));
    assert_true(isnan(half_widen(half_round(float_of(0xffffffff)))));
    assert_int_equal(half_round(INFINITY), 0x7f80);
    assert_int_equal(half_round(-INFINITY), 0xff80);
    assert_int_equal(half_round(3.4e38f), 0x7f80);
    assert_int_equal(half_round(-0.0f), 0x8000);
}

/* Every element of a weight is in one place, and no other is written. */
static void packing_keeps_everything(void **state)
{
    enum { N = 70, K = 9 };
    static const int COLUMNS[] = {1, 16, 64};
    (void)state;
    float    w[N * K];
    uint16_t packed[128 * (K + 1)];
    assert_true(packed_bytes(N, K) == sizeof packed);
    for (int i = 0; i < N * K; i++) w[i] = (float)(i % 251 + 1);
    for (int c = 0; c < 3; c++) {
        int columns = COLUMNS[c], found = 0;
        memset(packed, 0, sizeof packed);
        bf16_pack(packed, w, 0, 33, K, columns);
        bf16_pack(packed, w + 33 * K, 33, N - 33, K, columns);
        for (int n = 0; n < N; n++)
            for (int i = 0; i < K; i++) {
                int at = n / columns * columns * (K + 1) + i / 2 * columns * 2 +
                         n % columns * 2 + i % 2;
                assert_true(half_widen(packed[at]) == w[n * K + i]);
            }
        for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) found += packed[i] != 0;
        assert_int_equal(found, N * K);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widening_is_exact),
        cmocka_unit_test(what_is_one_stays_one),
        cmocka_unit_test(rounding_is_to_the_nearest),
        cmocka_unit_test(no_number_stays_none),
        cmocka_unit_test(packing_keeps_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
