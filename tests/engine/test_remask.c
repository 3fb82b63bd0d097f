/* What is reopened: how many, which, and the sets of the reference traces. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoint.h"
#include "desk.h"
#include "remask.h"

enum { LENGTH = 256 };

static void halves_go_to_even(void **state)
{
    (void)state;
    static const struct {
        double share;
        int    eligible, count;
    } cases[] = {{0.5, 249, 124}, {0.5, 251, 126}, {0.5, 1, 0},   {0.5, 3, 2},   {0.5, 5, 2},
                 {0.5, 250, 125}, {0.25, 2, 0},    {0.25, 6, 2},  {0.25, 10, 2}, {0.25, 14, 4},
                 {0.125, 4, 0},   {0.125, 12, 2},  {0, 1000, 0},  {1, 1000, 1000}, {1, 0, 0},
                 {0.3, 1023, 307}, {0.25, 1023, 256}, {0.25, 255, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(remask_count(cases[i].share, cases[i].eligible), cases[i].count);
    for (int n = 0; n < 2000; n++) {
        int count = remask_count(0.5, n);
        assert_true(fabs(count - 0.5 * n) <= 0.5 && (n % 2 == 0 || count % 2 == 0));
        assert_int_equal(remask_count(0, n), 0);
        assert_int_equal(remask_count(1, n), n);
    }
}

static void ties_reopen_the_lower_position(void **state)
{
    (void)state;
    ranked key[] = {{5, 9}, {3, 8}, {5, 1}, {3, 2}, {5, 4}, {9, 0}, {0, 7}};
    bool   masked[10] = {false};
    static const int32_t want[] = {7, 2, 8, 1, 4, 9, 0};
    for (int count = 0; count <= 7; count++) {
        memset(masked, 0, sizeof masked);
        remask_smallest(masked, key, 7, count);
        int n = 0;
        for (int i = 0; i < 10; i++) n += masked[i];
        assert_int_equal(n, count);
        for (int i = 0; i < count; i++) assert_true(masked[want[i]]);
    }
}

/* A finished draft before its first refinement: confidences in eighths, so that many are equal. */
static document *finished(int length, uint64_t key, policy how, double share)
{
    document *d = desk_document(length, 3, key);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, STAGE_BLOCK_WHOLE, share, SAMPLER_FHS, 0)->policy = how;
    for (int i = 4; i < length; i++) {
        d->token[i] = i % 50;
        d->masked[i] = false;
        d->snapshot[i] = (float)(1 + i * 29 % 8) / 8;
    }
    d->given[length / 2] = true; /* infilled */
    d->snapshot[length / 2] = INFINITY;
    d->at = 1;
    return d;
}

static void assert_reopened(const document *d, int count)
{
    assert_int_equal(document_masked(d, 0, d->length), count);
    assert_int_equal(d->cost[1].reopened, count);
    for (int i = 0; i < d->length; i++) {
        assert_false(d->given[i] && d->masked[i]);
        int32_t was = i == 0 ? DESK_END : i < 4 ? 1 : i % 50;
        assert_int_equal(d->token[i], d->masked[i] ? DESK_MASK : was);
    }
}

static void lowest_reopens_the_least_sure(void **state)
{
    (void)state;
    desk k;
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    for (double share = 0; share <= 1; share += 0.0625) {
        document *d = finished(LENGTH, 1, POLICY_LOWEST, share);
        remask_document(d, &k.rules);
        assert_reopened(d, remask_count(share, LENGTH - 5));
        for (int i = 4; i < LENGTH; i++)
            for (int j = 4; j < LENGTH && d->masked[i]; j++)
                if (!d->masked[j])
                    assert_true(d->snapshot[i] < d->snapshot[j] ||
                                (d->snapshot[i] == d->snapshot[j] && i < j));
        document_close(&d);
    }
    desk_close(&k);
}

