/* The promises a careless engine breaks without anybody noticing: what must differ, what must not,
 * what is never used again, and what is never touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "feeder.h"
#include "net/made_up.h"
#include "net/rig.h"

static comm *world;
static char  dir[MADE_UP_PATH];

/* A window of 32 positions, so that documents of 96 slide. */
enum { WINDOW = 32, SHORT = 32, LONG = 96, MASK = 130, END = 3 };

static document *add(feeder *f, int length, int prompt, uint64_t key)
{
    int32_t ids[LONG];
    for (int i = 0; i < prompt; i++) ids[i] = 5 + i * 3 % 90;
    document *d = feeder_add(f, length, ids, prompt, END, MASK, key);
    assert_non_null(d);
    d->n_stages = 1;
    d->stage[0] = feeder_stage(4, 0, SAMPLER_FHS, 0);
    d->traced = true;
    return d;
}

/* Add a stage to the newest document. */
static stage *then(document *d, int block, double remask)
{
    d->stage[d->n_stages] = feeder_stage(block, remask, SAMPLER_QUOTA, 6);
    return &d->stage[d->n_stages++];
}

static engine_settings settings_for(int length)
{
    engine_settings s = feeder_settings(dir, comm_size(world), 4, length);
    s.end_id = END;
    s.pass_rows = 100;
    return s;
}

/* Run all documents over all ranks, putting them down and taking them up again after `stop` passes
 * (0: never). Only the leader then has something to look at. */
static bool run_with(feeder *f, const engine_settings *s, const int *stops, int n_stops)
{
    engine *e = NULL;
    if (engine_open(&e, s, world) != DID_OK) fail_msg("%s", status_message());
    for (int i = 0; i < f->n; i++) assert_int_equal(document_reserve(f->docs[i]), DID_OK);
    for (int i = 0; i <= n_stops; i++) {
        f->passes = 0;
        f->stop_after = i < n_stops ? stops[i] : 0;
        assert_int_equal(feeder_run(f, e, 1), DID_OK);
    }
    bool leads = engine_leads(e);
    engine_close(&e);
    return leads;
}

static bool run(feeder *f, int length)
{
    engine_settings s = settings_for(length);
    return run_with(f, &s, NULL, 0);
}

static bool same(const document *a, const document *b)
{
    size_t n = (size_t)a->length;
    return a->length == b->length && memcmp(a->token, b->token, n * sizeof *a->token) == 0 &&
           memcmp(a->snapshot, b->snapshot, n * sizeof *a->snapshot) == 0;
}

/* ---- what must differ ---- */

/* A second stage with the same blocks that draws everything again is another draft. */
static void stages_draw_their_own(void **state)
{
    (void)state;
    feeder f = {0};
    then(add(&f, SHORT, 3, 1), 4, 1)->sampler = SAMPLER_FHS;
    if (run(&f, SHORT)) {
        const document *d = f.docs[0];
        int             other = 0;
        for (int i = 4; i < SHORT; i++) other += d->left[0][i] != d->left[1][i];
        assert_true(other > 8);
        assert_int_equal(d->cost[1].changed, other);
    }
    feeder_clear(&f);
}

/* The same prompt under two keys, in both orders. */
static void keys_matter_and_order_does_not(void **state)
{
    (void)state;
    feeder f[2];
    memset(f, 0, sizeof f);
    for (int turned = 0; turned < 2; turned++)
        for (int i = 0; i < 3; i++)
            then(add(&f[turned], SHORT, 8, 70 + (uint64_t)(turned ? 2 - i : i)), STAGE_BLOCK_WHOLE,
                 0.25);
    bool leads = run(&f[0], SHORT);
    run(&f[1], SHORT);
    for (int i = 0; leads && i < 3; i++) {
        assert_true(same(f[0].docs[i], f[1].docs[2 - i]));
        assert_false(same(f[0].docs[i], f[0].docs[(i + 1) % 3]));
    }
    feeder_clear(&f[0]);
    feeder_clear(&f[1]);
}

