/* Windows over documents of any length, and post-hoc confidence measured in them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "refine.h"

/* Windows start at multiples of half a window, the last ends where the document ends, and every
 * position is fresh in just one, which holds it. */
static void windows_tile_every_length(void **state)
{
    (void)state;
    for (int size = 1; size <= 33; size++)
        for (int length = 1; length <= 150; length++) {
            int half = size / 2 > 0 ? size / 2 : 1, next = 0, n = 0;
            for (window w = refine_window(length, size, 0); w.len > 0;
                 w = refine_window(length, size, ++n)) {
                int end = w.first + w.len;
                assert_int_equal(w.len, size < length ? size : length);
                assert_in_range(w.first, 0, length - 1);
                assert_int_equal(w.fresh, next);
                assert_in_range(w.fresh, w.first, end - 1);
                assert_true(end == length || w.first == n * half);
                if (end == length) assert_true(w.first <= n * half);
                next = end;
            }
            assert_int_equal(next, length);
            assert_int_equal(refine_window(length, size, n + 5).len, 0);
        }
}

static void every_window_overlaps_the_one_before(void **state)
{
    (void)state;
    static const window want[] = {{0, 8, 0}, {4, 8, 8}, {8, 8, 12}, {11, 8, 16}};
    for (int i = 0; i < 4; i++) {
        window w = refine_window(19, 8, i);
        assert_memory_equal(&w, &want[i], sizeof w);
    }
    assert_int_equal(refine_window(19, 8, 4).len, 0);
}

static document *to_refine(int length, int prompt, sampler how, int steps)
{
    document *d = desk_document(length, prompt, 4);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0.5, how, steps);
    for (int i = prompt + 1; i < length; i++) {
        d->token[i] = i % 90;
        d->snapshot[i] = 0.5f;
        d->masked[i] = false;
    }
    d->at = 1;
    return d;
}

/* One pass: every row of the window there, nothing cached, asks only about what is fresh. */
static int pass_once(desk *k, document *d, int room)
{
    const segment *probe = NULL;
    int            held = 0;
    window         w = refine_window(d->length, k->rules.refine_window[0], d->region);
    batch_begin(&k->batch, 0);
    assert_int_equal(refine_contribute(d, &k->rules, &k->batch, w.len - 1, &held, &probe), 0);
    assert_null(probe);
    assert_int_equal(k->batch.pass.n_segments, 0);
    assert_int_equal(refine_contribute(d, &k->rules, &k->batch, room, &held, &probe), w.len);
    assert_int_equal(k->batch.pass.n_segments, 1);
    assert_int_equal(probe->kind, SEGMENT_PROBE);
    assert_int_equal(probe->first, w.first);
    assert_int_equal(probe->from, w.first);
    assert_int_equal(probe->len, w.len);
    for (int i = 0; i < w.len; i++)
        assert_int_equal(k->batch.pass.token[i], d->token[w.first + i]);
    for (int i = 0; i < probe->n_asks; i++) {
        int position = k->batch.pass.asks[i].position;
        assert_in_range(position, w.fresh, w.first + w.len - 1);
        assert_true(d->masked[position]);
    }
    assert_int_equal(held, 0);
    desk_answer(k);
    return refine_apply(d, probe, &k->batch, &k->rules);
}

/* Windows run in order, each to its end; those without a mask cost nothing; tokens that were not
 * reopened are never touched. */
static void windows_run_in_order(void **state)
{
    (void)state;
    enum { LENGTH = 100 };
    for (int size = 10; size <= 120; size += 11)
        for (int every = 2; every < 60; every += 7) {
            desk      k;
            document *d = to_refine(LENGTH, 2, SAMPLER_QUOTA, 3);
            desk_open(&k, LENGTH, size, LENGTH);
            int reopened = 0, placed = 0, passes = 0, want = 0;
            for (int i = 3; i < LENGTH; i += every, reopened++) {
                d->token[i] = DESK_MASK;
                d->masked[i] = true;
            }
            for (int i = 0;; i++) {
                window w = refine_window(LENGTH, size, i);
                if (w.len == 0) break;
                int n = document_masked(d, w.fresh, w.first + w.len - w.fresh);
                want += n < 3 ? n : 3;
            }
            refine_enter(d, &k.rules);
            for (int last = 0; document_masked(d, 0, LENGTH) > 0; passes++) {
                assert_true(d->region >= last);
                last = d->region;
                placed += pass_once(&k, d, LENGTH);
            }
            assert_int_equal(placed, reopened);
            assert_int_equal(passes, want);
            assert_int_equal(d->cost[1].nfe, want);
            for (int i = 3; i < LENGTH; i++)
                if ((i - 3) % every != 0)
                    assert_true(d->token[i] == i % 90 && d->snapshot[i] == 0.5f);
            document_close(&d);
            desk_close(&k);
        }
}

