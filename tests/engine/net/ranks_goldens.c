/* The network against the reference: logits of the training layout, of the cached path and of the
 * sliding window, on every width that divides the world. */
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

enum { LENGTH = 256, BLOCK = 4 };
#define MODEL DID_TEST_MODELS "/did-tiny"

static int *integers(const char *prefix, const char *name, int *n)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", prefix, name);
    const tensor *t = checkpoint_find(goldens, key);
    assert_non_null(t);
    *n = (int)t->dim[0];
    int *out = calloc((size_t)*n + 1, sizeof *out);
    assert_int_equal(checkpoint_read_raw(goldens, t, out, (size_t)*n * sizeof *out), DID_OK);
    return out;
}

static float *reals(const char *prefix, const char *name, int *rows, int *cols)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", prefix, name);
    const tensor *t = checkpoint_find(goldens, key);
    assert_non_null(t);
    *rows = t->n_dims == 1 ? 1 : (int)t->dim[0];
    *cols = (int)t->dim[t->n_dims - 1];
    float *out = calloc((size_t)*rows * (size_t)*cols, sizeof *out);
    assert_int_equal(checkpoint_read(goldens, t, 0, *rows, 0, *cols, out), DID_OK);
    return out;
}

static double logsumexp(const float *x, int n)
{
    double peak = x[0], sum = 0;
    for (int i = 1; i < n; i++) peak = fmax(peak, x[i]);
    for (int i = 0; i < n; i++) sum += exp(x[i] - peak);
    return peak + log(sum);
}

/* Largest difference of log-probabilities over the real tokens. */
static double worst(const float *have, const float *want, int vocab)
{
    double a = logsumexp(have, vocab - 1), b = logsumexp(want, vocab - 1), most = 0;
    for (int i = 0; i < vocab - 1; i++) most = fmax(most, fabs((have[i] - a) - (want[i] - b)));
    return most;
}

/* One pass: every block of x0 as a COMMIT, every block of xt as a PROBE beside it. Rows that are not
 * masked are never predicted; one of their reference values is itself 1.4e-4 from the f64 result of
 * the same equations, so they are held to a relative tolerance. */
static void training_layout(rig *r, int test_case, int block)
{
    char name[16];
    int  n, n_rows, rows, vocab, cols, one;
    snprintf(name, sizeof name, "c%d", test_case);
    int   *x0 = integers(name, "x0", &n), *xt = integers(name, "xt", &n);
    int   *wanted = integers(name, "rows", &n_rows);
    bool   masked[LENGTH];
    for (int i = 0; i < LENGTH; i++) masked[i] = xt[i] == r->model.geometry.mask_id;
    float *want = reals(name, "logits_rows", &rows, &vocab);
    float *sums = reals(name, "logsumexp_nomask", &one, &cols);
    float *targets = reals(name, "target_logit", &one, &cols);
    float *have = calloc((size_t)LENGTH * (size_t)vocab, sizeof *have);
    for (int first = 0; first < LENGTH; first += block) {
        rig_commit(r, 1, x0 + first, first, block, 0);
        rig_probe(r, 1, xt + first, first, block, 0);
    }
    assert_int_equal(rig_logits(r, have), DID_OK);
    double most = 0;
    for (int i = 0; i < n_rows; i++)
        most = fmax(most, worst(have + (size_t)wanted[i] * (size_t)vocab,
                                want + (size_t)i * (size_t)vocab, vocab));
    for (int i = 0; i < LENGTH; i++) {
        const float *row = have + (size_t)i * (size_t)vocab;
        double       mine = row[x0[i]] - logsumexp(row, vocab - 1);
        double       off = fabs(mine - ((double)targets[i] - (double)sums[i]));
        most = fmax(most, masked[i] ? off : off / fmax(1, fabs(targets[i])));
    }
    if (!(most < 1e-4)) print_error("%s at tp %d: off by %g\n", name, comm_size(r->grid.row), most);
    assert_true(most < 1e-4);
    free(x0);
    free(xt);
    free(wanted);
    free(want);
    free(sums);
    free(targets);
    free(have);
}

/* Context committed block by block, one pass each, then one probe: as a draft does. */
static void cached_path(rig *r, int test_case, bool one_pass)
{
    char name[16];
    int  n, n_block, rows, vocab, window = r->model.geometry.length;
    snprintf(name, sizeof name, "kv%d", test_case);
    int   *context = integers(name, "context", &n), *probe = integers(name, "block", &n_block);
    float *want = reals(name, "logits", &rows, &vocab);
    float *have = calloc((size_t)rows * (size_t)vocab, sizeof *have);
    for (int first = 0; first < n; first += BLOCK) {
        int from = first + BLOCK - window;
        rig_commit(r, 2, context + first, first, BLOCK, from > 0 ? from : 0);
        if (!one_pass) assert_int_equal(rig_logits(r, have), DID_OK);
    }
    int from = n + BLOCK - window;
    rig_probe(r, 2, probe, n, BLOCK, from > 0 ? from : 0);
    assert_int_equal(rig_logits(r, have), DID_OK);
    double most = 0;
    for (int i = 0; i < rows; i++)
        most = fmax(most, worst(have + (size_t)i * (size_t)vocab, want + (size_t)i * (size_t)vocab,
                                vocab));
    if (!(most < 1e-4)) print_error("%s at tp %d: off by %g\n", name, comm_size(r->grid.row), most);
    assert_true(most < 1e-4);
    free(context);
    free(probe);
    free(want);
    free(have);
}

