/* identity.h - a document's bytes depend on the document alone: not on its company, its order of
 * arrival, how many are in flight, the row or the threads it runs on, the size of a pass, when commits
 * run, or whether it was put down and taken up again. ranks_identity.c shows it in f32,
 * ranks_identity_bf16.c in bf16. */
#ifndef DID_TESTS_IDENTITY_H
#define DID_TESTS_IDENTITY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels.h"
#include "outcome.h"

static comm *world;

enum { DOCS = 12, CROWD = 52, LENGTH = 64, LONG = 300, END = 4095, MASK = 4096 };
#define MODEL feeder_model()

/* Twelve documents, no two alike: lengths, prompts, stages, samplers, policies. */
static void configure(document *d, int which)
{
    d->n_stages = 2;
    d->stage[0] = feeder_stage(4, 0, SAMPLER_FHS, 0);
    d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.25, SAMPLER_QUOTA, 8);
    switch (which) {
    case 1: d->n_stages = 1; break;
    case 2:
        d->n_stages = 3;
        d->stage[2] = d->stage[1];
        d->stage[1] = feeder_stage(8, 0.5, SAMPLER_FHS, 0);
        break;
    case 3: d->stage[1].policy = POLICY_POSTHOC; break;
    case 4: d->stage[1].policy = POLICY_RANDOM; break;
    case 5:
        d->stage[1].sampler = SAMPLER_ANCESTRAL;
        d->stage[1].confidence = CONFIDENCE_NUCLEUS;
        break;
    case 6: d->stage[1].order = ORDER_CONFIDENT; break;
    case 7:
        d->n_stages = 1;
        d->stage[0] = feeder_stage(STAGE_BLOCK_WHOLE, 0, SAMPLER_QUOTA, 12);
        break;
    case 8:
        d->stage[0].temperature = 0.7;
        d->stage[0].rule = NUCLEUS_INCLUSIVE;
        d->stage[1].nucleus = 1;
        break;
    case 10:
        d->stage[0].sampler = d->stage[1].sampler = SAMPLER_THRESHOLD;
        d->stage[0].threshold = 0.3;
        d->stage[1].threshold = 0.6;
        break;
    case 11:
        d->stage[1].cache = 3;
        d->stage[1].remask = 0.5;
        break;
    default: break;
    }
    d->traced = true;
}

static int length_of(int which)
{
    return which == 9 ? LENGTH : 16 + 8 * (which % 4);
}

static document *add(feeder *f, int which, bool crowd)
{
    int32_t   prompt[16];
    int       n = which * 3 % 14;
    for (int i = 0; i < n; i++) prompt[i] = (which * 131 + i * 17) % 4000;
    document *d = feeder_add(f, crowd ? 16 : length_of(which), prompt, n, END, MASK,
                             (uint64_t)(which + 1000 * crowd));
    assert_non_null(d);
    configure(d, crowd ? which % 9 : which);
    assert_int_equal(document_reserve(d), DID_OK);
    return d;
}

/* What is computed with; the ways below differ in everything else. */
static bool        bf16;       /* else f32 */
static const char *kernel_set; /* NULL: the best */

/* How one run goes about it. */
typedef struct way {
    const char *name;
    int         tp, in_flight, pass_rows, crowd;
    bool        reversed, separate;
    int         stop_every;  /* passes after which everything is put down and taken up again */
    int         threads;
} way;

/* Digests of the first DOCS documents after a run, known to every rank. */
static void run_way(const way *w, uint64_t out[DOCS])
{
    feeder          f = {0};
    engine         *e = NULL;
    engine_settings s = feeder_settings(MODEL, w->tp, w->in_flight, LENGTH);
    int             rows = comm_size(world) / w->tp, place[DOCS];
    s.pass_rows = w->pass_rows;
    s.fused_commit = !w->separate;
    s.bf16 = bf16;
    s.kernels = kernel_set;
    s.threads = comm_size(world) <= 2 ? w->threads : 1; /* few cores take all their turns */
    for (int i = 0; i < DOCS + w->crowd; i++) {
        int  which = w->reversed ? DOCS + w->crowd - 1 - i : i;
        bool crowd = which >= DOCS;
        if (!crowd) place[which] = f.n;
        add(&f, crowd ? which - DOCS : which, crowd);
    }
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    outcome_run(&f, e, world, rows, w->stop_every);
    outcome_gather(out, &f, e, world, rows, place, DOCS);
    feeder_clear(&f);
    engine_close(&e);
}

