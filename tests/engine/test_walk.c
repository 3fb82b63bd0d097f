/* A document's way through its stages, and what each of them costs it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "walk.h"

/* One pass of everything the document wants. */
static void pass_once(desk *k, document *d)
{
    turn t;
    batch_begin(&k->batch, walk_model(d));
    int rows = walk_contribute(d, &k->rules, &k->batch, k->rules.rows_max, &t);
    assert_true(rows > 0 && rows == k->batch.pass.n_rows && t.doc == d);
    desk_answer(k);
    walk_apply(&t, &k->batch, &k->rules);
}

/* Walks to the end; returns passes. */
static int walk_all(desk *k, document *d)
{
    int passes = 0;
    for (walk_settle(d, &k->rules); d->finish == FINISH_NONE; passes++) pass_once(k, d);
    for (int i = 0; i < DESK_VOCAB; i++) assert_int_equal(k->rules.counts[i], 0);
    return passes;
}

static document *traced(int length, int prompt)
{
    document *d = desk_document(length, prompt, 31);
    d->traced = true;
    return d;
}

/* One call per token, whatever the block. */
static void calls_of_a_draft(void **state)
{
    (void)state;
    static const int blocks[] = {4, 8, 16};
    for (int i = 0; i < 3; i++) {
        desk      k;
        document *d = desk_document(1024, 0, 1);
        desk_open(&k, 1024, 1024, 1024);
        desk_stage(d, blocks[i], 0, SAMPLER_FHS, 0);
        assert_int_equal(walk_all(&k, d), 1023);
        assert_int_equal(d->cost[0].nfe, 1023);
        assert_int_equal(d->cost[0].commits, 1024 / blocks[i] - 1);
        assert_int_equal(d->cost[0].rescored + d->cost[0].reopened + d->cost[0].changed, 0);
        assert_int_equal(d->finish, FINISH_LENGTH);
        document_close(&d);
        desk_close(&k);
    }
}

/* Everything drawn again with the same blocks: the stage is part of every draw's counter. */
static void redrafting_is_another_draft(void **state)
{
    (void)state;
    desk      k;
    document *d = traced(64, 6);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, 4, 1, SAMPLER_FHS, 0);
    assert_int_equal(document_reserve(d), DID_OK);
    assert_int_equal(walk_all(&k, d), 2 * 57);
    int other = 0, moved = 0;
    for (int i = 0; i < 64; i++) other += d->left[0][i] != d->left[1][i];
    for (int i = 0; i < 57; i++) moved += d->draws[i].position != d->draws[57 + i].position;
    assert_in_range(other, 40, 57);
    assert_in_range(moved, 15, 57);
    assert_int_equal(d->cost[1].changed, other);
    assert_int_equal(d->cost[1].reopened, 57);
    assert_int_equal(d->cost[1].nfe, 57);
    assert_int_equal(d->cost[1].commits, d->cost[0].commits);
    document_close(&d);
    desk_close(&k);
}

static void nothing_reopened_is_nothing_done(void **state)
{
    (void)state;
    desk      k;
    document *d = traced(40, 3);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, 8, 0, SAMPLER_FHS, 0);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 4);
    assert_int_equal(document_reserve(d), DID_OK);
    assert_int_equal(walk_all(&k, d), 36);
    static const cost none = {0};
    for (int s = 1; s < 3; s++) {
        assert_memory_equal(&d->cost[s], &none, sizeof none);
        assert_memory_equal(d->left[s], d->left[0], 40 * sizeof *d->left[0]);
    }
    assert_int_equal(d->n_draws, 36);
    assert_int_equal(d->at, 3);
    document_close(&d);
    desk_close(&k);
}

static void everything_reopened_spares_what_is_given(void **state)
{
    (void)state;
    for (int block = 0; block < 16; block += 8) {
        desk      k;
        document *d = desk_document(40, 3, 2);
        desk_open(&k, 64, 64, 64);
        desk_stage(d, 4, 0, SAMPLER_FHS, 0);
        desk_stage(d, block, 1, SAMPLER_QUOTA, 2);
        walk_settle(d, &k.rules);
        while (d->at == 0) pass_once(&k, d);
        assert_int_equal(d->cost[1].reopened, 36);
        for (int i = 0; i < 40; i++) {
            assert_int_equal(d->masked[i], i > 3);
            assert_int_equal(d->token[i], i > 3 ? DESK_MASK : i > 0 ? 1 : DESK_END);
        }
        walk_all(&k, d);
        assert_int_equal(d->cost[1].nfe, block ? 2 * 5 : 2);
        document_close(&d);
        desk_close(&k);
    }
}