/* A rejection is another attempt with other draws; being put down is none. */
static void rejections_differ_and_resumes_do_not(void **state)
{
    (void)state;
    static const int stops[] = {1, 7, 13, 2};
    enum { PLAIN, REJECTED, RESUMED, WAYS };
    feeder f[WAYS];
    memset(f, 0, sizeof f);
    bool leads = false;
    for (int way = 0; way < WAYS; way++) {
        engine_settings s = settings_for(SHORT);
        document       *d = add(&f[way], SHORT, 2, 9);
        /* Nothing passes this filter, so the second attempt is the last. */
        if (way > PLAIN)
            d->reject = (reject_rule){.on = true, .window = 20, .nats = 100, .restarts = 1};
        leads = run_with(&f[way], &s, stops, way == RESUMED ? 4 : 0);
    }
    if (leads) {
        const document *plain = f[PLAIN].docs[0], *rejected = f[REJECTED].docs[0];
        const document *resumed = f[RESUMED].docs[0];
        assert_int_equal(plain->attempt, 0);
        assert_int_equal(plain->finish, FINISH_LENGTH);
        assert_int_equal(rejected->finish, FINISH_REJECTED);
        assert_int_equal(rejected->attempt, 1);
        assert_int_equal(rejected->rejected_nfe, 21); /* blocks of 4, up to position 24 */
        int other = 0;
        for (int i = 3; i < 24; i++) other += rejected->token[i] != plain->token[i];
        assert_true(other > 5);
        assert_true(same(rejected, resumed));
        assert_int_equal(resumed->attempt, 1);
    }
    for (int way = 0; way < WAYS; way++) feeder_clear(&f[way]);
}

/* ---- what must not differ ---- */

/* A document beyond the window, put down a few passes before its end: what was committed long ago
 * and has left the window still shapes the states that are in it. */
static void sliding_documents_resume(void **state)
{
    (void)state;
    static const int stops[] = {43, 3, 2};
    feeder           f[2];
    memset(f, 0, sizeof f);
    bool leads = false;
    for (int disturbed = 0; disturbed < 2; disturbed++) {
        engine_settings s = settings_for(LONG);
        then(add(&f[disturbed], LONG, 48, 33), STAGE_BLOCK_WHOLE, 0.3);
        leads = run_with(&f[disturbed], &s, stops, disturbed ? 3 : 0);
    }
    if (leads) {
        const document *a = f[0].docs[0], *b = f[1].docs[0];
        assert_true(same(a, b));
        assert_memory_equal(a->cost, b->cost, sizeof a->cost);
        assert_int_equal(a->n_draws, b->n_draws);
        assert_memory_equal(a->left[0], b->left[0], LONG * sizeof *a->left[0]);
        for (int i = 0; i < a->n_draws; i++)
            assert_true(a->draws[i].snapshot == b->draws[i].snapshot);
    }
    feeder_clear(&f[0]);
    feeder_clear(&f[1]);
}

/* A commit that rides with a probe and one that runs alone leave the same keys: every later block
 * says so, in all its bits. */
static void commits_are_the_same_fused(void **state)
{
    (void)state;
    feeder f[2];
    memset(f, 0, sizeof f);
    bool leads = false;
    for (int separate = 0; separate < 2; separate++) {
        engine_settings s = settings_for(LONG);
        s.fused_commit = !separate;
        then(add(&f[separate], LONG, 61, 12), 8, 0.4);
        leads = run_with(&f[separate], &s, NULL, 0);
    }
    if (leads) {
        assert_true(same(f[0].docs[0], f[1].docs[0]));
        assert_memory_equal(f[0].docs[0]->cost, f[1].docs[0]->cost, sizeof f[0].docs[0]->cost);
        assert_true(f[0].passes < f[1].passes);
    }
    feeder_clear(&f[0]);
    feeder_clear(&f[1]);
}

