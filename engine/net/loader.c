#include "loader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bf16.h"
#include "fold.h"
#include "shards.h"
#include "tiler.h"

static int longest_bias(const model *m)
{
    int n = 3 * m->geometry.d_model;
    if (m->mlp.len > n) n = m->mlp.len;
    if (m->vocab.len > n) n = m->vocab.len;
    if (!m->mesh) return n;
    /* Panels for a mesh are no longer than an equal share, or than this. */
    int all = m->geometry.vocab > m->geometry.d_mlp ? m->geometry.vocab : m->geometry.d_mlp;
    int share = all / mesh_size(m->mesh) + 1 + TILER_ROWS_MIN;
    return n > share ? n : share;
}

/* Rows on their way into a packed weight; a few megabytes, whatever the weight. */
enum { STAGE_FLOATS = 1 << 18 };

static int deepest(const model *m)
{
    int k = m->geometry.d_model;
    return m->mlp.len > k ? m->mlp.len : k;
}

status loader_open(loader *ld, const model *m, const checkpoint *ck, bool folded, const kernels *k)
{
    size_t d = (size_t)m->geometry.d_model, n = (size_t)longest_bias(m);
    size_t stage = (size_t)(deepest(m) > STAGE_FLOATS ? deepest(m) : STAGE_FLOATS);
    *ld = (loader){.ck = ck, .folded = folded, .columns = k->columns};
    ld->c = malloc((size_t)(m->geometry.d_cond + 1) * sizeof *ld->c);
    ld->mod = malloc(6 * d * sizeof *ld->mod);
    ld->scale = malloc(d * sizeof *ld->scale);
    ld->shift = malloc(d * sizeof *ld->shift);
    ld->bias = malloc(n * sizeof *ld->bias);
    ld->row = malloc(n * sizeof *ld->row);
    bool direct = k->precision == PRECISION_F32;
    if (!direct) ld->stage = malloc(stage * sizeof *ld->stage);
    if (ld->c && ld->mod && ld->scale && ld->shift && ld->bias && ld->row && (direct || ld->stage))
        return DID_OK;
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
    free(ld->stage);
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

/* into[rows, cols] from a matrix stored [k, n]. */
static status read_transposed(const loader *ld, const tensor *t, int row0, int rows, int col0,
                              int cols, float *into)
{
    for (int j = 0; j < cols; j++) {
        TRY(checkpoint_read(ld->ck, t, col0 + j, 1, row0, rows, ld->row));
        for (int i = 0; i < rows; i++) into[(size_t)i * (size_t)cols + (size_t)j] = ld->row[i];
    }
    return DID_OK;
}

status loader_matrix(const loader *ld, const source *s, int row0, int rows, int col0, int cols,
                     float *into)
{
    if (s->transposed) return read_transposed(ld, s->matrix, row0, rows, col0, cols, into);
    return checkpoint_read(ld->ck, s->matrix, row0, rows, col0, cols, into);
}

status loader_rows(const loader *ld, const tensor *t, span rows, int cols, const float *into)
{
    return checkpoint_read(ld->ck, t, rows.first, rows.len, 0, cols, loader_own(into));
}

void loader_norm(const loader *ld, const affine *a, int d)
{
    if (ld->folded) return;
    loader_narrow(a->scale, ld->scale, d);
    loader_narrow(a->shift, ld->shift, d);
}

status loader_fold(loader *ld, float *w, const source *s, int row0, int rows, const float *bias)
{
    for (int i = 0; i < rows; i++) ld->bias[i] = 0;
    if (s->bias) TRY(loader_vector(ld, s->bias, row0, rows, ld->bias));
    if (ld->folded) fold_input(w, ld->bias, ld->scale, ld->shift, rows, s->k);
    if (bias) loader_narrow(bias, ld->bias, rows);
    return DID_OK;
}

/* Outputs [row0, row0 + rows) and some inputs of the checkpoint's weight are outputs `at` and on of
 * mine. */
typedef struct slab {
    int  at, row0, rows;
    span inputs;
} slab;

/* As many rows at a time as the stage takes; all of them, where they need not wait to be packed. */
static int rows_at_once(const loader *ld, const slab *s)
{
    int most = ld->stage && s->inputs.len > 0 ? STAGE_FLOATS / s->inputs.len : s->rows;
    return most < 1 ? 1 : most;
}

static status move_slab(loader *ld, const weight *w, const source *s, const slab *all,
                        const double *gate, bool input)
{
    int most = rows_at_once(ld, all), k = all->inputs.len;
    assert(k == w->k && all->at + all->rows <= w->n);
    for (int done = 0; done < all->rows; done += most) {
        int    rows = all->rows - done < most ? all->rows - done : most, at = all->at + done;
        int    row0 = all->row0 + done;
        float *to = ld->stage ? ld->stage : loader_own(w->data) + (size_t)at * (size_t)k;
        TRY(loader_matrix(ld, s, row0, rows, all->inputs.first, k, to));
        if (input) TRY(loader_fold(ld, to, s, row0, rows, w->bias ? w->bias + at : NULL));
        if (ld->folded && gate) fold_output(to, gate + row0, rows, k);
        if (ld->stage)
            bf16_pack((uint16_t *)(uintptr_t)w->packed, to, at, rows, k, ld->columns);
    }
    return DID_OK;
}

status loader_input(loader *ld, const weight *w, const source *s)
{
    if (w->tiles) return tiler_input(ld, w, s);
    slab all = {0, s->mine.first, s->mine.len, {0, s->k}};
    return move_slab(ld, w, s, &all, NULL, true);
}

status loader_projection(loader *ld, model *m, int layer, const source *s)
{
    if (m->mesh) return tiler_input(ld, &m->layers[layer].qkv, s);
    for (int third = 0; third < s->parts; third++) {
        slab    all = {0, third * (s->n / s->parts) + s->mine.first, s->mine.len, {0, s->k}};
        weight *w = model_third(m, layer, third, &all.at);
        TRY(move_slab(ld, w, s, &all, NULL, true));
    }
    return DID_OK;
}

status loader_output(loader *ld, const weight *w, const source *s, const double *gate)
{
    if (w->tiles) return tiler_output(ld, w, s, gate);
    slab all = {0, 0, s->n, s->mine};
    for (int i = 0; i < w->n_shards; i++) {
        const shard *part = &w->shards[i];
        all.inputs = (span){s->mine.first + part->first, part->whole.k};
        TRY(move_slab(ld, &part->whole, s, &all, gate, false));
    }
    return w->shards ? DID_OK : move_slab(ld, w, s, &all, gate, false);
}
