/* Rows that span long documents change nothing but time and memory: the bytes of drafts, of refinements
 * in one window or several, rescored, cached or measured, in any company, are those of rows apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/made_up.h"
#include "outcome.h"

static comm *world;
static char  small[MADE_UP_PATH];

enum { DOCS = 9, LENGTH = 420, WINDOW = 300, END = 3, MASK = 130 };

/* Long and short ones; what each stage of them is. */
static document *add(feeder *f, int which)
{
    static const int lengths[DOCS] = {420, 30, 301, 129, 64, 420, 260, 100, 384};
    int32_t          prompt[20];
    int              n = which * 3 % 14;
    for (int i = 0; i < n; i++) prompt[i] = (which * 31 + i * 17) % MASK;
    document *d = feeder_add(f, lengths[which], prompt, n, END, MASK, (uint64_t)which + 5);
    assert_non_null(d);
    d->n_stages = 2;
    d->stage[0] = feeder_stage(30, 0, SAMPLER_QUOTA, 2);
    d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.3, SAMPLER_QUOTA, 3);
    switch (which) {
    case 1: d->n_stages = 1; break;
    case 2: d->stage[1].policy = POLICY_POSTHOC; break;
    case 3:
        d->n_stages = 1;
        d->stage[0] = feeder_stage(STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 5);
        break;
    case 4:
        d->stage[1].cache = 2;
        break;
    case 5:
        d->n_stages = 3;
        d->stage[2] = d->stage[1];
        d->stage[2].order = ORDER_CONFIDENT;
        d->stage[1] = feeder_stage(64, 0.5, SAMPLER_QUOTA, 2);
        break;
    case 6:
        d->stage[1].sampler = SAMPLER_ANCESTRAL;
        d->stage[1].steps = 4;
        break;
    case 7:
        d->n_stages = 3;
        d->stage[2] = (stage){.work = WORK_BOUND, .block = 16, .steps = 2};
        break;
    default: break;
    }
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
    return d;
}

typedef struct way {
    int  tp, span, in_flight, pass_rows, stop_every;
    bool bf16, reversed;
} way;

static engine_settings settings_of(const way *w)
{
    engine_settings s = feeder_settings(small, w->tp, w->in_flight, LENGTH);
    s.span = w->span;
    s.pass_rows = w->pass_rows;
    s.refine_window = WINDOW;
    s.end_id = END;
    s.bf16 = w->bf16;
    return s;
}

/* Digests of all documents after a run, known to every rank. */
static void run_way(const way *w, uint64_t out[DOCS])
{
    feeder          f = {0};
    engine         *e = NULL;
    engine_settings s = settings_of(w);
    int             teams = comm_size(world) / (w->tp * w->span), place[DOCS];
    for (int i = 0; i < DOCS; i++) {
        int which = w->reversed ? DOCS - 1 - i : i;
        place[which] = i;
        add(&f, which);
    }
    if (engine_open(&e, &s, world) != DID_OK) fail_msg("%s", status_message());
    assert_null(strstr(engine_signature(e), "span"));
    outcome_run(&f, e, world, teams, w->stop_every);
    outcome_gather(out, &f, e, world, teams, place, DOCS);
    feeder_clear(&f);
    engine_close(&e);
}

static void assert_same(const way *w, const uint64_t expected[DOCS])
{
    uint64_t found[DOCS];
    run_way(w, found);
    for (int i = 0; i < DOCS; i++)
        if (found[i] != expected[i])
            fail_msg("document %d differs with span %d, tp %d, %d in flight, passes of %d", i,
                     w->span, w->tp, w->in_flight, w->pass_rows);
}

/* Every width that fits the world, every span of that width's rows. */
static void all_spans(bool bf16)
{
    int size = comm_size(world);
    for (int tp = 1; tp <= 2; tp++) {
        uint64_t apart[DOCS];
        if (size % tp) continue;
        const way rows_apart = {tp, 1, 3, 512, 0, bf16, false};
        run_way(&rows_apart, apart);
        size_t together = event_totals(EV_KEYS).bytes;
        for (int span = 2; span * tp <= size; span++) {
            if (size % (span * tp)) continue;
            const way ways[] = {{tp, span, 2, 320, 0, bf16, false},
                                {tp, span, 9, 700, 0, bf16, true},
                                {tp, span, 1, 320, 9, bf16, false}};
            int n = feeder_slow() || bf16 ? 1 : 3;
            for (int i = 0; i < n; i++) assert_same(&ways[i], apart);
            assert_true(event_totals(EV_KEYS).bytes > together);
        }
    }
}

static void in_f32(void **state)
{
    (void)state;
    all_spans(false);
}

static void in_bf16(void **state)
{
    (void)state;
    all_spans(true);
}

/* What a row holds for a long refinement falls with the rows that share it. */
static void memory_falls(void **state)
{
    const way     w = {1, 1, 1, 32, 0, false, false};
    engine_memory held[5];
    (void)state;
    for (int span = 1; span <= 4; span++) {
        engine_settings s = settings_of(&w);
        s.span = span;
        s.length_max = s.refine_window = 8192;
        assert_int_equal(engine_plan(&held[span], &s), DID_OK);
        assert_true(held[span].weights == held[1].weights && held[span].cache == held[1].cache);
        if (span == 1) continue;
        double share = (double)held[span].workspace / (double)held[1].workspace;
        assert_true(held[span].workspace < held[span - 1].workspace);
        assert_true(share < 1.0 / span + 0.2);
    }
}

/* What only a row alone can evaluate is refused where it has no room for it, with the reason. */
static void refuses_what_no_row_can_hold(void **state)
{
    const way w = {1, comm_size(world), 2, 64, 0, false, false};
    (void)state;
    if (w.span == 1) return;
    feeder          f = {0};
    engine         *e = NULL;
    engine_settings s = settings_of(&w);
    add(&f, 0)->stage[1].cache = 3;
    add(&f, 0)->stage[1] = feeder_stage(419, 0.3, SAMPLER_QUOTA, 2);
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    assert_int_equal(feeder_run(&f, e, 1), DID_OK);
    for (int i = 0; i < f.n && engine_leads(e); i++) {
        assert_int_equal(f.docs[i]->finish, FINISH_FAILED);
        assert_non_null(strstr(f.docs[i]->reason, "by one row of ranks"));
    }
    feeder_clear(&f);
    engine_close(&e);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up_open_all(small, &made_up_small, world);
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_f32), cmocka_unit_test(in_bf16),
                                       cmocka_unit_test(memory_falls),
                                       cmocka_unit_test(refuses_what_no_row_can_hold)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(small, world);
    comm_stop(&world);
    return failed;
}