/* What the costs say is what the trace shows. */
static void assert_costs(const document *d)
{
    int at = 0;
    for (int s = 0; s < d->n_stages; s++) {
        int drawn = 0, changed = 0, last = -1;
        for (; at < d->n_draws && d->draws[at].stage == s; at++, drawn++) {
            const draw *x = &d->draws[at];
            assert_true(x->step == last || x->step == last + 1);
            last = x->step;
            assert_int_equal(x->token, d->left[s][x->position]);
            assert_int_equal(x->replaced, s == 0 ? -1 : d->left[s - 1][x->position]);
            assert_false(d->given[x->position]);
        }
        for (int i = 0; s > 0 && i < d->length; i++) changed += d->left[s][i] != d->left[s - 1][i];
        assert_int_equal(d->cost[s].nfe, last + 1);
        assert_int_equal(d->cost[s].changed, changed);
        if (s > 0) assert_int_equal(d->cost[s].reopened, drawn);
    }
    assert_int_equal(at, d->n_draws);
}

/* Four stages, each with its own blocks, sampler, model and policy. */
static void stages_follow_each_other(void **state)
{
    (void)state;
    enum { LENGTH = 96, FREE = 89 };
    desk      k;
    document *d = traced(LENGTH, 6);
    desk_open(&k, LENGTH, 64, LENGTH);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0)->model = 2;
    desk_stage(d, 8, 0.5, SAMPLER_ANCESTRAL, 3)->model = 1;
    desk_stage(d, 32, 0.25, SAMPLER_QUOTA, 3)->policy = POLICY_RANDOM;
    desk_stage(d, STAGE_BLOCK_WHOLE, 0.125, SAMPLER_QUOTA, 4)->policy = POLICY_POSTHOC;
    d->stage[3].model = 3;
    assert_int_equal(document_reserve(d), DID_OK);
    int last = 0, passes = 0;
    for (walk_settle(d, &k.rules); d->finish == FINISH_NONE; passes++) {
        assert_true(d->at == last || d->at == last + 1);
        last = d->at;
        assert_int_equal(walk_model(d), d->stage[d->at].model);
        pass_once(&k, d);
        assert_int_equal(d->slot, 0);
    }
    assert_costs(d);
    static const int reopened[] = {0, 44, 22, 11};
    int              spent = 0;
    for (int s = 0; s < 4; s++) {
        assert_int_equal(d->cost[s].reopened, reopened[s]);
        spent += d->cost[s].nfe + d->cost[s].rescored;
    }
    assert_int_equal(passes, spent); /* every commit rode along */
    assert_int_equal(d->cost[0].nfe, FREE);
    assert_int_equal(d->cost[3].rescored, 2);
    assert_int_equal(d->cost[0].commits, LENGTH / 4 - 1);
    assert_int_equal(d->finish, FINISH_LENGTH);
    document_close(&d);
    desk_close(&k);
}

/* Reopened tokens get new snapshots, the others keep theirs through all stages. */
static void snapshots_stay_with_their_tokens(void **state)
{
    (void)state;
    desk      k;
    document *d = traced(64, 2);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, 16, 0.3, SAMPLER_FHS, 0);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0.3, SAMPLER_QUOTA, 5);
    assert_int_equal(document_reserve(d), DID_OK);
    walk_all(&k, d);
    float newest[64];
    for (int i = 0; i < 64; i++) newest[i] = INFINITY;
    for (int i = 0; i < d->n_draws; i++) newest[d->draws[i].position] = d->draws[i].snapshot;
    for (int i = 0; i < 64; i++) {
        assert_true(d->snapshot[i] == newest[i]);
        assert_true(i < 3 ? isinf(d->snapshot[i]) : d->snapshot[i] > 0 && d->snapshot[i] <= 1);
    }
    document_close(&d);
    desk_close(&k);
}

/* An intermediate stage passes over blocks without masks, but commits them: what is before them has
 * changed. */