/* What a pass of a cached stage holds: all of the window every `cache` passes, and between them what
 * was masked then; `lost`: the slot is empty, and the last whole pass comes first, as it was. */
static void assert_cached_pass(desk *k, document *d, const int32_t *then, bool lost)
{
    const segment *probe = NULL;
    const pass    *p = &k->batch.pass;
    window         w = refine_window(d->length, k->rules.refine_window[0], d->region);
    int            end = w.first + w.len, held = lost ? 0 : d->committed, n = 0;
    bool           whole = d->step % d->stage[1].cache == 0;
    batch_begin(&k->batch, 0);
    int rows = refine_contribute(d, &k->rules, &k->batch, 100, &held, &probe);
    assert_int_equal(rows, p->n_rows);
    assert_int_equal(held, end);
    assert_int_equal(p->segments[0].kind, SEGMENT_PATCH);
    assert_int_equal(p->segments[0].slot, d->slot);
    assert_int_equal(p->segments[0].from, w.first);
    assert_int_equal(p->segments[0].to, end);
    assert_int_equal(probe == NULL, lost && !whole);
    for (int i = w.first; i < end; i++) {
        if (!whole && !lost && then[i] != DESK_MASK) continue;
        assert_int_equal(p->position[n], i);
        assert_int_equal(p->token[n++], lost && !whole ? then[i] : d->token[i]);
    }
    assert_int_equal(n, rows);
    if (!probe) return;
    for (int i = 0; i < probe->n_asks; i++) {
        assert_int_equal(p->position[p->asks[i].row], p->asks[i].position);
        assert_true(d->masked[p->asks[i].position]);
    }
}

/* A cached stage, now and then losing its slot, over one window and over several. */
static void cached_passes_are_as_promised(void **state)
{
    (void)state;
    enum { LENGTH = 100 };
    for (int size = 40; size <= 120; size += 40)
        for (int every = 1; every <= 4; every++) {
            desk      k;
            document *d = to_refine(LENGTH, 2, SAMPLER_QUOTA, 9);
            int32_t   then[LENGTH];
            int       seen = -1;
            desk_open(&k, LENGTH, size, LENGTH);
            d->stage[1].cache = every;
            for (int i = 3; i < LENGTH; i += 3) {
                d->token[i] = DESK_MASK;
                d->masked[i] = true;
            }
            assert_true(refine_fits(d, &k.rules));
            refine_enter(d, &k.rules);
            for (int passes = 0; document_masked(d, 0, LENGTH) > 0; passes++) {
                if (d->step % every == 0) memcpy(then, d->token, sizeof then);
                if (passes % 5 == 3) d->committed = 0;
                bool empty = d->committed == 0 && d->step % every != 0;
                if (empty) assert_cached_pass(&k, d, then, true);
                d->committed = refine_window(LENGTH, size, d->region).first +
                               refine_window(LENGTH, size, d->region).len;
                assert_cached_pass(&k, d, then, false);
                desk_answer(&k);
                assert_true(refine_apply(d, k.batch.pass.segments, &k.batch, &k.rules) > 0);
                assert_true(d->region >= seen);
                seen = d->region;
            }
            document_close(&d);
            desk_close(&k);
        }
}

/* A window that the slot cannot hold is refused, not written over itself. */
static void windows_beyond_the_ring_are_refused(void **state)
{
    (void)state;
    desk      k;
    document *d = to_refine(4000, 2, SAMPLER_QUOTA, 2);
    desk_open(&k, 4000, 64, 4000);
    d->stage[1].cache = 2;
    assert_true(refine_fits(d, &k.rules));
    k.rules.refine_window[0] = 4000;
    assert_false(refine_fits(d, &k.rules));
    assert_int_equal(d->finish, FINISH_FAILED);
    assert_non_null(strstr(d->reason, "a window of 4000 positions is to be cached"));
    document_close(&d);
    desk_close(&k);
}