/* A random set is a function of the key, the attempt and the stage, and of nothing else. */
static void random_follows_the_key(void **state)
{
    (void)state;
    enum { SETS = 400, SHORT = 40 };
    desk k;
    int  often[SHORT] = {0};
    bool first[SHORT];
    desk_open(&k, SHORT, SHORT, SHORT);
    for (int i = 0; i < SETS; i++) {
        document *d = finished(SHORT, (uint64_t)i / 2, POLICY_RANDOM, 0.4);
        for (int j = 4; j < SHORT && i % 2; j++)
            if (!d->given[j]) d->snapshot[j] = 0.01f * (float)j;
        remask_document(d, &k.rules);
        assert_reopened(d, remask_count(0.4, SHORT - 5));
        for (int j = 0; j < SHORT; j++) often[j] += d->masked[j];
        if (i % 2 == 0) memcpy(first, d->masked, sizeof first);
        else assert_memory_equal(first, d->masked, sizeof first);
        document_close(&d);
    }
    assert_int_equal(often[0] + often[1] + often[2] + often[3] + often[SHORT / 2], 0);
    for (int j = 4; j < SHORT; j++) /* 5 standard deviations of twice a binomial of 200 */
        if (j != SHORT / 2) assert_in_range(often[j], 160 - 70, 160 + 70);

    int changed = 0;
    for (int which = 0; which < 3; which++) {
        document *d = finished(SHORT, which == 2 ? 4 : 3, POLICY_RANDOM, 0.4);
        d->attempt = which == 1;
        remask_document(d, &k.rules);
        changed += which > 0 && memcmp(first, d->masked, sizeof first) != 0;
        if (which == 0) memcpy(first, d->masked, sizeof first);
        document_close(&d);
    }
    assert_int_equal(changed, 2);
    desk_close(&k);
}

static int ints(const checkpoint *c, int trace, const char *name, int32_t *out)
{
    char key[32];
    snprintf(key, sizeof key, "trace%d.%s", trace, name);
    const tensor *t = checkpoint_find(c, key);
    assert_non_null(t);
    assert_int_equal(checkpoint_read_raw(c, t, out, (size_t)t->dim[0] * sizeof *out), DID_OK);
    return (int)t->dim[0];
}

/* The confidences of the reference's drafts give its sets, position by position. */
static void reference_sets(void **state)
{
    (void)state;
    enum { TRACES = 4, MASK = 4096 };
    checkpoint *c = NULL;
    desk        k;
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    k.rules.mask_id = MASK;
    assert_int_equal(
        checkpoint_open_file(&c, DID_TEST_MODELS "/goldens/trace_goldens.safetensors"), DID_OK);
    for (int trace = 0; trace < TRACES; trace++) {
        int32_t   want[LENGTH], prompt[LENGTH];
        int       n = ints(c, trace, "prompt", prompt);
        document *d = desk_document(LENGTH, n - 1, 1);
        desk_stage(d, 4, 0, SAMPLER_QUOTA, 4);
        desk_stage(d, STAGE_BLOCK_WHOLE, 0.5, SAMPLER_QUOTA, 16);
        float snapshot[LENGTH];
        char  key[32];
        snprintf(key, sizeof key, "trace%d.confidence", trace);
        assert_int_equal(
            checkpoint_read(c, checkpoint_find(c, key), 0, 1, 0, LENGTH, snapshot), DID_OK);
        ints(c, trace, "draft", d->token);
        for (int i = n; i < LENGTH; i++) {
            d->snapshot[i] = snapshot[i];
            d->masked[i] = false;
        }
        d->at = 1;
        remask_document(d, &k.rules);
        assert_int_equal(ints(c, trace, "remasked", want), LENGTH);
        assert_memory_equal(d->token, want, sizeof want);
        document_close(&d);
    }
    checkpoint_close(&c);
    desk_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_go_to_even),
        cmocka_unit_test(ties_reopen_the_lower_position),
        cmocka_unit_test(lowest_reopens_the_least_sure),
        cmocka_unit_test(random_follows_the_key),
        cmocka_unit_test(reference_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
