#include "fold.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FREQUENCIES = 256 }; /* width of the sinusoidal embedding of the noise level */

static double silu(double x)
{
    return x / (1 + exp(-x));
}

/* y[n] = W[n, k] x + b with W and b from the file. */
static status affine_of(double *y, const checkpoint *ck, const char *prefix, const double *x, int n,
                        int k)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", prefix);
    const tensor *w = checkpoint_find(ck, name);
    snprintf(name, sizeof name, "%s.bias", prefix);
    const tensor *b = checkpoint_find(ck, name);
    assert(w && b);
    float *row = malloc((size_t)(k > n ? k : n) * sizeof *row);
    if (!row) return status_fail(DID_ENOMEM, "no memory for a row of %s", prefix);
    status s = checkpoint_read(ck, b, 0, 1, 0, n, row);
    for (int i = 0; s == DID_OK && i < n; i++) y[i] = row[i];
    for (int i = 0; s == DID_OK && i < n; i++) {
        s = checkpoint_read(ck, w, i, 1, 0, k, row);
        for (int j = 0; s == DID_OK && j < k; j++) y[i] += (double)row[j] * x[j];
    }
    free(row);
    return s;
}

status fold_condition(double *c, const checkpoint *ck, const geometry *g)
{
    memset(c, 0, (size_t)g->d_cond * sizeof *c);
    if (!g->adaln) return DID_OK;
    double embedded[FREQUENCIES], *hidden = malloc((size_t)g->d_cond * sizeof *hidden);
    if (!hidden) return status_fail(DID_ENOMEM, "no memory for the conditioning vector");
    for (int i = 0; i < FREQUENCIES; i++) embedded[i] = i < FREQUENCIES / 2;
    status s = affine_of(hidden, ck, "backbone.sigma_map.mlp.0", embedded, g->d_cond, FREQUENCIES);
    for (int i = 0; i < g->d_cond; i++) hidden[i] = silu(hidden[i]);
    if (s == DID_OK) s = affine_of(c, ck, "backbone.sigma_map.mlp.2", hidden, g->d_cond, g->d_cond);
    for (int i = 0; i < g->d_cond; i++) c[i] = silu(c[i]);
    free(hidden);
    return s;
}

status fold_modulation(double *mod, const checkpoint *ck, const geometry *g, const double *c,
                       const char *prefix, int parts)
{
    if (!g->adaln) {
        for (int part = 0; part < parts; part++)
            for (int i = 0; i < g->d_model; i++) mod[part * g->d_model + i] = part % 3 == 2;
        return DID_OK;
    }
    char name[128];
    snprintf(name, sizeof name, "%s.adaLN_modulation", prefix);
    return affine_of(mod, ck, name, c, parts * g->d_model, g->d_cond);
}

void fold_input(float *w, double *bias, const double *scale, const double *shift, int n, int k)
{
    for (int i = 0; i < n; i++) {
        float *row = w + (size_t)i * (size_t)k;
        double sum = 0;
        for (int j = 0; j < k; j++) {
            sum += (double)row[j] * shift[j];
            row[j] = (float)((double)row[j] * scale[j]);
        }
        bias[i] += sum;
    }
}

void fold_output(float *w, const double *gate, int n, int k)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++) {
            float *x = w + (size_t)i * (size_t)k + j;
            *x = (float)((double)*x * gate[i]);
        }
}