/* All cases, or every `stride`th; in two dimensions on `high` rows of `tp` ranks, if there are any. */
static void goldens_on(int high, int tp, bool folded, const char *kernel_set, int stride)
{
    rig r;
    if (rig_open_on(&r, MODEL, world, high, tp, 2 * LENGTH, LENGTH + BLOCK, folded,
                    kernels_find(kernel_set)) != DID_OK)
        fail_msg("%s", status_message());
    for (int i = 0; i < 8; i += stride) training_layout(&r, i, i < 4 ? BLOCK : LENGTH);
    for (int i = 4; i >= 0; i -= stride) {
        cached_path(&r, i, false);
        cached_path(&r, i, true);
    }
    rig_close(&r);
}

static void all_goldens(int tp, bool folded, const char *kernel_set, int stride)
{
    goldens_on(0, tp, folded, kernel_set, stride);
}

/* Do we look at rows of this width? The sanitizers see the widest. */
static bool looked_at(int tp)
{
    int ranks = comm_size(world), widest = ranks <= 4 ? ranks : 1;
    return ranks % tp == 0 && (!rig_slow() || tp == widest);
}

static void agrees_with_the_reference(void **state)
{
    (void)state;
    for (int tp = 1; tp <= comm_size(world) && tp <= 4; tp++)
        if (looked_at(tp)) all_goldens(tp, true, NULL, rig_slow() ? 8 : 1);
}

static void agrees_unfolded(void **state)
{
    (void)state;
    if (comm_size(world) == 1 || !rig_slow()) all_goldens(1, false, NULL, rig_slow() ? 8 : 2);
}

static void agrees_with_every_kernel_set(void **state)
{
    (void)state;
    /* The plain ones are slow: the masked case of each layout, and the sliding window. */
    if (comm_size(world) > 1 || rig_slow()) return;
    for (const char *const *name = kernels_available(); *name; name++)
        all_goldens(1, true, *name, 5);
}

/* Divergence of `have` from the reference `want`, over the real tokens. */
static double divergence(const float *have, const float *want, int vocab)
{
    double a = logsumexp(have, vocab - 1), b = logsumexp(want, vocab - 1), sum = 0;
    for (int i = 0; i < vocab - 1; i++) sum += exp(want[i] - b) * ((want[i] - b) - (have[i] - a));
    return sum;
}

/* The rows whose whole distribution the reference gives: their number, and the sum over them. */
static int diverge(rig *r, int test_case, double *sum)
{
    char name[16];
    int  n, n_rows, rows, vocab, block = test_case < 4 ? BLOCK : LENGTH;
    snprintf(name, sizeof name, "c%d", test_case);
    int   *x0 = integers(name, "x0", &n), *xt = integers(name, "xt", &n);
    int   *wanted = integers(name, "rows", &n_rows);
    float *want = reals(name, "logits_rows", &rows, &vocab);
    float *have = calloc((size_t)LENGTH * (size_t)vocab, sizeof *have);
    for (int first = 0; first < LENGTH; first += block) {
        rig_commit(r, 1, x0 + first, first, block, 0);
        rig_probe(r, 1, xt + first, first, block, 0);
    }
    assert_int_equal(rig_logits(r, have), DID_OK);
    for (int i = 0; i < n_rows; i++)
        *sum += divergence(have + (size_t)wanted[i] * (size_t)vocab,
                           want + (size_t)i * (size_t)vocab, vocab);
    free(x0);
    free(xt);
    free(wanted);
    free(want);
    free(have);
    return n_rows;
}

static void bf16_case(int tp, bool folded, const char *set, int stride)
{
    rig            r;
    double         sum = 0;
    int            rows = 0;
    const kernels *k = kernels_of(PRECISION_BF16, set);
    assert_int_equal(
        rig_open_with(&r, MODEL, world, tp, 2 * LENGTH, LENGTH + BLOCK, folded, k), DID_OK);
    for (int i = 0; i < 8; i += stride) rows += diverge(&r, i, &sum);
    rig_close(&r);
    if (comm_rank(world) == 0)
        print_message("bf16 %s%s, tp %d: mean divergence %.2e of %d rows\n", k->name,
                      folded ? "" : " unfolded", tp, sum / rows, rows);
    assert_true(rows > 0 && sum / rows < 2e-3);
    assert_true(sum / rows > 1e-9); /* it is not f32 that was looked at */
}

static void bf16_stays_near_the_reference(void **state)
{
    (void)state;
    for (int tp = 1; tp <= comm_size(world) && tp <= 4; tp++)
        if (looked_at(tp)) bf16_case(tp, true, NULL, rig_slow() ? 4 : 1);
    if (comm_size(world) > 1 || rig_slow()) return;
    bf16_case(1, false, NULL, 5);
    for (const char *const *name = kernels_names(PRECISION_BF16); *name; name++)
        bf16_case(1, true, *name, 5);
}

/* Every mesh of the world, or only the highest; the unfolded weights on one of them. */
static void agrees_in_two_dimensions(void **state)
{
    (void)state;
    int ranks = comm_size(world);
    for (int high = rig_slow() ? ranks : 1; high <= ranks; high++)
        if (ranks % high == 0) goldens_on(high, ranks / high, high > 1 || ranks == 1, NULL,
                                              rig_slow() ? 8 : 4);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    status s = checkpoint_open_file(&goldens, DID_TEST_MODELS "/goldens/bd3_goldens.safetensors");
    if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(agrees_unfolded),
        cmocka_unit_test(agrees_with_every_kernel_set),
        cmocka_unit_test(bf16_stays_near_the_reference),
        cmocka_unit_test(agrees_in_two_dimensions),
    };
    int failed = s != DID_OK ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    checkpoint_close(&goldens);
    comm_stop(&world);
    return failed;
}