/* A whole-document draft is filtered like one in blocks, when its last window is done. */
static void whole_drafts_are_filtered(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(40, 0, 6);
    desk_open(&k, 40, 16, 40);
    desk_stage(d, STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 1);
    d->reject = (reject_rule){.on = true, .window = 30, .nats = 3.3, .restarts = 1};
    for (int i = 1; i < 12; i++) {
        d->token[i] = 5;
        d->masked[i] = false;
    }
    refine_enter(d, &k.rules);
    while (d->finish == FINISH_NONE && d->attempt == 0) pass_once(&k, d, 40);
    assert_int_equal(d->attempt, 1);
    assert_int_equal(document_masked(d, 0, 40), 39);
    assert_int_equal(d->rejected_nfe, 4);
    document_close(&d);
    desk_close(&k);
}

static void rescore_once(desk *k, document *d, int *asked)
{
    const segment *probe = NULL;
    window         w = refine_window(d->length, k->rules.refine_window[0], d->region);
    batch_begin(&k->batch, 0);
    assert_int_equal(refine_rescore_contribute(d, &k->rules, &k->batch, w.len - 1, &probe), 0);
    assert_int_equal(refine_rescore_contribute(d, &k->rules, &k->batch, 100, &probe), w.len);
    for (int i = 0; i < probe->n_asks; i++) {
        const ask *a = &k->batch.pass.asks[i];
        int        position = a->position;
        assert_int_equal(a->kind, ASK_SCORE);
        assert_int_equal(a->token, d->token[position]);
        asked[position]++;
    }
    desk_answer(k);
    refine_rescore_apply(d, probe, &k->batch);
}

/* Post-hoc confidence: every free position once, given ones never, no token changed. */
static void rescoring_covers_all(void **state)
{
    (void)state;
    enum { LENGTH = 100 };
    for (int size = 7; size <= 120; size += 13) {
        desk      k;
        document *d = to_refine(LENGTH, 30, SAMPLER_FHS, 0);
        int       asked[LENGTH] = {0}, windows = 0;
        desk_open(&k, LENGTH, size, LENGTH);
        assert_false(refine_rescoring(d, &k.rules));
        d->stage[1].policy = POLICY_POSTHOC;
        d->given[77] = true;
        d->snapshot[77] = INFINITY;
        while (refine_window(LENGTH, size, windows).len > 0) windows++;
        while (refine_rescoring(d, &k.rules)) rescore_once(&k, d, asked);
        assert_int_equal(d->cost[1].rescored, windows);
        assert_int_equal(d->cost[1].nfe, 0);
        for (int i = 0; i < LENGTH; i++) {
            assert_int_equal(asked[i], !d->given[i]);
            if (d->given[i]) assert_true(isinf(d->snapshot[i]));
            if (d->given[i]) continue;
            assert_int_equal(d->token[i], i % 90);
            ask a = {.kind = ASK_SCORE, .token = i % 90};
            assert_true(d->snapshot[i] == desk_tell(&a, i).raw);
        }
        document_close(&d);
        desk_close(&k);
    }
}

static void drafts_are_never_rescored(void **state)
{
    (void)state;
    desk      k;
    document *d = desk_document(20, 0, 1);
    desk_open(&k, 20, 20, 20);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0)->policy = POLICY_POSTHOC;
    assert_false(refine_rescoring(d, &k.rules));
    document_close(&d);
    desk_close(&k);
}

static answer tell_nonsense(const ask *a, int position)
{
    answer out = desk_tell(a, position);
    out.finite = position != 13;
    return out;
}

/* A measurement that is no number ends the document; it does not pass for a low confidence. */
static void nonsense_is_not_a_confidence(void **state)
{
    (void)state;
    desk      k;
    document *d = to_refine(40, 3, SAMPLER_FHS, 0);
    int       asked[40] = {0};
    desk_open(&k, 40, 40, 40);
    k.teller = tell_nonsense;
    d->stage[1].policy = POLICY_POSTHOC;
    rescore_once(&k, d, asked);
    assert_int_equal(d->finish, FINISH_FAILED);
    assert_non_null(strstr(d->reason, "position 13"));
    for (int i = 4; i < 40; i++) assert_true(d->snapshot[i] == 0.5f);
    document_close(&d);
    desk_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_tile_every_length),
        cmocka_unit_test(every_window_overlaps_the_one_before),
        cmocka_unit_test(windows_run_in_order),
        cmocka_unit_test(cached_passes_are_as_promised),
        cmocka_unit_test(windows_beyond_the_ring_are_refused),
        cmocka_unit_test(whole_drafts_are_filtered),
        cmocka_unit_test(rescoring_covers_all),
        cmocka_unit_test(drafts_are_never_rescored),
        cmocka_unit_test(nonsense_is_not_a_confidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