/* A cache that is refreshed in every pass changes nothing; one that is not saves rows, and keeps its
 * promise to documents that are put down. */
static void caches_are_exact_or_cheaper(void **state)
{
    (void)state;
    static const int stops[] = {33, 2, 1, 1};
    enum { EXACT, EVERY_PASS, APART, RESUMED, WAYS };
    feeder f[WAYS];
    memset(f, 0, sizeof f);
    bool leads = false;
    for (int way = 0; way < WAYS; way++) {
        static const int every[WAYS] = {0, 1, 3, 3};
        engine_settings  s = settings_for(LONG);
        for (int i = 0; i < 3; i++) {
            document *d = add(&f[way], i == 2 ? LONG : SHORT, 5 * i, 61 + (uint64_t)i);
            d->stage[0] = feeder_stage(4, 0, SAMPLER_QUOTA, 2);
            stage *last = then(d, STAGE_BLOCK_WHOLE, 0.5);
            last->cache = every[way];
            last->steps = 7;
        }
        leads = run_with(&f[way], &s, stops, way == RESUMED ? 4 : 0);
    }
    for (int i = 0; leads && i < 3; i++) {
        const document *exact = f[EXACT].docs[i], *apart = f[APART].docs[i];
        assert_true(same(exact, f[EVERY_PASS].docs[i]));
        assert_memory_equal(exact->cost, f[EVERY_PASS].docs[i]->cost, sizeof exact->cost);
        assert_memory_equal(exact->left[0], apart->left[0], SHORT * sizeof *exact->left[0]);
        assert_true(same(apart, f[RESUMED].docs[i]));
        assert_memory_equal(apart->cost, f[RESUMED].docs[i]->cost, sizeof apart->cost);
        assert_int_equal(apart->cost[1].nfe, exact->cost[1].nfe);
        assert_true(apart->cost[1].rows < exact->cost[1].rows);
        int other = 0;
        for (int j = 0; j < exact->n_draws; j++)
            other += exact->draws[j].snapshot != apart->draws[j].snapshot;
        assert_true(other > 0); /* it is an approximation */
    }
    for (int way = 0; way < WAYS; way++) feeder_clear(&f[way]);
}

/* Logits of block 2 after blocks 0 and 1; `poisoned`: with probes of other texts all over the slot
 * in between. */
static void third_block(rig *r, bool poisoned, float *logits)
{
    int32_t token[16], poison[40];
    for (int i = 0; i < 16; i++) token[i] = i < 8 ? 20 + i : MASK;
    for (int i = 0; i < 40; i++) poison[i] = 120 - i;
    rig_commit(r, 0, token, 0, 4, 0);
    if (poisoned) rig_probe(r, 0, poison, 4, 4, 0);
    assert_int_equal(rig_logits(r, logits), DID_OK);
    rig_commit(r, 0, token + 4, 4, 4, 0);
    if (poisoned) {
        rig_probe(r, 0, poison, 4, 4, 0);
        rig_probe(r, 0, poison, 0, 8, 0);
        rig_probe(r, 0, poison, 8, 40, 0);
    }
    assert_int_equal(rig_logits(r, logits), DID_OK);
    rig_probe(r, 0, token + 8, 8, 4, 0);
    assert_int_equal(rig_logits(r, logits), DID_OK);
}

/* Keys of a noisy block are forgotten with its pass. */
static void noise_is_forgotten(void **state)
{
    (void)state;
    rig    r;
    float *x[2];
    if (rig_open(&r, dir, world, comm_size(world), 64, WINDOW, true, NULL) != DID_OK)
        fail_msg("%s", status_message());
    size_t most = 52 * (size_t)made_up_small.vocab;
    for (int poisoned = 0; poisoned < 2; poisoned++) {
        x[poisoned] = calloc(most, sizeof *x[0]);
        third_block(&r, poisoned, x[poisoned]);
    }
    assert_memory_equal(x[0], x[1], 4 * (size_t)made_up_small.vocab * sizeof *x[0]);
    free(x[0]);
    free(x[1]);
    rig_close(&r);
}

