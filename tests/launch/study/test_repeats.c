#include "repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void close_to(double a, double b)
{
    assert_true(a - b < 1e-12 && b - a < 1e-12);
}

/* a b c a b c a: seven tokens of three kinds, six pairs of three kinds, five triples of three,
 * four quadruples of three; "a b c a" stands at 0 and at 3. */
static void counted_by_hand(void **state)
{
    static const int32_t id[] = {7, 8, 9, 7, 8, 9, 7};
    repeats              r;
    (void)state;
    assert_int_equal(repeats_count(&r, id, COUNT(id)), DID_OK);
    close_to(r.share[0], 4.0 / 7);
    close_to(r.share[1], 3.0 / 6);
    close_to(r.share[2], 2.0 / 5);
    close_to(r.share[3], 1.0 / 4);
    assert_int_equal(r.longest, 4);
}

static void the_shortest_texts(void **state)
{
    static const int32_t same[] = {5, 5, 5}, other[] = {4000000, 0, -1};
    repeats              r;
    (void)state;
    for (int n = 0; n < 2; n++) {
        assert_int_equal(repeats_count(&r, same, n), DID_OK);
        for (int k = 0; k < REPEATS_NGRAMS; k++) close_to(r.share[k], 0);
        assert_int_equal(r.longest, 0);
    }
    assert_int_equal(repeats_count(&r, same, 3), DID_OK);
    close_to(r.share[0], 2.0 / 3);
    close_to(r.share[1], 1.0 / 2);
    close_to(r.share[2], 0);
    assert_int_equal(r.longest, 2);
    assert_int_equal(repeats_count(&r, other, 3), DID_OK);
    close_to(r.share[0], 0);
    assert_int_equal(r.longest, 0);
}

/* The definitions, word by word. */
static void slowly(repeats *r, const int32_t *id, int n)
{
    *r = (repeats){0};
    for (int k = 1; k <= REPEATS_NGRAMS && k <= n; k++) {
        int again = 0;
        for (int i = 0; i + k <= n; i++) {
            bool seen = false;
            for (int j = 0; j < i; j++)
                seen = seen || memcmp(id + i, id + j, (size_t)k * sizeof *id) == 0;
            again += seen;
        }
        r->share[k - 1] = (double)again / (n - k + 1);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            int same = 0;
            while (i + same < n && id[i + same] == id[j + same]) same++;
            if (same > r->longest) r->longest = same;
        }
}

static void as_the_definitions_say(void **state)
{
    (void)state;
    srand(11);
    for (int round = 0; round < 300; round++) {
        int32_t id[80];
        int     n = rand() % COUNT(id), kinds = 1 + rand() % 6;
        repeats fast, slow;
        for (int i = 0; i < n; i++) id[i] = rand() % kinds;
        assert_int_equal(repeats_count(&fast, id, n), DID_OK);
        slowly(&slow, id, n);
        for (int k = 0; k < REPEATS_NGRAMS; k++) close_to(fast.share[k], slow.share[k]);
        assert_int_equal(fast.longest, slow.longest);
    }
}

/* A document of the greatest length that says one thing only is the slowest there is. */
static void long_texts_take_no_time(void **state)
{
    enum { LONG = 131072 };
    int32_t *id = calloc(LONG, sizeof *id);
    repeats  r;
    (void)state;
    assert_non_null(id);
    assert_int_equal(repeats_count(&r, id, LONG), DID_OK);
    assert_int_equal(r.longest, LONG - 1);
    close_to(r.share[3], 1 - 1.0 / (LONG - 3));
    free(id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counted_by_hand),
        cmocka_unit_test(the_shortest_texts),
        cmocka_unit_test(as_the_definitions_say),
        cmocka_unit_test(long_texts_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
