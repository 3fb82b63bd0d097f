/* What settings of a sweep have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lineage.h"

enum { LENGTH = 64 };

static const spec_setting usual, rejecting = {.reject = true};

static stage draft(double nucleus)
{
    return (stage){.block = 4, .sampler = SAMPLER_FHS, .nucleus = nucleus, .temperature = 1};
}

static stage refinement(double share)
{
    return (stage){.remask = share, .sampler = SAMPLER_QUOTA, .steps = 8, .nucleus = 0.9,
                   .temperature = 1};
}

static trial of(const spec_setting *setting, int n, stage a, stage b, stage c)
{
    return (trial){.setting = setting, .stage = {a, b, c}, .n_stages = n, .length = LENGTH};
}

static void holds(const lineage *l, int node, int first, int n_stages, int parent)
{
    assert_int_equal(l->node[node].trial, first);
    assert_int_equal(l->node[node].n_stages, n_stages);
    assert_int_equal(l->node[node].parent, parent);
}

/* A draft, two refinements of it, one of them once more, and a draft that nobody else has. */
static void a_tree(void **state)
{
    const stage none = {.block = 0}, d = draft(0.9), q = refinement(0.25), h = refinement(0.5);
    const trial t[] = {of(&usual, 1, d, none, none), of(&usual, 2, d, q, none),
                       of(&usual, 2, d, h, none), of(&usual, 3, d, q, q),
                       of(&usual, 1, draft(0.8), none, none)};
    lineage     l;
    (void)state;
    assert_int_equal(lineage_open(&l, t, 5, false), DID_OK);
    assert_int_equal(l.n, 2);
    holds(&l, 0, 0, 1, -1);
    holds(&l, 1, 1, 2, 0);
    const int from[] = {0, 1, 0, 1, -1};
    for (int i = 0; i < 5; i++) assert_int_equal(l.from[i], from[i]);
    lineage_close(&l);
    assert_int_equal(lineage_open(&l, t, 5, true), DID_OK);
    assert_int_equal(l.n, 0);
    for (int i = 0; i < 5; i++) assert_int_equal(l.from[i], -1);
    lineage_close(&l);
}

/* Two settings of one draft, without a third that is the draft itself; and the same setting twice. */
static void a_draft_that_nobody_asked_for(void **state)
{
    trial   t[3];
    lineage l;
    (void)state;
    for (int i = 0; i < 3; i++)
        t[i] = of(&usual, 2, draft(0.8), refinement(i > 0 ? 0.5 : 0.25), draft(1));
    assert_int_equal(lineage_open(&l, t, 3, false), DID_OK);
    holds(&l, 0, 0, 1, -1);
    holds(&l, 1, 1, 2, 0);
    assert_true(l.n == 2 && l.from[0] == 0 && l.from[1] == 1 && l.from[2] == 1);
    lineage_close(&l);
}

static void shares_nothing(const trial *a, const trial *b)
{
    const trial t[] = {*a, *b};
    lineage     l;
    assert_int_equal(lineage_open(&l, t, 2, false), DID_OK);
    assert_int_equal(l.n, 0);
    lineage_close(&l);
}

static void what_makes_drafts_differ(void **state)
{
    const stage none = {.block = 0};
    const trial a = of(&usual, 1, draft(0.9), none, none);
    trial       b = a;
    (void)state;
    b.setting = &rejecting;
    shares_nothing(&a, &b);
    b = a;
    b.length = 2 * LENGTH;
    shares_nothing(&a, &b);
    b = a;
    b.stage[0].confidence = CONFIDENCE_NUCLEUS;
    shares_nothing(&a, &b);
    b = a;
    b.stage[0].model = 1;
    shares_nothing(&a, &b);
}

/* A policy belongs to what reopens, an order to a quota: a draft has neither. */
static void what_does_not(void **state)
{
    const stage none = {.block = 0};
    const trial a = of(&usual, 1, draft(0.9), none, none);
    trial       t[] = {a, a};
    lineage     l;
    (void)state;
    t[1].stage[0].policy = POLICY_POSTHOC;
    t[1].stage[0].order = ORDER_LEFT;
    assert_int_equal(lineage_open(&l, t, 2, false), DID_OK);
    assert_int_equal(l.n, 1);
    assert_int_equal(lineage_stage(&t[1], 0).policy, POLICY_LOWEST);
    assert_int_equal(lineage_stage(&t[1], 0).order, ORDER_RANDOM);
    lineage_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree),
        cmocka_unit_test(a_draft_that_nobody_asked_for),
        cmocka_unit_test(what_makes_drafts_differ),
        cmocka_unit_test(what_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
