/* The front door: what it refuses, on all ranks alike; what it plans and holds; what two weight
 * handles, a failing feed and other widths do to a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "feeder.h"
#include "net/made_up.h"

static comm *world;
static char  odd[MADE_UP_PATH], small[MADE_UP_PATH], other[MADE_UP_PATH], toy[MADE_UP_PATH];

enum { LENGTH = 24 };

static engine_settings settings_of(const char *dir, const made_up *m, int tp)
{
    engine_settings s = feeder_settings(dir, tp, 3, LENGTH);
    s.end_id = m->end;
    s.pass_rows = 64;
    return s;
}

/* The same failure on every rank, and nothing left open. */
static void assert_refused(const engine_settings *s, status expected, const char *says)
{
    engine *e = NULL;
    char    mine[256] = "", all[64 * sizeof mine];
    status  found = engine_open(&e, s, world);
    if (found != expected) fail_msg("%s: %s", status_text(found), status_message());
    assert_null(e);
    const char *sentence = status_message(), *prefix = strstr(sentence, ": ");
    if (!strstr(sentence, says)) fail_msg("'%s' does not say '%s'", sentence, says);
    if (strncmp(sentence, "rank ", 5) == 0 && prefix) sentence = prefix + 2;
    snprintf(mine, sizeof mine, "%s", sentence);
    assert_int_equal(comm_gather(world, all, mine, sizeof mine, EV_BENCH), DID_OK);
    for (int r = 1; r < comm_size(world); r++)
        assert_string_equal(all, all + (size_t)r * sizeof mine);
}

static void refuses_too_many_ranks(void **state)
{
    (void)state;
    engine_settings s = settings_of(toy, &made_up_toy, comm_size(world));
    if (comm_size(world) > made_up_toy.heads) assert_refused(&s, DID_EINVAL, "has 2 heads");
    s = settings_of(odd, &made_up_odd, comm_size(world));
    s.model[1] = toy;
    s.n_models = 2;
    assert_refused(&s, DID_EFORMAT, toy);
}

static void refuses_other_vocabularies(void **state)
{
    (void)state;
    engine_settings s = settings_of(small, &made_up_small, 1);
    s.model[1] = odd;
    s.n_models = 2;
    assert_refused(&s, DID_EFORMAT, "vocabulary 1003 and mask id 1002, expected 131 and 130");
}

static void refuses_unknown_kernels(void **state)
{
    (void)state;
    engine_settings s = settings_of(small, &made_up_small, 1);
    s.kernels = "abacus";
    assert_refused(&s, DID_EINVAL, "abacus");
}

static void refuses_a_missing_model(void **state)
{
    (void)state;
    engine_settings s = settings_of("/nonexistent/model", &made_up_small, 1);
    engine_memory   m;
    assert_refused(&s, DID_EIO, "/nonexistent/model");
    assert_int_equal(engine_plan(&m, &s), DID_EIO);
}

/* Broken on the last rank only: everybody learns of it. */
static void refuses_what_one_rank_cannot_read(void **state)
{
    (void)state;
    char         dir[MADE_UP_PATH];
    made_up_list l;
    made_up_open(dir, &made_up_small);
    made_up_tensors(&l, &made_up_small);
    l.of[3] = l.of[--l.n];
    if (comm_rank(world) == comm_size(world) - 1) made_up_save(dir, &l, 1);
    engine_settings s = settings_of(dir, &made_up_small, comm_size(world));
    assert_refused(&s, DID_EFORMAT, "backbone.output_layer.linear.bias is missing");
    made_up_close(dir);
}

/* What is planned before loading is what the first rank of a row holds; nobody holds more. */
static void plans_what_it_holds(void **state)
{
    (void)state;
    for (int models = 1; models <= 2; models++) {
        engine         *e = NULL;
        engine_memory   plan;
        engine_settings s = settings_of(small, &made_up_small, comm_size(world));
        s.model[1] = other;
        s.n_models = models;
        assert_int_equal(engine_plan(&plan, &s), DID_OK);
        assert_int_equal(engine_open(&e, &s, world), DID_OK);
        engine_memory held = engine_bytes(e);
        if (engine_leads(e)) assert_memory_equal(&held, &plan, sizeof plan);
        assert_true(held.weights <= plan.weights && held.embedding <= plan.embedding);
        assert_true(held.cache <= plan.cache && held.workspace <= plan.workspace);
        assert_int_equal(held.wire, plan.wire);
        assert_int_equal(held.total, held.weights + held.embedding + held.cache + held.workspace +
                                         held.wire);
        assert_int_equal(held.wire > 0, comm_size(world) > 1);
        engine_close(&e);
    }
}

