/* Layers shared out over depths change no byte of any document: not with even shares or uneven ones,
 * whatever the number of groups that take turns, alone, in a crowd, or put down and taken up again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "outcome.h"

static comm *world;

enum { DOCS = 9, LENGTH = 48, END = 4095, MASK = 4096, DEPTH_MOST = 3 };

/* Drafts, refinements, measured ones, and documents that end at different times. */
static document *add(feeder *f, int which)
{
    int32_t prompt[16];
    int     n = which * 3 % 14;
    for (int i = 0; i < n; i++) prompt[i] = (which * 131 + i * 17) % 4000;
    document *d = feeder_add(f, 16 + 8 * (which % 5), prompt, n, END, MASK, (uint64_t)which + 3);
    assert_non_null(d);
    d->n_stages = 2;
    d->stage[0] = feeder_stage(8, 0, SAMPLER_QUOTA, 4);
    d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.25, SAMPLER_QUOTA, 3);
    switch (which) {
    case 1: d->n_stages = 1; break;
    case 2: d->stage[1].policy = POLICY_POSTHOC; break;
    case 3: d->stage[1].cache = 2; break;
    case 4:
        d->stage[0] = feeder_stage(4, 0, SAMPLER_FHS, 0);
        d->stage[1].sampler = SAMPLER_ANCESTRAL;
        break;
    case 5:
        d->n_stages = 1;
        d->stage[0] = feeder_stage(STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 5);
        break;
    case 6:
        d->n_stages = 3;
        d->stage[2] = (stage){.work = WORK_BOUND, .block = 8, .steps = 2};
        break;
    case 7: d->stage[0].sampler = SAMPLER_THRESHOLD, d->stage[0].threshold = 0.3; break;
    default: break;
    }
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
    return d;
}

typedef struct way {
    int  tp, depth, groups, in_flight, pass_rows, stop_every;
    bool   bf16, reversed;
    double last; /* what the last layer counts as: other shares of the layers */
} way;

static engine_settings settings_of(const way *w)
{
    engine_settings s = feeder_settings(feeder_model(), w->tp, w->in_flight, LENGTH);
    s.depth = w->depth;
    s.groups = w->groups;
    s.last_layer = w->last;
    s.pass_rows = w->pass_rows;
    s.bf16 = w->bf16;
    s.threads = 1;
    return s;
}

/* Digests of all documents after a run, known to every rank; and what it was signed with. */
static void run_way(const way *w, uint64_t out[DOCS], char signature[512])
{
    feeder          f = {0};
    engine         *e = NULL;
    engine_settings s = settings_of(w);
    int             teams = comm_size(world) / (w->tp * w->depth), place[DOCS];
    for (int i = 0; i < DOCS; i++) {
        int which = w->reversed ? DOCS - 1 - i : i;
        place[which] = i;
        add(&f, which);
    }
    if (engine_open(&e, &s, world) != DID_OK) fail_msg("%s", status_message());
    snprintf(signature, 512, "%s", engine_signature(e));
    outcome_run(&f, e, world, teams, w->stop_every);
    outcome_gather(out, &f, e, world, teams, place, DOCS);
    feeder_clear(&f);
    engine_close(&e);
}

static int layers(void)
{
    geometry g;
    assert_int_equal(geometry_read(&g, feeder_model()), DID_OK);
    return g.n_layers;
}

/* Every width and depth that fill the world. */
static void all_depths(bool bf16)
{
    int size = comm_size(world);
    for (int tp = 1; tp <= 2; tp++) {
        uint64_t flat[DOCS], found[DOCS];
        char     signed_flat[512], signed_deep[512];
        if (size % tp) continue;
        const way one = {tp, 1, 0, 3, 512, 0, bf16, false, 0};
        run_way(&one, flat, signed_flat);
        size_t sent = event_totals(EV_DEPTHS).bytes, joined = event_totals(EV_PARTS).bytes;
        for (int depth = 2; depth <= DEPTH_MOST && depth <= layers(); depth++) {
            if (size % (depth * tp)) continue;
            const way ways[] = {{tp, depth, 0, 9, 512, 0, bf16, false, 0},
                                {tp, depth, 2 * depth + 1, 5, 24, 5, bf16, true, layers()},
                                {tp, depth, 1, 2, 64, 0, bf16, true, 0.1}};
            int n = feeder_slow() ? 2 : 3;
            for (int w = 0; w < n; w++) {
                run_way(&ways[w], found, signed_deep);
                assert_string_equal(signed_flat, signed_deep);
                for (int i = 0; i < DOCS; i++)
                    if (found[i] != flat[i])
                        fail_msg("document %d differs at depth %d, tp %d, %d groups", i, depth, tp,
                                 ways[w].groups);
            }
            assert_true(tp * depth < size || comm_rank(world) >= (depth - 1) * tp ||
                        event_totals(EV_DEPTHS).bytes > sent);
            /* Columns of one host send parts of the rows, and put them together behind the wire. */
            assert_true(tp == 1 || comm_rank(world) / tp % depth == 0 ||
                        event_totals(EV_PARTS).bytes > joined);
        }
    }
}

static void in_f32(void **state)
{
    (void)state;
    all_depths(false);
}

static void in_bf16(void **state)
{
    (void)state;
    all_depths(true);
}

/* Ends one document from outside while its pass is under way at another depth. */
static status end_one(void *context, document *const *docs, int n, const engine_progress *p,
                      bool *stop)
{
    feeder *f = context;
    for (int i = 0; i < n; i++)
        if (docs[i]->serial == 0 && p->passes >= 6 && docs[i]->finish == FINISH_NONE)
            docs[i]->finish = FINISH_FAILED;
    return feeder_passed(f, docs, n, p, stop);
}

static void a_document_ended_under_way_comes_home(void **state)
{
    const way       w = {1, comm_size(world), 0, 4, 512, 0, false, false, 0};
    engine_settings s = settings_of(&w);
    feeder          f = {0};
    engine         *e = NULL;
    (void)state;
    if (w.depth < 2 || w.depth > layers()) return;
    for (int i = 0; i < DOCS; i++) add(&f, i);
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    engine_feed feed = feeder_feed(&f);
    feed.passed = end_one;
    f.stride = 1;
    assert_int_equal(engine_run(e, &feed), DID_OK);
    for (int i = 0; i < DOCS && engine_leads(e); i++)
        assert_int_equal(f.docs[i]->finish, i == 0 ? FINISH_FAILED : FINISH_LENGTH);
    feeder_clear(&f);
    engine_close(&e);
}

/* What a rank holds of a model falls with the depth, and more depths than layers are refused. */
static void memory_falls(void **state)
{
    const way     w = {1, 1, 0, 4, 32, 0, false, false, 0};
    engine_memory flat, deep;
    (void)state;
    engine_settings s = settings_of(&w);
    assert_int_equal(engine_plan(&flat, &s), DID_OK);
    s.depth = 2;
    assert_int_equal(engine_plan(&deep, &s), DID_OK);
    assert_true(deep.weights < flat.weights && deep.cache == flat.cache / 2);
    s.depth = layers() + 1;
    assert_int_equal(engine_plan(&deep, &s), DID_EINVAL);
    assert_non_null(strstr(status_message(), "too few for a depth of"));
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_f32), cmocka_unit_test(in_bf16),
                                       cmocka_unit_test(a_document_ended_under_way_comes_home),
                                       cmocka_unit_test(memory_falls)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
