#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpe.h"

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * below >> 32);
}

/* The definition: again and again the leftmost of the pairs with the lowest rank. */
static void merge_plainly(const bpe *b, int32_t *ids, int *n)
{
    for (;;) {
        int best = -1, at = -1;
        for (int i = 0; i + 1 < *n; i++) {
            int rank = bpe_rank(b, ids[i], ids[i + 1]);
            if (rank >= 0 && (best < 0 || rank < best)) {
                best = rank;
                at = i;
            }
        }
        if (best < 0) return;
        ids[at] = b->rule[best].whole;
        memmove(&ids[at + 1], &ids[at + 2], (size_t)(*n - at - 2) * sizeof *ids);
        (*n)--;
    }
}

/* Letters 0 .. 3 and merges of whatever exists, as training makes them or out of order. */
static void random_rules(bpe *b, int n_rules)
{
    assert_int_equal(bpe_init(b, n_rules), DID_OK);
    for (int made = 0; made < n_rules;) {
        int32_t known = draw(8) == 0 ? 4 + n_rules : 4 + made;
        int32_t left = (int32_t)draw((uint32_t)known), right = (int32_t)draw((uint32_t)known);
        if (bpe_rank(b, left, right) >= 0) continue;
        assert_int_equal(bpe_add(b, (bpe_rule){left, right, 4 + made}), DID_OK);
        made++;
    }
}

static void agrees_with_the_definition(void **state)
{
    (void)state;
    random_state = 1;
    bpe_scratch scratch = {0};
    int         merged = 0;
    for (int round = 0; round < 300; round++) {
        bpe b;
        random_rules(&b, 1 + (int)draw(40));
        for (int word = 0; word < 10; word++) {
            int32_t ids[400], expected[400];
            int     n = (int)draw(word == 0 ? 400 : 30), n_expected = n, before = n;
            for (int i = 0; i < n; i++) expected[i] = ids[i] = (int32_t)draw(4);
            merge_plainly(&b, expected, &n_expected);
            assert_int_equal(bpe_merge(&b, &scratch, ids, &n), DID_OK);
            assert_int_equal(n, n_expected);
            assert_memory_equal(ids, expected, (size_t)n * sizeof *ids);
            merged += before - n;
        }
        bpe_clear(&b);
    }
    assert_true(merged > 1000);
    bpe_scratch_clear(&scratch);
}

static void equal_ranks_go_left_to_right(void **state)
{
    (void)state;
    bpe         b;
    bpe_scratch scratch = {0};
    int32_t     ids[] = {0, 0, 0, 0, 0};
    int         n = 5;
    assert_int_equal(bpe_init(&b, 1), DID_OK);
    assert_int_equal(bpe_add(&b, (bpe_rule){0, 0, 1}), DID_OK);
    assert_int_equal(bpe_merge(&b, &scratch, ids, &n), DID_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 1);
    assert_int_equal(ids[2], 0);
    bpe_scratch_clear(&scratch);
    bpe_clear(&b);
}

/* Doubling merges on a word of 2^20 equal letters: quadratic work would not end. */
static void long_word(void **state)
{
    (void)state;
    enum { LEVELS = 20, LENGTH = 1 << LEVELS };
    bpe         b;
    bpe_scratch scratch = {0};
    int         n = LENGTH;
    int32_t    *ids = calloc(LENGTH, sizeof *ids);
    assert_int_equal(bpe_init(&b, LEVELS), DID_OK);
    for (int i = 0; i < LEVELS; i++)
        assert_int_equal(bpe_add(&b, (bpe_rule){i, i, i + 1}), DID_OK);
    assert_int_equal(bpe_merge(&b, &scratch, ids, &n), DID_OK);
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], LEVELS);
    free(ids);
    bpe_scratch_clear(&scratch);
    bpe_clear(&b);
}

static void short_words_and_no_rules(void **state)
{
    (void)state;
    bpe         b;
    bpe_scratch scratch = {0};
    int32_t     ids[] = {7, 8};
    int         n = 0;
    assert_int_equal(bpe_init(&b, 0), DID_OK);
    assert_int_equal(bpe_rank(&b, 0, 0), -1);
    assert_int_equal(bpe_merge(&b, &scratch, ids, &n), DID_OK);
    assert_int_equal(n, 0);
    n = 2;
    assert_int_equal(bpe_merge(&b, &scratch, ids, &n), DID_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ids[1], 8);
    bpe_scratch_clear(&scratch);
    bpe_clear(&b);
}

static void a_pair_has_one_rank(void **state)
{
    (void)state;
    bpe b;
    assert_int_equal(bpe_init(&b, 2), DID_OK);
    assert_int_equal(bpe_add(&b, (bpe_rule){1, 2, 3}), DID_OK);
    assert_int_equal(bpe_add(&b, (bpe_rule){1, 2, 4}), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "merge 1"));
    assert_int_equal(bpe_rank(&b, 1, 2), 0);
    assert_int_equal(bpe_rank(&b, 2, 1), -1);
    bpe_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(equal_ranks_go_left_to_right),
        cmocka_unit_test(long_word),
        cmocka_unit_test(short_words_and_no_rules),
        cmocka_unit_test(a_pair_has_one_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