/* More documents, longer ones and more rows cost more, and only where they should. */
static void plans_grow(void **state)
{
    (void)state;
    engine_memory   one, more;
    engine_settings s = settings_of(small, &made_up_small, 1);
    assert_int_equal(engine_plan(&one, &s), DID_OK);
    s.documents *= 2;
    assert_int_equal(engine_plan(&more, &s), DID_OK);
    assert_int_equal(more.cache, 2 * one.cache);
    assert_true(more.weights == one.weights && more.workspace == one.workspace);
    s.pass_rows *= 2;
    assert_int_equal(engine_plan(&more, &s), DID_OK);
    assert_true(more.workspace > one.workspace);
    s.length_max = 128; /* more than a tile */
    assert_int_equal(engine_plan(&one, &s), DID_OK);
    assert_true(one.cache > more.cache && one.weights == more.weights);
}

static void signs_what_bytes_depend_on(void **state)
{
    (void)state;
    char seen[5][512];
    for (int i = 0; i < 5; i++) {
        engine         *e = NULL;
        engine_settings s = settings_of(i == 1 ? other : small, &made_up_small, 1);
        s.folded = i != 2;
        s.kernels = i == 3 ? "ref" : i == 4 ? "blas" : NULL;
        assert_int_equal(engine_open(&e, &s, world), DID_OK);
        snprintf(seen[i], sizeof seen[i], "%s", engine_signature(e));
        char hash[20], all[64 * 512];
        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)engine_model_hash(e, 0));
        assert_non_null(strstr(seen[i], hash));
        assert_non_null(strstr(seen[i], "tp=1"));
        assert_int_equal(engine_geometry(e, 0)->vocab, made_up_small.vocab);
        assert_int_equal(engine_row(e), comm_rank(world));
        assert_int_equal(comm_gather(world, all, seen[i], sizeof seen[i], EV_BENCH), DID_OK);
        for (int r = 0; r < comm_size(world); r++) assert_string_equal(all + r * 512, seen[i]);
        for (int j = 0; j < i; j++) assert_string_not_equal(seen[i], seen[j]);
        engine_close(&e);
    }
}

/* ---- runs ---- */

static document *add(feeder *f, const made_up *m, int prompt, int draft, int refine)
{
    int32_t   ids[LENGTH];
    document *d;
    for (int i = 0; i < prompt; i++) ids[i] = (i * 7 + prompt) % (m->vocab - 1);
    d = feeder_add(f, LENGTH, ids, prompt, m->end, m->vocab - 1, 100 + (uint64_t)f->n);
    assert_non_null(d);
    d->n_stages = 2;
    d->stage[0] = feeder_stage(4, 0, SAMPLER_FHS, 0);
    d->stage[0].model = draft;
    d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.5, SAMPLER_QUOTA, 4);
    d->stage[1].model = refine;
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
    return d;
}

static engine *opened(const engine_settings *s)
{
    engine *e = NULL;
    if (engine_open(&e, s, world) != DID_OK) fail_msg("%s", status_message());
    return e;
}

/* A document's way through handles 0 and 1 does not depend on what else these are used for, nor on
 * which number a checkpoint has. */
static void weight_handles_are_names(void **state)
{
    (void)state;
    enum { DOCS = 4 };
    int32_t token[DOCS][LENGTH];
    int     n = comm_size(world);
    for (int swapped = 0; swapped < 2; swapped++) {
        engine_settings s = settings_of(swapped ? other : small, &made_up_small, n);
        s.model[1] = swapped ? small : other;
        s.n_models = 2;
        engine *e = opened(&s);
        feeder  f = {0};
        for (int i = 0; i < DOCS; i++)
            add(&f, &made_up_small, i, (i ^ swapped) & 1, (i / 2 ^ swapped) & 1);
        assert_int_equal(feeder_run(&f, e, 1), DID_OK);
        for (int i = 0; i < DOCS && engine_leads(e); i++) {
            assert_int_equal(f.docs[i]->finish, FINISH_LENGTH);
            if (swapped) assert_memory_equal(token[i], f.docs[i]->token, sizeof token[i]);
            memcpy(token[i], f.docs[i]->token, sizeof token[i]);
        }
        feeder_clear(&f);
        engine_close(&e);
    }
}

