#include "layer.h"

#include <string.h>

#include "attention.h"
#include "hands.h"
#include "stream.h"

/* Rows that threads share. */
typedef struct shared_rows {
    const run *r;
    float     *x, *out;
    int        stride;
} shared_rows;

static void rotate_rows(void *context, int thread, int from, int to)
{
    const shared_rows *s = context;
    const run         *r = s->r;
    size_t             hs = (size_t)r->m->geometry.head_size, at = (size_t)from * (hs / 2);
    (void)thread;
    for (int head = 0; head < r->m->heads.len; head++)
        r->k->rotate(s->x + (size_t)from * (size_t)s->stride + (size_t)head * hs, s->stride,
                     r->a.cosine + at, r->a.sine + at, to - from, (int)hs);
}

/* Rotate all my heads of x[rows, stride]; row i has the angles of row i. */
static void rotate(const run *r, float *x, int stride, int rows)
{
    shared_rows s = {.r = r, .x = x, .stride = stride};
    if (r->m->geometry.rotary) hands_share(rows, RUN_FEW, rotate_rows, &s);
}

/* x[rows, stride] as an operand. */
static void narrow_rows(void *context, int thread, int from, int to)
{
    const shared_rows *s = context;
    (void)thread;
    s->r->k->operand((char *)s->out + (size_t)from * operand_bytes(s->r->k, s->stride),
                     s->x + (size_t)from * (size_t)s->stride, to - from, s->stride);
}

static void gelu_rows(void *context, int thread, int from, int to)
{
    const shared_rows *s = context;
    (void)thread;
    s->r->k->gelu(s->x + (size_t)from * (size_t)s->stride, to - from, s->stride);
}

/* Keep only the asked ones of rows of `bytes`. Asks ascend, so rows only move towards the front. */
static void keep_asked(const run *r, void *x, size_t bytes)
{
    for (int i = 0; i < r->p->n_asks; i++)
        memmove((char *)x + (size_t)i * bytes, (char *)x + (size_t)r->p->asks[i].row * bytes,
                bytes);
}

/* While what other rows hold is on its way, the segments that need nothing of it. */
static status attend_all(run *r, const projections *in, int layer, double *waited)
{
    const model *m = r->m;
    spanned     *s = r->at->spanned;
    int          at = layer - m->held.first; /* in the cache */
    attention_commit(r->p, in, at, &m->kv, r->at->cache, r->k);
    if (s) TRY(spanned_begin(s, r->p, in, &m->kv, r->at->workspace, r->k));
    attention_apply(r->a.heads, r->p, in, at, &m->kv, r->at->cache, r->at->workspace, r->k);
    return s ? spanned_end(s, r->a.heads, waited) : DID_OK;
}

static status attend(run *r, const projections *in, int layer)
{
    double waited = 0;
    size_t mark = arena_mark(r->at->workspace);
    TRY(attend_all(r, in, layer, &waited));
    arena_release(r->at->workspace, mark);
    r->at->timing->seconds[SECTION_WIRE] += waited;
    r->since += waited;
    run_lap(r, SECTION_ATTENTION);
    return DID_OK;
}

/* Q, K and V of all rows. */
static status project(run *r, int layer)
{
    const layer_weights *l = &r->m->layers[layer];
    int                  mine = l->qkv.n / 3, stride = 3 * mine;
    run_norm(r, &l->norm1);
    TRY(run_spread(r, r->a.qkv, &l->qkv, EPILOGUE_STORE));
    rotate(r, r->a.qkv, stride, r->rows);
    rotate(r, r->a.qkv + mine, stride, r->rows);
    run_lap(r, SECTION_ROWWISE);
    projections in = {.q = r->a.qkv,
                      .k = r->a.qkv + mine,
                      .v = r->a.qkv + 2 * mine,
                      .q_stride = stride,
                      .kv_stride = stride};
    return attend(r, &in, layer);
}

/* K and V of all rows, since others attend to them; Q and everything after it of asked rows only. */
static status project_last(run *r, int layer)
{
    const model         *m = r->m;
    const layer_weights *l = &m->layers[layer];
    int                  mine = m->last_q.n, d = m->geometry.d_model;
    size_t               half = (size_t)(m->geometry.head_size / 2) * sizeof(float);
    size_t               wide = (size_t)d * sizeof(float);
    run_norm(r, &l->norm1);
    TRY(run_spread(r, r->a.qkv, &m->last_kv, EPILOGUE_STORE));
    rotate(r, r->a.qkv, 2 * mine, r->rows);
    keep_asked(r, r->a.x, wide);
    keep_asked(r, r->a.h, run_narrow(r) ? operand_bytes(r->k, d) : wide);
    keep_asked(r, r->a.cosine, half);
    keep_asked(r, r->a.sine, half);
    r->rows = r->p->n_asks;
    run_lap(r, SECTION_ROWWISE);
    TRY(run_spread(r, r->a.part, &m->last_q, EPILOGUE_STORE));
    rotate(r, r->a.part, mine, r->rows);
    run_lap(r, SECTION_ROWWISE);
    projections in = {.q = r->a.part,
                      .k = r->a.qkv,
                      .v = r->a.qkv + mine,
                      .q_stride = mine,
                      .kv_stride = 2 * mine,
                      .asked_only = true};
    return attend(r, &in, layer);
}

status layer_attention(run *r, int layer)
{
    const layer_weights *l = &r->m->layers[layer];
    float               *heads = r->a.heads;
    if (layer + 1 < r->m->geometry.n_layers)
        TRY(project(r, layer));
    else
        TRY(project_last(r, layer));
    if (run_narrow(r)) {
        shared_rows s = {.r = r, .x = r->a.heads, .out = heads = r->a.h, .stride = l->out.k};
        hands_share(r->rows, RUN_FEW, narrow_rows, &s);
        run_lap(r, SECTION_ROWWISE);
    }
    return stream_join(r, heads, &l->out, l->gate1, l->out_bias, EV_SUM_ATTENTION);
}

/* gelu of the first half of the MLP: what enters the second. */
static status spread_up(run *r, const weight *w)
{
    TRY(run_spread(r, r->a.up, w, run_narrow(r) ? EPILOGUE_GELU : EPILOGUE_STORE));
    if (run_narrow(r)) return DID_OK;
    shared_rows s = {.r = r, .x = r->a.up, .stride = w->n};
    hands_share(r->rows, RUN_FEW, gelu_rows, &s);
    run_lap(r, SECTION_ROWWISE);
    return DID_OK;
}

status layer_mlp(run *r, int layer)
{
    const layer_weights *l = &r->m->layers[layer];
    run_norm(r, &l->norm2);
    TRY(spread_up(r, &l->up));
    return stream_join(r, r->a.up, &l->down, l->gate2, l->down_bias, EV_SUM_MLP);
}