static void same_bytes(int tp, size_t step)
{
    const way ways[] = {
        {"one at a time", tp, 1, 512, 0, false, false, 0, 1},
        {"two in flight, reversed, two threads", tp, 2, 512, 0, true, false, 0, 2},
        {"four in flight, small passes", tp, 4, 24, 0, false, false, 0, 1},
        {"in a crowd of 64, three threads", tp, 64, 700, CROWD, true, false, 0, 3},
        {"commits apart", tp, 5, 512, 0, false, true, 0, 1},
        {"put down every 7 passes", tp, 3, 512, 0, false, false, 7, 1},
        {"put down every 61 passes, large passes", tp, 64, 2048, 0, true, false, 61, 1},
    };
    uint64_t first[DOCS], next[DOCS];
    run_way(&ways[0], first);
    for (size_t w = 1; w < sizeof ways / sizeof *ways; w += step) {
        run_way(&ways[w], next);
        for (int i = 0; i < DOCS; i++) {
            if (first[i] != next[i]) print_error("document %d: %s\n", i, ways[w].name);
            assert_true(first[i] == next[i]);
        }
    }
    for (int i = 0; i < DOCS; i++)
        for (int j = 0; j < i; j++) assert_true(first[i] != first[j]);
}

/* Longer than the model's window, in a draft of few steps and in overlapping refine windows. */
static document *add_long(feeder *f)
{
    document *d = feeder_add(f, LONG, NULL, 0, END, MASK, 77);
    assert_non_null(d);
    d->n_stages = 2;
    d->stage[0] = feeder_stage(20, 0, SAMPLER_QUOTA, 2);
    d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.1, SAMPLER_QUOTA, 2);
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
    return d;
}

/* What the cache held depends on text that has left the window: taking up again replays all of it. */
static void on_a_long_document(void **state)
{
    (void)state;
    engine         *e = NULL;
    engine_settings s = feeder_settings(MODEL, comm_size(world) > 4 ? 1 : comm_size(world), 1, LONG);
    int             rows = comm_size(world) / s.tp, passes = 0;
    uint64_t        undisturbed = 0;
    s.bf16 = bf16;
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    for (int stop = 0; stop < 3; stop++) {
        feeder f = {0};
        add_long(&f);
        /* Near the end of the draft, and near the end of refinement. */
        f.stop_after = stop == 0 ? 0 : stop == 1 ? 27 : 32;
        assert_int_equal(feeder_run(&f, e, rows), DID_OK);
        if (stop == 0) passes = (int)f.passes;
        bool mine = engine_leads(e) && engine_row(e) == 0;
        assert_true(!mine || f.done[0] == (stop == 0));
        f.stop_after = 0;
        if (stop > 0) assert_int_equal(feeder_run(&f, e, rows), DID_OK);
        if (mine && stop == 0) undisturbed = outcome_digest(f.docs[0]);
        if (mine) {
            assert_true(passes > 32 && f.done[0]);
            assert_true(outcome_digest(f.docs[0]) == undisturbed);
        }
        feeder_clear(&f);
    }
    engine_close(&e);
}

/* All ways in f32; in bf16, whose kernels have laws of their own, some of them. */
static size_t usual_step(void)
{
    return (size_t)(1 + feeder_slow() + bf16);
}

static void on_rows(void **state)
{
    (void)state;
    same_bytes(1, usual_step());
}

static void on_columns(void **state)
{
    (void)state;
    int n = comm_size(world);
    if (n > 1 && n <= 4) same_bytes(n, usual_step());
}

static void on_both(void **state)
{
    (void)state;
    if (comm_size(world) == 4) same_bytes(2, usual_step());
}

#endif
