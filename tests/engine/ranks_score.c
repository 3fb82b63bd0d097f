/* Measuring stages: a causal scorer against reference log-likelihoods, windows over long texts, and
 * the diffusion bound, all the same whatever the passes look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checkpoint.h"
#include "feeder.h"
#include "score.h"

static comm       *world;
static checkpoint *goldens;

enum { TEXTS = 6, LENGTH = 256, LONG = 400 };

static int read_ids(int text, int32_t ids[LENGTH])
{
    char key[32];
    snprintf(key, sizeof key, "t%d.ids", text);
    const tensor *t = checkpoint_find(goldens, key);
    assert_non_null(t);
    assert_int_equal(
        checkpoint_read_raw(goldens, t, ids, (size_t)t->dim[0] * sizeof *ids), DID_OK);
    return (int)t->dim[0];
}

static void add_text(feeder *f, const int32_t *ids, int n, stage how)
{
    document *d = feeder_add(f, n, ids + 1, n - 1, ids[0], 4096, (uint64_t)f->n + 1);
    assert_non_null(d);
    d->n_stages = 1;
    d->stage[0] = how;
    assert_int_equal(document_reserve(d), DID_OK);
}

/* Runs until everything is done, putting all down every `stop_every` passes. */
static void run(feeder *f, const char *model, int tp, int pass_rows, int stop_every)
{
    engine         *e = NULL;
    engine_settings s = feeder_settings(model, tp, 4, LONG);
    s.pass_rows = pass_rows;
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    for (int left = 1; left > 0;) {
        int mine = 0, all[64];
        f->passes = 0;
        f->stop_after = stop_every;
        assert_int_equal(feeder_run(f, e, comm_size(world) / tp), DID_OK);
        for (int i = engine_row(e); i < f->n && engine_leads(e); i += f->stride) mine += !f->done[i];
        assert_int_equal(comm_gather(world, all, &mine, sizeof mine, EV_BENCH), DID_OK);
        left = 0;
        for (int r = 0; r < comm_size(world); r++) left += all[r];
    }
    engine_close(&e);
}

static void agrees_at(int tp)
{
    feeder f = {0};
    int    n[TEXTS];
    int texts = feeder_slow() ? 2 : TEXTS;
    for (int i = 0; i < texts; i++) {
        int32_t ids[LENGTH];
        n[i] = read_ids(i, ids);
        add_text(&f, ids, n[i], (stage){.work = WORK_SCORE});
    }
    run(&f, DID_TEST_MODELS "/gpt2-tiny-scorer", tp, 100, 3);
    for (int i = 0; i < texts; i++) {
        char  key[32];
        float want[LENGTH];
        if (!f.done[i]) continue;
        snprintf(key, sizeof key, "t%d.nll", i);
        assert_int_equal(
            checkpoint_read(goldens, checkpoint_find(goldens, key), 0, 1, 0, n[i] - 1, want),
            DID_OK);
        assert_int_equal(f.docs[i]->cost[0].rescored, 1); /* one window, in passes of 100 rows */
        assert_true(isnan(f.docs[i]->nll[0]));
        for (int j = 1; j < n[i]; j++)
            assert_true(fabsf(f.docs[i]->nll[j] - want[j - 1]) < 1e-4f);
    }
    feeder_clear(&f);
}

static void scores_agree(void **state)
{
    (void)state;
    for (int tp = feeder_slow() ? comm_size(world) : 1; tp <= comm_size(world) && tp <= 4; tp++)
        if (comm_size(world) % tp == 0) agrees_at(tp);
}

/* Every token is scored once, with at least half a window in front of it where there is that much. */
static void windows_cover_all(void **state)
{
    (void)state;
    for (int size = 2; size < 40; size += 3)
        for (int n = 2; n < 200; n++) {
            int next = 0, last = 0;
            for (int i = 0;; i++) {
                score_window w = score_window_at(n, size, i);
                if (w.len == 0) break;
                assert_int_equal(w.fresh, next);
                assert_true(w.len <= size && w.first <= w.fresh);
                if (i > 0) assert_true(w.fresh - w.first >= size / 2);
                next = last = w.first + w.len;
            }
            assert_int_equal(last, n);
        }
}

/* A long text: its second window is the text from there on, scored alone. */
static void long_texts_use_windows(void **state)
{
    (void)state;
    if (feeder_slow() && comm_size(world) > 2) return; /* every rank does what one has done */
    int32_t a[LENGTH], b[LENGTH], all[LONG];
    int     n = read_ids(0, a);
    read_ids(1, b);
    assert_int_equal(n, LENGTH);
    memcpy(all, a, sizeof a);
    memcpy(all + LENGTH, b, (LONG - LENGTH) * sizeof *b);
    feeder f = {0};
    for (int copy = 0; copy < 2 * comm_size(world); copy++)
        if (copy < comm_size(world))
            add_text(&f, all, LONG, (stage){.work = WORK_SCORE});
        else
            add_text(&f, all + LENGTH / 2, LENGTH, (stage){.work = WORK_SCORE});
    run(&f, DID_TEST_MODELS "/gpt2-tiny-scorer", 1, 512, 0);
    int             mine = comm_rank(world);
    const document *whole = f.docs[mine], *part = f.docs[mine + comm_size(world)];
    for (int j = LENGTH; j < LENGTH + LENGTH / 2; j++)
        assert_true(whole->nll[j] == part->nll[j - LENGTH / 2]);
    for (int j = 1; j < LONG; j++) assert_false(isnan(whole->nll[j]));
    feeder_clear(&f);
}

/* The bound of a real text is near what training reported, and no accident of the passes. */
static void bounds_do_not_depend_on_passes(void **state)
{
    (void)state;
    if (feeder_slow() && comm_size(world) > 2) return;
    static const int blocks[] = {4, 32, STAGE_BLOCK_WHOLE};
    feeder           ways[3] = {0};
    int              step = feeder_slow() ? 2 : 1;
    for (int w = 0; w < 3; w += step) {
        for (int i = 0; i < 3 * comm_size(world); i++) {
            int32_t ids[LENGTH];
            int     n = read_ids(i / comm_size(world), ids);
            add_text(&ways[w], ids, n,
                     (stage){.work = WORK_BOUND, .block = blocks[i / comm_size(world)], .steps = 2});
        }
        run(&ways[w], DID_TEST_MODELS "/did-tiny", 1, w == 0 ? 512 : w == 1 ? 700 : 64,
            w == 2 ? 2 : 0);
    }
    for (int i = comm_rank(world); i < 3 * comm_size(world); i += comm_size(world)) {
        const document *d = ways[0].docs[i];
        double          sum = 0;
        for (int j = 1; j < d->length; j++) sum += d->nll[j];
        assert_true(sum / (d->length - 1) > 1 && sum / (d->length - 1) < 6);
        for (int w = 0; w < 3; w += step) assert_int_equal(ways[w].docs[i]->cost[0].rescored, 2);
        for (int w = step; w < 3; w += step)
            assert_memory_equal(d->nll, ways[w].docs[i]->nll, (size_t)d->length * sizeof *d->nll);
    }
    for (int w = 0; w < 3; w++) feeder_clear(&ways[w]);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    status s = checkpoint_open_file(&goldens, DID_TEST_MODELS "/goldens/gpt2_goldens.safetensors");
    if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_all),
        cmocka_unit_test(scores_agree),
        cmocka_unit_test(long_texts_use_windows),
        cmocka_unit_test(bounds_do_not_depend_on_passes),
    };
    int failed = s != DID_OK ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    checkpoint_close(&goldens);
    comm_stop(&world);
    return failed;
}
