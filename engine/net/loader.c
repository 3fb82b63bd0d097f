#include "loader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bf16.h"
#include "fold.h"

static int longest_bias(const model *m)
{
    int n = 3 * m->geometry.d_model;
    if (m->mlp.len > n) n = m->mlp.len;
    if (m->vocab.len > n) n = m->vocab.len;
    return n;
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

status loader_matrix(const loader *ld, const tensor *t, int row0, int rows, int col0, int cols,
                     const float *into)
{
    return checkpoint_read(ld->ck, t, row0, rows, col0, cols, loader_own(into));
}

void loader_norm(const loader *ld, const affine *a, int d)
{
    if (ld->folded) return;
    loader_narrow(a->scale, ld->scale, d);
    loader_narrow(a->shift, ld->shift, d);
}

static status read_transposed(const loader *ld, const slab *s, int row, int rows, float *out)
{
    for (int j = 0; j < s->cols; j++) {
        TRY(checkpoint_read(ld->ck, s->of, s->col + j, 1, s->row + row, rows, ld->row));
        for (int i = 0; i < rows; i++) out[(size_t)i * (size_t)s->cols + (size_t)j] = ld->row[i];
    }
    return DID_OK;
}

/* What is multiplied into some rows [first, first + n) of a slab on their way. */
typedef struct folding {
    double       *bias; /* input side: [rows] of the slab, grows by W shift */
    const double *gate; /* output side: [rows] of the slab; NULL: none */
} folding;

/* Rows [done, done + rows) of a slab: read, folded, and put where they belong. */
static status move_rows(loader *ld, weight *w, int at, const slab *s, int done, int rows,
                        const folding *f)
{
    float *to = ld->stage ? ld->stage : loader_own(w->data) + (size_t)(at + done) * (size_t)w->k;
    TRY(s->transposed ? read_transposed(ld, s, done, rows, to)
                      : checkpoint_read(ld->ck, s->of, s->row + done, rows, s->col, s->cols, to));
    if (ld->folded && f->bias) fold_input(to, f->bias + done, ld->scale, ld->shift, rows, w->k);
    if (ld->folded && f->gate) fold_output(to, f->gate + done, rows, w->k);
    if (ld->stage)
        bf16_pack((uint16_t *)(uintptr_t)w->packed, to, at + done, rows, w->k, ld->columns);
    return DID_OK;
}

static status move_slab(loader *ld, weight *w, int at, const slab *s, const folding *f)
{
    assert(s->cols == w->k && at + s->rows <= w->n);
    int most = ld->stage && w->k > 0 ? STAGE_FLOATS / w->k : s->rows;
    if (most < 1) most = 1;
    for (int done = 0; done < s->rows; done += most)
        TRY(move_rows(ld, w, at, s, done, s->rows - done < most ? s->rows - done : most, f));
    return DID_OK;
}

status loader_input_side(loader *ld, weight *w, int at, slab s, const tensor *bias, int first)
{
    for (int i = 0; i < s.rows; i++) ld->bias[i] = 0;
    if (bias) TRY(loader_vector(ld, bias, first, s.rows, ld->bias));
    TRY(move_slab(ld, w, at, &s, &(folding){.bias = ld->bias}));
    if (w->bias) loader_narrow(w->bias + at, ld->bias, s.rows);
    return DID_OK;
}

status loader_output_side(loader *ld, weight *w, slab s, const double *gate)
{
    return move_slab(ld, w, 0, &s, &(folding){.gate = gate});
}
