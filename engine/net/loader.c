#include "loader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "fold.h"

static int longest_bias(const model *m)
{
    int n = 3 * m->geometry.d_model;
    if (m->mlp.len > n) n = m->mlp.len;
    if (m->vocab.len > n) n = m->vocab.len;
    return n;
}

status loader_open(loader *ld, const model *m, const checkpoint *ck, bool folded)
{
    size_t d = (size_t)m->geometry.d_model, n = (size_t)longest_bias(m);
    *ld = (loader){.ck = ck, .folded = folded};
    ld->c = malloc((size_t)(m->geometry.d_cond + 1) * sizeof *ld->c);
    ld->mod = malloc(6 * d * sizeof *ld->mod);
    ld->scale = malloc(d * sizeof *ld->scale);
    ld->shift = malloc(d * sizeof *ld->shift);
    ld->bias = malloc(n * sizeof *ld->bias);
    ld->row = malloc(n * sizeof *ld->row);
    if (ld->c && ld->mod && ld->scale && ld->shift && ld->bias && ld->row) return DID_OK;
    loader_close(ld);
    return status_fail(DID_ENOMEM, "no memory for loading");
}

void loader_close(loader *ld)
{
    free(ld->c);
    free(ld->mod);
    free(ld->scale);
    free(ld->shift);
    free(ld->bias);
    free(ld->row);
    *ld = (loader){0};
}

const tensor *loader_find(const loader *ld, const char *prefix, const char *name)
{
    char whole[128];
    snprintf(whole, sizeof whole, "%s.%s", prefix, name);
    const tensor *t = checkpoint_find(ld->ck, whole);
    assert(t);
    return t;
}

status loader_vector(loader *ld, const tensor *t, int first, int n, double *out)
{
    TRY(checkpoint_read(ld->ck, t, 0, 1, first, n, ld->row));
    for (int i = 0; i < n; i++) out[i] = ld->row[i];
    return DID_OK;
}

status loader_array(const loader *ld, const tensor *t, int first, int n, const float *into)
{
    return checkpoint_read(ld->ck, t, 0, 1, first, n, loader_own(into));
}

void loader_narrow(const float *into, const double *from, int n)
{
    for (int i = 0; i < n; i++) loader_own(into)[i] = (float)from[i];
}

status loader_matrix(const loader *ld, const tensor *t, int row0, int rows, int col0, int cols,
                     const float *into)
{
    return checkpoint_read(ld->ck, t, row0, rows, col0, cols, loader_own(into));
}

status loader_transposed(const loader *ld, const tensor *t, int row0, int rows, int col0, int cols,
                         const float *into)
{
    float *out = loader_own(into);
    for (int j = 0; j < cols; j++) {
        TRY(checkpoint_read(ld->ck, t, col0 + j, 1, row0, rows, ld->row));
        for (int i = 0; i < rows; i++) out[(size_t)i * (size_t)cols + (size_t)j] = ld->row[i];
    }
    return DID_OK;
}

void loader_norm(const loader *ld, const affine *a, int d)
{
    if (ld->folded) return;
    loader_narrow(a->scale, ld->scale, d);
    loader_narrow(a->shift, ld->shift, d);
}

status loader_input_side(loader *ld, weight *w, const tensor *bias, int first)
{
    for (int i = 0; i < w->n; i++) ld->bias[i] = 0;
    if (bias) TRY(loader_vector(ld, bias, first, w->n, ld->bias));
    if (ld->folded)
        fold_input(loader_own(w->data), ld->bias, ld->scale, ld->shift, w->n, w->k);
    if (w->bias) loader_narrow(w->bias, ld->bias, w->n);
    return DID_OK;
}
