/* What a document is when it is opened, begun anew, and measured. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "document.h"

enum { MASK = 99, LENGTH = 10 };
static const int32_t PROMPT[LENGTH] = {7, -1, -1, 5, -1, -1, 6, 0, -1, -1};

static document *opened(void)
{
    document *d = NULL;
    assert_int_equal(document_open(&d, LENGTH, PROMPT, MASK), DID_OK);
    return d;
}

static void assert_fresh(const document *d)
{
    assert_int_equal(d->length, LENGTH);
    assert_int_equal(d->capacity, LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        bool given = PROMPT[i] >= 0;
        assert_int_equal(d->given[i], given);
        assert_int_equal(d->masked[i], !given);
        assert_int_equal(d->token[i], given ? PROMPT[i] : MASK);
        assert_int_equal(d->before[i], d->token[i]);
        if (given) assert_true(isinf(d->snapshot[i]) && d->snapshot[i] > 0);
        else assert_true(d->snapshot[i] == 0);
    }
    assert_int_equal(d->at, 0);
    assert_int_equal(d->region, 0);
    assert_int_equal(d->step, 0);
    assert_int_equal(d->committed, 0);
    assert_int_equal(d->n_draws, 0);
    assert_int_equal(d->finish, FINISH_NONE);
    assert_false(d->entered);
    for (int k = 0; k < STAGES_MAX; k++) {
        assert_int_equal(d->cost[k].nfe + d->cost[k].commits + d->cost[k].rescored, 0);
        assert_int_equal(d->cost[k].reopened + d->cost[k].changed + d->left_length[k], 0);
    }
}

static void opens_with_what_is_given(void **state)
{
    (void)state;
    document *d = opened();
    assert_fresh(d);
    assert_int_equal(d->slot, -1);
    assert_int_equal(d->attempt, 0);
    document_close(&d);
    assert_null(d);
    document_close(&d);
}

static void counts_masks(void **state)
{
    (void)state;
    document *d = opened();
    assert_int_equal(document_masked(d, 0, LENGTH), 6);
    assert_int_equal(document_masked(d, 0, 1), 0);
    assert_int_equal(document_masked(d, 1, 2), 2);
    assert_int_equal(document_masked(d, 3, 4), 2);
    assert_int_equal(document_masked(d, 5, 0), 0);
    d->masked[1] = false;
    assert_int_equal(document_masked(d, 0, LENGTH), 5);
    document_close(&d);
}

static void begins_anew(void **state)
{
    (void)state;
    document *d = opened();
    d->n_stages = 2;
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
    for (int attempt = 1; attempt < 4; attempt++) {
        for (int i = 0; i < LENGTH; i++)
            if (!d->given[i]) {
                d->token[i] = i;
                d->masked[i] = false;
                d->snapshot[i] = 0.5f;
            }
        d->cost[0].nfe = 6;
        d->cost[0].commits = 2;
        d->cost[1].changed = 1;
        d->region = d->step = d->n_draws = d->at = 1;
        d->committed = 8;
        d->length = LENGTH - 1;
        d->left_length[0] = LENGTH;
        d->entered = true;
        document_restart(d, MASK);
        assert_fresh(d);
        assert_int_equal(d->attempt, attempt);
        assert_int_equal(d->rejected_nfe, 6 * attempt);
    }
    document_close(&d);
}

static void reserves_what_a_trace_can_hold(void **state)
{
    (void)state;
    document *d = opened();
    d->n_stages = 3;
    assert_int_equal(document_reserve(d), DID_OK);
    assert_null(d->draws);
    assert_null(d->left[0]);
    assert_null(d->nll);
    d->traced = true;
    d->stage[2].work = WORK_BOUND;
    assert_int_equal(document_reserve(d), DID_OK);
    assert_int_equal(d->draws_max, 3 * 6);
    memset(d->draws, 0, (size_t)d->draws_max * sizeof *d->draws);
    for (int k = 0; k < 3; k++) memset(d->left[k], 0, LENGTH * sizeof *d->left[k]);
    for (int i = 0; i < LENGTH; i++) assert_true(isnan(d->nll[i]));
    document_close(&d);
}

/* Nothing to fill is a document too. */
static void all_given(void **state)
{
    (void)state;
    static const int32_t given[] = {3, 4, 0};
    document            *d = NULL;
    assert_int_equal(document_open(&d, 3, given, MASK), DID_OK);
    assert_int_equal(document_masked(d, 0, 3), 0);
    d->n_stages = 1;
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
    assert_int_equal(d->draws_max, 0);
    document_close(&d);
}

static void entropy_is_that_of_the_unigrams(void **state)
{
    (void)state;
    enum { N = 64, VOCAB = 100 };
    int32_t token[N];
    int     counts[VOCAB] = {0};
    for (int kinds = 1; kinds <= N; kinds *= 2) {
        for (int i = 0; i < N; i++) token[i] = i * 7 % kinds + 11;
        assert_true(fabs(document_entropy(token, N, counts) - log(kinds)) < 1e-12);
    }
    for (int i = 0; i < N; i++) token[i] = i < 16 ? 0 : i < 24 ? 98 : 50;
    double want = -(0.25 * log(0.25) + 0.125 * log(0.125) + 0.625 * log(0.625));
    assert_true(fabs(document_entropy(token, N, counts) - want) < 1e-12);
    assert_true(document_entropy(token, 0, counts) == 0);
    for (int i = 0; i < VOCAB; i++) assert_int_equal(counts[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_what_is_given),
        cmocka_unit_test(counts_masks),
        cmocka_unit_test(begins_anew),
        cmocka_unit_test(reserves_what_a_trace_can_hold),
        cmocka_unit_test(all_given),
        cmocka_unit_test(entropy_is_that_of_the_unigrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
