/* The conditioning constant, worked out once more from its definition, and the algebra of folds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fold.h"
#include "made_up.h"

static double silu(double x)
{
    return x / (1 + exp(-x));
}

/* A whole tensor as f64. */
static double *whole(const checkpoint *ck, const char *name, int n)
{
    const tensor *t = checkpoint_find(ck, name);
    assert_non_null(t);
    assert_int_equal(tensor_rows(t) * tensor_cols(t), n);
    float  *x = malloc((size_t)n * sizeof *x);
    double *out = malloc((size_t)n * sizeof *out);
    assert_int_equal(checkpoint_read(ck, t, 0, tensor_rows(t), 0, tensor_cols(t), x), DID_OK);
    for (int i = 0; i < n; i++) out[i] = x[i];
    free(x);
    return out;
}

static void assert_close(const double *have, const double *want, int n)
{
    for (int i = 0; i < n; i++) assert_true(fabs(have[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])));
}

/* The embedding of noise level 0 is 128 cosines of 0, then 128 sines of 0: ones, then zeros. The
 * second silu stands outside of the embedder. */
static void condition_of(double *c, const checkpoint *ck, int n)
{
    double *w0 = whole(ck, "backbone.sigma_map.mlp.0.weight", n * 256), *hidden;
    double *b0 = whole(ck, "backbone.sigma_map.mlp.0.bias", n);
    double *w2 = whole(ck, "backbone.sigma_map.mlp.2.weight", n * n);
    double *b2 = whole(ck, "backbone.sigma_map.mlp.2.bias", n);
    hidden = malloc((size_t)n * sizeof *hidden);
    for (int i = 0; i < n; i++) {
        double sum = b0[i];
        for (int f = 0; f < 128; f++)
            sum += w0[i * 256 + f] * cos(0) + w0[i * 256 + 128 + f] * sin(0);
        hidden[i] = silu(sum);
    }
    for (int i = 0; i < n; i++) {
        double sum = b2[i];
        for (int j = 0; j < n; j++) sum += w2[i * n + j] * hidden[j];
        c[i] = silu(sum);
    }
    free(w0);
    free(b0);
    free(w2);
    free(b2);
    free(hidden);
}

static void conditions(void **state)
{
    (void)state;
    char        dir[MADE_UP_PATH];
    checkpoint *ck = NULL;
    geometry    g;
    made_up_open(dir, &made_up_odd);
    assert_int_equal(geometry_read(&g, dir), DID_OK);
    assert_int_equal(checkpoint_open(&ck, dir), DID_OK);
    int     c = g.d_cond, d = g.d_model;
    double *have = malloc((size_t)c * sizeof *have), *want = malloc((size_t)c * sizeof *want);
    assert_int_equal(fold_condition(have, ck, &g), DID_OK);
    condition_of(want, ck, c);
    assert_close(have, want, c);

    static const char *const prefix[] = {"backbone.blocks.1", "backbone.output_layer"};
    for (int which = 0; which < 2; which++) {
        int     n = (which ? 2 : 6) * d;
        char    name[80];
        double *mod = malloc((size_t)n * sizeof *mod);
        assert_int_equal(fold_modulation(mod, ck, &g, want, prefix[which], n / d), DID_OK);
        snprintf(name, sizeof name, "%s.adaLN_modulation.weight", prefix[which]);
        double *a = whole(ck, name, n * c);
        snprintf(name, sizeof name, "%s.adaLN_modulation.bias", prefix[which]);
        double *b = whole(ck, name, n);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < c; j++) b[i] += a[i * c + j] * want[j];
        assert_close(mod, b, n);
        free(mod);
        free(a);
        free(b);
    }
    free(have);
    free(want);
    checkpoint_close(&ck);
    made_up_close(dir);
}

/* Without adaptive norms nothing is shifted or scaled, and gates are open. */
static void plain_models(void **state)
{
    (void)state;
    geometry g = {.d_model = 5, .d_cond = 3, .adaln = false};
    double   c[3] = {1, 2, 3}, mod[30];
    assert_int_equal(fold_condition(c, NULL, &g), DID_OK);
    for (int i = 0; i < 3; i++) assert_true(c[i] == 0);
    assert_int_equal(fold_modulation(mod, NULL, &g, c, "backbone.blocks.0", 6), DID_OK);
    for (int i = 0; i < 30; i++) assert_true(mod[i] == (i / 5 == 2 || i / 5 == 5));
    assert_int_equal(fold_modulation(mod, NULL, &g, c, "backbone.output_layer", 2), DID_OK);
    for (int i = 0; i < 10; i++) assert_true(mod[i] == 0);
}

/* gate (W (scale x + shift) + b) is what the folded weight gives for x. */
static void folding_is_algebra(void **state)
{
    (void)state;
    enum { N = 7, K = 11 };
    float    w[N * K], folded[N * K];
    double   bias[N], scale[K], shift[K], gate[N], x[K];
    uint64_t seed = 2;
    for (int i = 0; i < N * K; i++) folded[i] = w[i] = made_up_normal(&seed);
    for (int i = 0; i < N; i++) bias[i] = made_up_normal(&seed);
    for (int i = 0; i < N; i++) gate[i] = i == 3 ? 0 : made_up_normal(&seed);
    for (int i = 0; i < K; i++) scale[i] = i == 5 ? 0 : made_up_normal(&seed);
    for (int i = 0; i < K; i++) shift[i] = made_up_normal(&seed);
    for (int i = 0; i < K; i++) x[i] = made_up_normal(&seed);
    double want[N];
    for (int i = 0; i < N; i++) {
        want[i] = bias[i];
        for (int j = 0; j < K; j++) want[i] += (double)w[i * K + j] * (scale[j] * x[j] + shift[j]);
        want[i] *= gate[i];
    }
    fold_input(folded, bias, scale, shift, N, K);
    fold_output(folded, gate, N, K);
    for (int i = 0; i < N; i++) {
        double sum = gate[i] * bias[i], size = fabs(sum);
        for (int j = 0; j < K; j++) {
            sum += (double)folded[i * K + j] * x[j];
            size += fabs((double)folded[i * K + j] * x[j]);
        }
        assert_true(fabs(sum - want[i]) <= 2e-7 * size);
    }
}

/* One rounding: a weight is the f64 product, rounded to f32 once for each fold. */
static void folding_rounds_once(void **state)
{
    (void)state;
    float        w[] = {0.1f, 3.3f}, v[] = {0.1f, 3.3f};
    double       bias[1] = {0};
    const double scale[] = {1.0 / 3, 1e-9}, shift[] = {0.7, -1e8}, gate[] = {1.0 / 7};
    fold_input(w, bias, scale, shift, 1, 2);
    for (int j = 0; j < 2; j++) assert_true(w[j] == (float)((double)v[j] * scale[j]));
    assert_true(bias[0] == (double)v[0] * 0.7 + (double)v[1] * -1e8);
    fold_output(v, gate, 1, 2);
    for (int j = 0; j < 2; j++) assert_true(v[j] == (float)((double)(j ? 3.3f : 0.1f) * gate[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions),
        cmocka_unit_test(plain_models),
        cmocka_unit_test(folding_is_algebra),
        cmocka_unit_test(folding_rounds_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
