/* What lists of stages have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lineage.h"

enum { LENGTH = 64 };

static stage draft(double nucleus)
{
    return (stage){.block = 4, .sampler = SAMPLER_FHS, .nucleus = nucleus, .temperature = 1};
}

static stage refinement(double share)
{
    return (stage){.remask = share, .sampler = SAMPLER_QUOTA, .steps = 8, .nucleus = 0.9,
                   .temperature = 1};
}

/* A list with room for its stages. */
typedef struct sort {
    stage stage[3];
    int   n, length;
    bool  reject;
} sort;

static sort of(int n, stage a, stage b, stage c)
{
    return (sort){.stage = {a, b, c}, .n = n, .length = LENGTH};
}

static void opened(lineage *l, const sort *t, int n, bool apart)
{
    lineage_list list[5];
    for (int i = 0; i < n; i++)
        list[i] = (lineage_list){t[i].stage, t[i].n, t[i].length, t[i].reject};
    assert_int_equal(lineage_open(l, list, n, apart), DID_OK);
}

static void holds(const lineage *l, int node, int first, int n_stages, int parent)
{
    assert_int_equal(l->node[node].list, first);
    assert_int_equal(l->node[node].n_stages, n_stages);
    assert_int_equal(l->node[node].parent, parent);
}

/* A draft, two refinements of it, one of them once more, and a draft that nobody else has. */
static void a_tree(void **state)
{
    const stage none = {.block = 0}, d = draft(0.9), q = refinement(0.25), h = refinement(0.5);
    const sort  t[] = {of(1, d, none, none), of(2, d, q, none),
                       of(2, d, h, none), of(3, d, q, q),
                       of(1, draft(0.8), none, none)};
    lineage     l;
    (void)state;
    opened(&l, t, 5, false);
    assert_int_equal(l.n, 2);
    holds(&l, 0, 0, 1, -1);
    holds(&l, 1, 1, 2, 0);
    const int from[] = {0, 1, 0, 1, -1};
    for (int i = 0; i < 5; i++) assert_int_equal(l.from[i], from[i]);
    lineage_close(&l);
    opened(&l, t, 5, true);
    assert_int_equal(l.n, 0);
    for (int i = 0; i < 5; i++) assert_int_equal(l.from[i], -1);
    lineage_close(&l);
}

/* Two settings of one draft, without a third that is the draft itself; and the same setting twice. */
static void a_draft_that_nobody_asked_for(void **state)
{
    sort    t[3];
    lineage l;
    (void)state;
    for (int i = 0; i < 3; i++)
        t[i] = of(2, draft(0.8), refinement(i > 0 ? 0.5 : 0.25), draft(1));
    opened(&l, t, 3, false);
    holds(&l, 0, 0, 1, -1);
    holds(&l, 1, 1, 2, 0);
    assert_true(l.n == 2 && l.from[0] == 0 && l.from[1] == 1 && l.from[2] == 1);
    lineage_close(&l);
}

static void shares_nothing(const sort *a, const sort *b)
{
    const sort  t[] = {*a, *b};
    lineage     l;
    opened(&l, t, 2, false);
    assert_int_equal(l.n, 0);
    lineage_close(&l);
}

static void what_makes_drafts_differ(void **state)
{
    const stage none = {.block = 0};
    const sort  a = of(1, draft(0.9), none, none);
    sort        b = a;
    (void)state;
    b.reject = true;
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
    const sort  a = of(1, draft(0.9), none, none);
    sort        t[] = {a, a};
    lineage     l;
    (void)state;
    t[1].stage[0].policy = POLICY_POSTHOC;
    t[1].stage[0].order = ORDER_LEFT;
    opened(&l, t, 2, false);
    assert_int_equal(l.n, 1);
    const lineage_list second = {t[1].stage, t[1].n, t[1].length, false};
    assert_int_equal(lineage_stage(&second, 0).policy, POLICY_LOWEST);
    assert_int_equal(lineage_stage(&second, 0).order, ORDER_RANDOM);
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
