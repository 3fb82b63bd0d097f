/* The autoregressive scorer against the reference: every token its own commit, all in one pass. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rig.h"

static comm       *world;
static checkpoint *goldens;

enum { TEXTS = 20, LENGTH = 256 };

static double logsumexp(const float *x, int n)
{
    double peak = x[0], sum = 0;
    for (int i = 1; i < n; i++) peak = fmax(peak, x[i]);
    for (int i = 0; i < n; i++) sum += exp(x[i] - peak);
    return peak + log(sum);
}

static void score_text(rig *r, int text)
{
    char    key[32];
    int32_t ids[LENGTH];
    int     vocab = r->model.geometry.vocab;
    snprintf(key, sizeof key, "t%d.ids", text);
    const tensor *t = checkpoint_find(goldens, key);
    assert_non_null(t);
    int n = (int)t->dim[0];
    assert_int_equal(checkpoint_read_raw(goldens, t, ids, (size_t)n * sizeof *ids), DID_OK);
    float *nll = calloc((size_t)n, sizeof *nll);
    float *have = calloc((size_t)n * (size_t)vocab, sizeof *have);
    snprintf(key, sizeof key, "t%d.nll", text);
    assert_int_equal(checkpoint_read(goldens, checkpoint_find(goldens, key), 0, 1, 0, n - 1, nll),
                     DID_OK);
    for (int i = 0; i < n; i++) {
        rig_commit(r, 0, &ids[i], i, 1, 0);
        batch_ask(&r->batch, i);
    }
    assert_int_equal(rig_logits(r, have), DID_OK);
    double most = 0;
    for (int i = 0; i + 1 < n; i++) {
        const float *row = have + (size_t)i * (size_t)vocab;
        most = fmax(most, fabs(logsumexp(row, vocab) - row[ids[i + 1]] - nll[i]));
    }
    if (!(most < 1e-4)) print_error("t%d at tp %d: off by %g\n", text, comm_size(r->grid.row), most);
    assert_true(most < 1e-4);
    free(nll);
    free(have);
}

static void agrees_at(int tp, bool folded)
{
    rig r;
    assert_int_equal(rig_open(&r, DID_TEST_MODELS "/gpt2-tiny-scorer", world, tp, LENGTH, LENGTH,
                              folded, NULL),
                     DID_OK);
    for (int i = 0; i < TEXTS; i += folded && !rig_slow() ? 1 : 7) score_text(&r, i);
    rig_close(&r);
}

static void agrees_with_the_reference(void **state)
{
    (void)state;
    for (int tp = 1; tp <= comm_size(world) && tp <= 4; tp++)
        if (comm_size(world) % tp == 0) agrees_at(tp, true);
}

static void agrees_unfolded(void **state)
{
    (void)state;
    agrees_at(1, false);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    status s = checkpoint_open_file(&goldens, DID_TEST_MODELS "/goldens/gpt2_goldens.safetensors");
    if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_reference),
                                       cmocka_unit_test(agrees_unfolded)};
    int                     failed = s != DID_OK ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    checkpoint_close(&goldens);
    comm_stop(&world);
    return failed;
}