/* Greedy documents over all ranks and on one: the same tokens, snapshots within 1e-4. */
static void widths_agree(void **state)
{
    (void)state;
    enum { DOCS = 2 };
    int      n = comm_size(world);
    feeder   f[2];
    memset(f, 0, sizeof f);
    for (int wide = 0; wide < 2; wide++) {
        engine_settings s = settings_of(odd, &made_up_odd, wide ? n : 1);
        engine         *e = opened(&s);
        for (int i = 0; i < DOCS * (wide ? 1 : n); i++) {
            document *d = add(&f[wide], &made_up_odd, 3 * (i / (wide ? 1 : n)), 0, 0);
            d->key = 5;
            d->stage[0].temperature = d->stage[1].temperature = 0;
            d->stage[1].order = ORDER_CONFIDENT;
        }
        assert_int_equal(feeder_run(&f[wide], e, wide ? 1 : n), DID_OK);
        engine_close(&e);
    }
    for (int i = 0; i < DOCS && comm_rank(world) == 0; i++) {
        const document *a = f[0].docs[i * n], *b = f[1].docs[i];
        assert_memory_equal(a->token, b->token, LENGTH * sizeof *a->token);
        assert_int_equal(a->n_draws, b->n_draws);
        for (int j = 0; j < a->n_draws; j++) {
            assert_int_equal(a->draws[j].position, b->draws[j].position);
            assert_true(fabsf(a->draws[j].snapshot - b->draws[j].snapshot) < 1e-4f);
        }
    }
    feeder_clear(&f[0]);
    feeder_clear(&f[1]);
}

static status refuse_third_pass(void *context, document *const *docs, int n,
                                const engine_progress *p, bool *stop)
{
    TRY(feeder_passed(context, docs, n, p, stop));
    feeder *f = context;
    return f->passes < 3 ? DID_OK : status_fail(DID_EIO, "the disk is full");
}

/* A feed that fails ends the run everywhere with its reason; documents in flight come home. */
static void failing_feeds_end_the_run(void **state)
{
    (void)state;
    engine_settings s = settings_of(small, &made_up_small, comm_size(world));
    engine         *e = opened(&s);
    feeder          f = {.stride = 1};
    engine_feed     feed = feeder_feed(&f);
    feed.passed = refuse_third_pass;
    for (int i = 0; i < 5; i++) add(&f, &made_up_small, i, 0, 0);
    assert_int_equal(engine_run(e, &feed), DID_EIO);
    assert_non_null(strstr(status_message(), "the disk is full"));
    for (int i = 0; i < 5 && engine_leads(e); i++) {
        assert_non_null(f.docs[i]);
        assert_int_equal(f.docs[i]->finish, FINISH_NONE);
        assert_int_equal(f.docs[i]->slot, -1);
    }
    if (engine_leads(e)) assert_int_equal(engine_totals(e).passes, 3);
    /* The engine is as good as before. */
    assert_int_equal(feeder_run(&f, e, 1), DID_OK);
    for (int i = 0; i < 5 && engine_leads(e); i++) assert_true(f.done[i]);
    feeder_clear(&f);
    engine_close(&e);
}

/* What the run reports is the sum of what its documents cost. */
static void totals_add_up(void **state)
{
    (void)state;
    engine_settings s = settings_of(small, &made_up_small, comm_size(world));
    engine         *e = opened(&s);
    feeder          f = {0};
    for (int i = 0; i < 5; i++) add(&f, &made_up_small, 2 * i, 0, 0);
    assert_int_equal(feeder_run(&f, e, 1), DID_OK);
    engine_progress g = engine_totals(e);
    long            nfe = 0, commits = 0, drawn = 0;
    for (int i = 0; i < 5 && engine_leads(e); i++)
        for (int k = 0; k < 2; k++) {
            nfe += f.docs[i]->cost[k].nfe;
            commits += f.docs[i]->cost[k].commits;
            drawn += k ? 0 : f.docs[i]->n_draws;
        }
    if (engine_leads(e)) {
        assert_int_equal(g.nfe, nfe);
        assert_int_equal(g.commits, commits);
        assert_int_equal(g.drawn, drawn);
        assert_int_equal(f.in_flight_most, 3);
    }
    assert_true(g.passes > 0 && g.rows >= g.segments && g.segments >= g.passes);
    feeder_clear(&f);
    engine_close(&e);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up second = made_up_small; /* another checkpoint for the same tokens */
    second.hidden = 60;
    second.layers = 1;
    second.seed = 99;
    made_up_open_all(odd, &made_up_odd, world);
    made_up_open_all(small, &made_up_small, world);
    made_up_open_all(other, &second, world);
    made_up_open_all(toy, &made_up_toy, world);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_too_many_ranks),
        cmocka_unit_test(refuses_other_vocabularies),
        cmocka_unit_test(refuses_unknown_kernels),
        cmocka_unit_test(refuses_a_missing_model),
        cmocka_unit_test(refuses_what_one_rank_cannot_read),
        cmocka_unit_test(plans_what_it_holds),
        cmocka_unit_test(plans_grow),
        cmocka_unit_test(signs_what_bytes_depend_on),
        cmocka_unit_test(weight_handles_are_names),
        cmocka_unit_test(widths_agree),
        cmocka_unit_test(failing_feeds_end_the_run),
        cmocka_unit_test(totals_add_up),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(odd, world);
    made_up_close_all(small, world);
    made_up_close_all(other, world);
    made_up_close_all(toy, world);
    comm_stop(&world);
    return failed;
}