static void blocks_without_masks_are_committed(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(64, 0, 7);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, 8, 0.06, SAMPLER_FHS, 0);
    walk_settle(d, &k.rules);
    while (d->at == 0) pass_once(&k, d);
    assert_int_equal(d->committed, 0);
    int last = 63;
    while (!d->masked[last]) last--;
    assert_int_equal(d->cost[1].reopened, 4);
    walk_all(&k, d);
    assert_int_equal(d->cost[1].commits, last / 8);
    document_close(&d);
    desk_close(&k);
}

/* What the model or its cache cannot see at once is not measured as if it could. */
static void long_texts_are_not_measured(void **state)
{
    (void)state;
    static const struct {
        stage_work work;
        int        length;
        bool       good;
    } cases[] = {{WORK_BOUND, 64, true}, {WORK_BOUND, 65, false}, {WORK_SCORE, 200, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        desk      k;
        document *d = desk_document(cases[i].length, cases[i].length - 1, 7);
        desk_open(&k, 256, 64, 256);
        stage *s = desk_stage(d, 4, 0, SAMPLER_FHS, 1);
        s->work = cases[i].work;
        assert_int_equal(document_reserve(d), DID_OK);
        walk_settle(d, &k.rules);
        assert_int_equal(d->finish, cases[i].good ? FINISH_NONE : FINISH_FAILED);
        if (!cases[i].good) assert_non_null(strstr(d->reason, "65 positions are to be measured"));
        document_close(&d);
        desk_close(&k);
    }
}

static void nothing_to_do_needs_no_pass(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(20, 19, 7);
    desk_open(&k, 64, 64, 64);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, STAGE_BLOCK_WHOLE, 1, SAMPLER_QUOTA, 3);
    assert_int_equal(walk_all(&k, d), 0);
    assert_int_equal(d->finish, FINISH_LENGTH);
    document_close(&d);
    desk_close(&k);
}

static answer tell_dull(const ask *a, int position)
{
    answer out = desk_tell(a, position);
    if (position >= 30) out.token = 3;
    return out;
}

static answer tell_end(const ask *a, int position)
{
    answer out = desk_tell(a, position);
    if (position == 37) out.token = DESK_END;
    return out;
}

/* How documents end, and that what follows a cut draft works on what is left of it. */
static void endings(void **state)
{
    (void)state;
    static const struct {
        desk_teller *teller;
        bool         variable, reject;
        int          length;
        finish       finish;
    } cases[] = {{desk_tell, false, false, 80, FINISH_LENGTH},
                 {desk_tell, true, false, 80, FINISH_LENGTH},
                 {tell_end, true, false, 38, FINISH_END},
                 {tell_end, false, false, 80, FINISH_LENGTH},
                 {tell_dull, true, false, 28, FINISH_ENTROPY},
                 {tell_dull, false, true, 80, FINISH_REJECTED},
                 {tell_dull, false, false, 80, FINISH_LENGTH}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        desk      k;
        document *d = desk_document(80, 0, 7);
        desk_open(&k, 80, 80, 80);
        k.teller = cases[i].teller;
        d->variable_length = cases[i].variable;
        d->reject = (reject_rule){cases[i].reject, 16, 1, 2};
        desk_stage(d, 4, 0, SAMPLER_FHS, 0);
        desk_stage(d, STAGE_BLOCK_WHOLE, 0.5, SAMPLER_QUOTA, 3);
        walk_all(&k, d);
        assert_int_equal(d->finish, cases[i].finish);
        assert_int_equal(d->length, cases[i].length);
        bool whole = cases[i].finish != FINISH_REJECTED;
        assert_int_equal(d->at, whole ? 2 : 0);
        if (whole) assert_int_equal(document_masked(d, 0, d->length), 0);
        if (whole) assert_int_equal(d->cost[1].nfe, 3);
        document_close(&d);
        desk_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_a_draft),
        cmocka_unit_test(redrafting_is_another_draft),
        cmocka_unit_test(nothing_reopened_is_nothing_done),
        cmocka_unit_test(everything_reopened_spares_what_is_given),
        cmocka_unit_test(stages_follow_each_other),
        cmocka_unit_test(snapshots_stay_with_their_tokens),
        cmocka_unit_test(blocks_without_masks_are_committed),
        cmocka_unit_test(long_texts_are_not_measured),
        cmocka_unit_test(nothing_to_do_needs_no_pass),
        cmocka_unit_test(endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
