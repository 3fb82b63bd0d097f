/* The generator against its published vectors, and the promises built on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/chance.h"
#include "rng.h"

/* Philox4x32-10 as the authors' Random123 library lists it: key and counter of zeros, of ones, and
 * of the digits of pi. A draw takes the first two of the four words. */
static void known_answers(void **state)
{
    (void)state;
    static const struct vector {
        uint32_t counter[4], key[2], out[2];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct vector *v = &known[i];
        uint64_t key = (uint64_t)v->key[1] << 32 | v->key[0];
        uint64_t bits = rng_bits(key, (int)v->counter[2], (int)v->counter[1], (int)v->counter[0],
                                 (purpose)v->counter[3]);
        assert_int_equal(bits, (uint64_t)v->out[1] << 32 | v->out[0]);
    }
}

/* Half of the bits change with every argument, whichever bit of it is touched. */
static void every_argument_matters(void **state)
{
    (void)state;
    uint64_t was = rng_bits(9, 1, 2, 3, PURPOSE_ORDER);
    for (int bit = 0; bit < 31; bit++) {
        int            flip = 1 << bit;
        const uint64_t now[] = {
            rng_bits(9 ^ (uint64_t)1 << bit, 1, 2, 3, PURPOSE_ORDER),
            rng_bits(9 ^ (uint64_t)1 << (63 - bit), 1, 2, 3, PURPOSE_ORDER),
            rng_bits(9, 1 ^ flip, 2, 3, PURPOSE_ORDER),
            rng_bits(9, 1, 2 ^ flip, 3, PURPOSE_ORDER),
            rng_bits(9, 1, 2, 3 ^ flip, PURPOSE_ORDER),
        };
        for (size_t i = 0; i < sizeof now / sizeof *now; i++)
            assert_in_range(__builtin_popcountll(was ^ now[i]), 10, 54);
    }
    static const purpose all[] = {PURPOSE_ORDER, PURPOSE_REVEAL, PURPOSE_TOKEN, PURPOSE_SELECT};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_in_range(__builtin_popcountll(rng_bits(9, 1, 2, 3, all[i]) ^
                                                 rng_bits(9, 1, 2, 3, all[j])),
                            10, 54);
    assert_int_equal(was, rng_bits(9, 1, 2, 3, PURPOSE_ORDER));
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Arguments that a sloppy packing of the counter would mix up. */
static void no_two_draws_alike(void **state)
{
    (void)state;
    enum { SIDE = 9, ALL = 4 * SIDE * SIDE * SIDE };
    static const int values[SIDE] = {0, 1, 2, 3, 255, 256, 65535, 65536, 1 << 24};
    uint64_t        *seen = malloc(ALL * sizeof *seen);
    int              n = 0;
    for (int a = 0; a < SIDE; a++)
        for (int s = 0; s < SIDE; s++)
            for (int p = 0; p < SIDE; p++)
                for (int why = 0; why < 4; why++)
                    seen[n++] = rng_bits(77, values[a], values[s], values[p], (purpose)why);
    qsort(seen, ALL, sizeof *seen, by_value);
    for (int i = 1; i < ALL; i++) assert_true(seen[i] != seen[i - 1]);
    free(seen);
}

static void uniform_is_uniform(void **state)
{
    (void)state;
    enum { BINS = 64, DRAWS = 64000 };
    int    first[BINS] = {0}, low[BINS] = {0}, pair[BINS] = {0}, before = 0;
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        double u = rng_uniform(123, 0, 1, i, PURPOSE_TOKEN);
        assert_true(u >= 0 && u < 1);
        int bin = (int)(u * BINS);
        sum += u;
        first[bin]++;
        low[(uint64_t)(u * 0x1p53) % BINS]++;
        pair[bin / 8 * 8 + before / 8]++;
        before = bin;
    }
    assert_true(chance_uniform(first, BINS) > 0.01);
    assert_true(chance_uniform(low, BINS) > 0.01);
    assert_true(chance_uniform(pair, BINS) > 0.01);
    assert_true(fabs(sum / DRAWS - 0.5) < 0.004);
}

static void uniform_is_the_top_53_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t bits = rng_bits(5, 1, 2, i, PURPOSE_SELECT);
        assert_true(rng_uniform(5, 1, 2, i, PURPOSE_SELECT) == (double)(bits >> 11) / 0x1p53);
    }
}

static void hashes_differ(void **state)
{
    (void)state;
    enum { NAMES = 20000 };
    uint64_t *seen = malloc(NAMES * sizeof *seen);
    for (int i = 0; i < NAMES; i++) seen[i] = rng_hash(1, &i, i % 2 ? 4 : 3);
    qsort(seen, NAMES, sizeof *seen, by_value);
    for (int i = 1; i < NAMES; i++) assert_true(seen[i] != seen[i - 1]);
    free(seen);

    char zeros[8] = {0};
    for (int n = 1; n < 8; n++) assert_true(rng_hash(1, zeros, n) != rng_hash(1, zeros, n - 1));
    assert_true(rng_hash(1, "a", 1) != rng_hash(2, "a", 1));
    assert_true(rng_hash(rng_hash(1, "a", 1), "b", 1) != rng_hash(rng_hash(1, "b", 1), "a", 1));
    assert_true(rng_hash(7, "abc", 3) == rng_hash(7, "abcd", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(every_argument_matters),
        cmocka_unit_test(no_two_draws_alike),
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(uniform_is_the_top_53_bits),
        cmocka_unit_test(hashes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
