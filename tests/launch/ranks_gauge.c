/* Texts measured together: reference log-likelihoods on every rank, an early end in good order. */
#include "gauge.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "checkpoint.h"

enum { TEXTS = 7, LENGTH = 256 };

static comm       *world;
static checkpoint *goldens;

static int golden(int text, int32_t ids[LENGTH], float nll[LENGTH])
{
    char key[32];
    snprintf(key, sizeof key, "t%d.ids", text);
    const tensor *t = checkpoint_find(goldens, key);
    int           n = (int)t->dim[0];
    assert_int_equal(checkpoint_read_raw(goldens, t, ids, (size_t)n * sizeof *ids), DID_OK);
    snprintf(key, sizeof key, "t%d.nll", text);
    assert_int_equal(checkpoint_read(goldens, checkpoint_find(goldens, key), 0, 1, 0, n - 1, nll),
                     DID_OK);
    return n;
}

/* Rank 0 alone knows the texts. */
static void make_list(gauge *g)
{
    const stage how = {.work = WORK_SCORE};
    *g = (gauge){0};
    for (int i = 0; i < TEXTS && comm_rank(world) == 0; i++) {
        int32_t ids[LENGTH];
        float   nll[LENGTH];
        int     n = golden(i, ids, nll);
        assert_int_equal(gauge_add(g, ids, n, 1, &how), DID_OK);
    }
    assert_int_equal(gauge_share(g, world), DID_OK);
    assert_int_equal(g->n, TEXTS);
    assert_true(gauge_longest(g) > 0 && gauge_longest(g) <= LENGTH);
}

static engine *scorer(int tp)
{
    engine         *e = NULL;
    engine_settings s = {.model = {DID_TEST_MODELS "/gpt2-tiny-scorer"},
                         .n_models = 1,
                         .tp = tp,
                         .documents = 4,
                         .pass_rows = 256,
                         .length_max = LENGTH,
                         .end_id = -1,
                         .fused_commit = true,
                         .folded = true};
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    return e;
}

static void agrees_at(int tp)
{
    gauge   g;
    int     left = -1;
    engine *e = scorer(tp);
    make_list(&g);
    assert_int_equal(gauge_run(&g, e, world, comm_size(world) / tp, NULL, &left), DID_OK);
    assert_int_equal(left, 0);
    assert_int_equal(gauge_failed(&g), 0);
    for (int i = 0; i < TEXTS; i++) {
        int32_t      ids[LENGTH];
        float        want[LENGTH];
        int          n = golden(i, ids, want);
        const float *nll = g.nll + g.text[i].first;
        assert_int_equal(g.text[i].n, n);
        assert_true(isnan(nll[0]));
        for (int j = 1; j < n; j++) assert_true(fabsf(nll[j] - want[j - 1]) < 1e-4f);
    }
    gauge_clear(&g);
    engine_close(&e);
}

static void every_rank_knows_all(void **state)
{
    (void)state;
    agrees_at(1);
    if (comm_size(world) == 2 || comm_size(world) == 4) agrees_at(2);
}

static bool at_once(void)
{
    return true;
}

static void an_early_end_is_told(void **state)
{
    gauge   g;
    int     left = -1;
    engine *e = scorer(1);
    (void)state;
    make_list(&g);
    assert_int_equal(gauge_run(&g, e, world, comm_size(world), at_once, &left), DID_OK);
    assert_true(left > 0 && left <= TEXTS);
    for (int i = 0; i < TEXTS; i++) {
        const float *nll = g.nll + g.text[i].first;
        if (g.text[i].finish == FINISH_NONE) assert_true(isnan(nll[1]));
        else assert_false(isnan(nll[1]));
    }
    /* Begun again it goes through. */
    assert_int_equal(gauge_run(&g, e, world, comm_size(world), NULL, &left), DID_OK);
    assert_int_equal(left, 0);
    gauge_clear(&g);
    engine_close(&e);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    status s = checkpoint_open_file(&goldens, DID_TEST_MODELS "/goldens/gpt2_goldens.safetensors");
    if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_knows_all),
        cmocka_unit_test(an_early_end_is_told),
    };
    int failed = s != DID_OK ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    checkpoint_close(&goldens);
    comm_stop(&world);
    return failed;
}