/* ---- what is never touched ---- */

static void assert_touched(const document *d, int prompt)
{
    float drafted[SHORT];
    bool  reopened[SHORT] = {false};
    for (int i = 0; i < SHORT; i++) drafted[i] = INFINITY;
    for (int i = 0; i < d->n_draws; i++) {
        const draw *x = &d->draws[i];
        assert_true(x->snapshot > 0 && x->snapshot <= 1);
        if (x->stage == 0) drafted[x->position] = x->snapshot;
        else reopened[x->position] = true;
    }
    for (int i = 0; i < SHORT; i++) {
        assert_int_equal(isinf(drafted[i]) != 0, i <= prompt);
        if (reopened[i]) continue;
        assert_int_equal(d->left[1][i], d->left[0][i]);
        assert_true(d->snapshot[i] == drafted[i]);
        for (int j = 0; j < SHORT && d->stage[1].policy == POLICY_LOWEST; j++)
            if (reopened[j]) assert_true(drafted[j] <= drafted[i]);
    }
}

/* After a draft every token that was not given has a confidence in (0, 1]; after refinement those
 * that were not reopened have their old one, and their old token. */
static void refinement_touches_what_it_reopened(void **state)
{
    (void)state;
    feeder f = {0};
    for (int i = 0; i < 4; i++) {
        document *d = add(&f, SHORT, i * 5, 50 + (uint64_t)i);
        stage    *s = then(d, i % 2 ? STAGE_BLOCK_WHOLE : 16, 0.3);
        s->policy = i == 3 ? POLICY_RANDOM : POLICY_LOWEST;
        s->confidence = d->stage[0].confidence = i == 2 ? CONFIDENCE_NUCLEUS : CONFIDENCE_RAW;
    }
    bool leads = run(&f, SHORT);
    for (int i = 0; i < 4 && leads; i++) assert_touched(f.docs[i], 5 * i);
    feeder_clear(&f);
}

static void everything_or_nothing(void **state)
{
    (void)state;
    feeder f = {0};
    then(add(&f, SHORT, 0, 6), STAGE_BLOCK_WHOLE, 1);
    then(add(&f, SHORT, 0, 6), STAGE_BLOCK_WHOLE, 0);
    if (run(&f, SHORT)) {
        const document *all = f.docs[0], *none = f.docs[1];
        bool            drawn[SHORT] = {false};
        for (int i = SHORT - 1; i < all->n_draws; i++) drawn[all->draws[i].position] = true;
        for (int i = 0; i < SHORT; i++) assert_int_equal(drawn[i], i > 0);
        assert_int_equal(all->cost[1].reopened, SHORT - 1);
        assert_int_equal(all->token[0], END);
        assert_int_equal(none->cost[1].nfe + none->cost[1].reopened + none->cost[1].changed, 0);
        assert_int_equal(none->n_draws, SHORT - 1);
        assert_memory_equal(all->left[0], none->left[1], SHORT * sizeof *all->left[0]);
    }
    feeder_clear(&f);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up m = made_up_small;
    m.length = WINDOW;
    made_up_open_all(dir, &m, world);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_draw_their_own),
        cmocka_unit_test(keys_matter_and_order_does_not),
        cmocka_unit_test(rejections_differ_and_resumes_do_not),
        cmocka_unit_test(sliding_documents_resume),
        cmocka_unit_test(commits_are_the_same_fused),
        cmocka_unit_test(caches_are_exact_or_cheaper),
        cmocka_unit_test(noise_is_forgotten),
        cmocka_unit_test(refinement_touches_what_it_reopened),
        cmocka_unit_test(everything_or_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(dir, world);
    comm_stop(&world);
    return failed;
}
