#include "forward.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "attention.h"
#include "clock.h"
#include "vocabulary.h"

/* The activations of a pass of T rows; read twice, to measure and to carve. Products write whole
 * panels, so every array that enters or leaves one has room for PANEL_MAX rows more. In bf16, h and
 * up hold operands, whose rows may be one number longer; they have this much room in every set. */
#define WORKSPACE(X)                                                   \
    X(x,      float,  T + PANEL_MAX, d_model)   /* residual stream  */ \
    X(h,      float,  T + PANEL_MAX, d_model + d_model % 2) /* a product's input */ \
    X(qkv,    float,  T + PANEL_MAX, 3 * mine)  /* my heads         */ \
    X(heads,  float,  T + PANEL_MAX, mine)      /* attention output */ \
    X(part,   float,  T + PANEL_MAX, d_model)   /* sum to reduce    */ \
    X(up,     float,  T + PANEL_MAX, columns + columns % 2) /* my MLP columns */ \
    X(cosine, float,  T, half)                  /* rotary angles    */ \
    X(sine,   float,  T, half)                                         \
    X(logits, float,  HEAD_ROWS, words)         /* my vocabulary    */

typedef struct activations {
#define X(name, type, rows, cols) type *name;
    WORKSPACE(X)
#undef X
} activations;

#define DIMENSIONS(m)                                                                        \
    int d_model = (m)->geometry.d_model, mine = (m)->heads.len * (m)->geometry.head_size,    \
        columns = (m)->mlp.len, half = (m)->geometry.head_size / 2, words = (m)->vocab.len

size_t forward_workspace_bytes(const model *m, int rows, int window, int wide, int ranks)
{
    DIMENSIONS(m);
    size_t bytes = 0, T = (size_t)rows;
#define X(name, type, rows_, cols) bytes += arena_round((size_t)(rows_) * (size_t)(cols) * sizeof(type));
    WORKSPACE(X)
#undef X
    size_t attention = attention_scratch_bytes(rows, window, m->kv.tile_bytes);
    if (wide > 0) attention += spanned_scratch_bytes(wide, m->kv.tile_bytes);
    size_t vocabulary = vocabulary_scratch_bytes(words, ranks);
    size_t products = model_scratch_bytes(m, rows);
    size_t most = attention > vocabulary ? attention : vocabulary;
    return bytes + (most > products ? most : products);
}

static void carve(activations *a, arena *from, const model *m, int rows)
{
    DIMENSIONS(m);
    size_t T = (size_t)rows;
#define X(name, type, rows_, cols) \
    a->name = arena_take(from, (size_t)(rows_) * (size_t)(cols) * sizeof(type));
    WORKSPACE(X)
#undef X
}

size_t forward_sum_floats(const model *m, int rows)
{
    return (size_t)rows * (size_t)m->geometry.d_model;
}

/* What the functions below share for the length of one pass. */
typedef struct run {
    const pass          *p;
    const forward_place *at;
    const model         *m;
    const kernels       *k;
    activations          a;
    int                  rows;  /* in x: all rows, and after the last layer's keys the asked ones */
    double               since, wired;  /* when lap was called; seconds in linear layers' events */
} run;

/* Charge the time since the last call to `s`. */
static void lap(run *r, section s)
{
    double now = clock_seconds();
    r->at->timing->seconds[s] += now - r->since;
    r->since = now;
}

/* Seconds spent so far in the events of linear layers. */
static double wired(void)
{
    return event_totals(EV_SUM_ATTENTION).seconds + event_totals(EV_SUM_MLP).seconds +
           event_totals(EV_SPREAD).seconds;
}

/* Charge the time since the last call to the product and to the wire behind it. */
static void lap_linear(run *r)
{
    double now = wired(), wire = now - r->wired;
    r->wired = now;
    r->at->timing->seconds[SECTION_WIRE] += wire;
    r->since += wire;
    lap(r, SECTION_LINEAR);
}

/* Learned positions join the residual stream once, at its beginning. Models that have them are never
 * patched: they only score. */
static void add_positions(run *r)
{
    int d = r->m->geometry.d_model;
    for (int i = 0; i < r->p->n_segments; i++) {
        const segment *s = &r->p->segments[i];
        assert(s->kind != SEGMENT_PATCH);
        r->k->residual(r->a.x + (size_t)s->row * (size_t)d,
                       r->m->positions + (size_t)s->first * (size_t)d, NULL, NULL, s->len, d);
    }
    lap(r, SECTION_ROWWISE);
}

/* Each rank knows the embeddings of its words; the sum over the row knows them all. */
static status embed(run *r)
{
    int    d = r->m->geometry.d_model;
    span   words = r->m->vocab;
    size_t row_bytes = (size_t)d * sizeof(float);
    for (int i = 0; i < r->rows; i++) {
        int    word = r->p->token[i] - words.first;
        float *x = r->a.x + (size_t)i * (size_t)d;
        if (word >= 0 && word < words.len)
            memcpy(x, r->m->embedding + (size_t)word * (size_t)d, row_bytes);
        else
            memset(x, 0, row_bytes);
    }
    lap(r, SECTION_ROWWISE);
    TRY(comm_sum(r->at->row, r->a.x, (size_t)r->rows * (size_t)d, EV_SUM_EMBEDDING));
    lap(r, SECTION_WIRE);
    if (r->m->positions) add_positions(r);
    return DID_OK;
}

/* One row of angles per row of the pass, at its absolute position. */
static void angles(run *r)
{
    int half = r->m->geometry.head_size / 2;
    for (int i = 0; i < r->p->n_segments; i++) {
        const segment *s = &r->p->segments[i];
        for (int j = 0; j < s->len; j++) {
            int    position = pass_position(r->p, s, j);
            float *c = r->a.cosine + (size_t)(s->row + j) * (size_t)half;
            float *n = r->a.sine + (size_t)(s->row + j) * (size_t)half;
            for (int f = 0; f < half; f++) {
                double angle = position * r->m->inv_freq[f];
                c[f] = (float)cos(angle);
                n[f] = (float)sin(angle);
            }
        }
    }
}

/* Rotate all my heads of x[rows, stride]; row i has the angles of row i. */
static void rotate(const run *r, float *x, int stride, int rows)
{
    int hs = r->m->geometry.head_size;
    for (int head = 0; r->m->geometry.rotary && head < r->m->heads.len; head++)
        r->k->rotate(x + (size_t)head * (size_t)hs, stride, r->a.cosine, r->a.sine, rows, hs);
}

static bool narrow(const run *r)
{
    return r->k->precision == PRECISION_BF16;
}

/* The input of the products that follow: x normed, in bf16 as an operand, a few rows at a time so
 * that they are still near when they are rounded. */
static void norm(run *r, const affine *a)
{
    enum { FEW = 8 };
    int    d = r->m->geometry.d_model;
    size_t row = narrow(r) ? operand_bytes(r->k, d) : 0;
    if (!narrow(r)) r->k->norm(r->a.h, r->a.x, a->scale, a->shift, r->rows, d);
    for (int i = 0; row > 0 && i < r->rows; i += FEW) {
        int some = r->rows - i < FEW ? r->rows - i : FEW;
        r->k->norm(r->a.part, r->a.x + (size_t)i * (size_t)d, a->scale, a->shift, some, d);
        r->k->operand((char *)r->a.h + (size_t)i * row, r->a.part, some, d);
    }
    lap(r, SECTION_ROWWISE);
}

/* Everybody has the input, h; I get my heads, columns or words. */
static status spread(run *r, float *out, const weight *w, epilogue e)
{
    status s = linear_in(out, r->a.h, w, r->rows, e, r->at->workspace);
    lap_linear(r);
    return s;
}

/* gelu of the first half of the MLP: what enters the second. */
static status spread_up(run *r, const weight *w)
{
    TRY(spread(r, r->a.up, w, narrow(r) ? EPILOGUE_GELU : EPILOGUE_STORE));
    if (narrow(r)) return DID_OK;
    r->k->gelu(r->a.up, r->rows, w->n);
    lap(r, SECTION_ROWWISE);
    return DID_OK;
}

/* The rows that `in`, my heads or columns, adds to the residual stream. One rank without a gate adds
 * them where they arise, with the additions a sum of one part and residual() would make. */
static status join(run *r, float *in, const weight *w, const float *gate, const float *bias,
                   event e)
{
    if (narrow(r) && comm_size(r->at->row) == 1 && !gate && w->k > 0) {
        linear_apply_narrow(r->a.x, in, w, bias, r->rows, EPILOGUE_ADD);
        lap_linear(r);
        return DID_OK;
    }
    status s = linear_out(r->a.part, in, w, r->rows, r->at->workspace, r->at->row, e);
    lap_linear(r);
    TRY(s);
    r->k->residual(r->a.x, r->a.part, gate, bias, r->rows, r->m->geometry.d_model);
    lap(r, SECTION_ROWWISE);
    return DID_OK;
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
    attention_commit(r->p, in, layer, &m->kv, r->at->cache, r->k);
    if (s) TRY(spanned_begin(s, r->p, in, &m->kv, r->at->workspace, r->k));
    attention_apply(r->a.heads, r->p, in, layer, &m->kv, r->at->cache, r->at->workspace, r->k);
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
    lap(r, SECTION_ATTENTION);
    return DID_OK;
}

/* Q, K and V of all rows. */
static status project(run *r, int layer)
{
    const layer_weights *l = &r->m->layers[layer];
    int                  mine = l->qkv.n / 3, stride = 3 * mine;
    norm(r, &l->norm1);
    TRY(spread(r, r->a.qkv, &l->qkv, EPILOGUE_STORE));
    rotate(r, r->a.qkv, stride, r->rows);
    rotate(r, r->a.qkv + mine, stride, r->rows);
    lap(r, SECTION_ROWWISE);
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
    norm(r, &l->norm1);
    TRY(spread(r, r->a.qkv, &m->last_kv, EPILOGUE_STORE));
    rotate(r, r->a.qkv, 2 * mine, r->rows);
    keep_asked(r, r->a.x, wide);
    keep_asked(r, r->a.h, narrow(r) ? operand_bytes(r->k, d) : wide);
    keep_asked(r, r->a.cosine, half);
    keep_asked(r, r->a.sine, half);
    r->rows = r->p->n_asks;
    lap(r, SECTION_ROWWISE);
    TRY(spread(r, r->a.part, &m->last_q, EPILOGUE_STORE));
    rotate(r, r->a.part, mine, r->rows);
    lap(r, SECTION_ROWWISE);
    projections in = {.q = r->a.part,
                      .k = r->a.qkv,
                      .v = r->a.qkv + mine,
                      .q_stride = mine,
                      .kv_stride = 2 * mine,
                      .asked_only = true};
    return attend(r, &in, layer);
}

/* One layer, on my heads and my columns. */
static status layer_forward(run *r, int layer)
{
    const layer_weights *l = &r->m->layers[layer];
    float               *heads = r->a.heads;
    if (layer + 1 < r->m->geometry.n_layers)
        TRY(project(r, layer));
    else
        TRY(project_last(r, layer));
    if (narrow(r)) {
        heads = r->a.h;
        r->k->operand(heads, r->a.heads, r->rows, l->out.k);
        lap(r, SECTION_ROWWISE);
    }
    TRY(join(r, heads, &l->out, l->gate1, l->out_bias, EV_SUM_ATTENTION));
    norm(r, &l->norm2);
    TRY(spread_up(r, &l->up));
    return join(r, r->a.up, &l->down, l->gate2, l->down_bias, EV_SUM_MLP);
}

static status transform(run *r, const pass *p, const forward_place *place)
{
    *r = (run){.p = p, .at = place, .m = place->model, .k = place->kernels, .rows = p->n_rows};
    r->since = clock_seconds();
    r->wired = wired();
    carve(&r->a, place->workspace, r->m, p->n_rows);
    TRY(embed(r));
    angles(r);
    for (int i = 0; i < r->m->geometry.n_layers; i++) TRY(layer_forward(r, i));
    norm(r, &r->m->norm_final);
    return DID_OK;
}

/* Logits of asked rows [first, first + n), n <= HEAD_ROWS. */
static status head(run *r, int first, int n)
{
    const weight *w = &r->m->head;
    size_t        row = narrow(r) ? operand_bytes(r->k, w->k) : (size_t)w->k * sizeof *r->a.h;
    status        s = linear_in(r->a.logits, (char *)r->a.h + (size_t)first * row, w, n,
                                EPILOGUE_STORE, r->at->workspace);
    lap_linear(r);
    return s;
}

static status answer_all(answer *answers, run *r)
{
    for (int first = 0; first < r->p->n_asks; first += HEAD_ROWS) {
        int n = r->p->n_asks - first < HEAD_ROWS ? r->p->n_asks - first : HEAD_ROWS;
        TRY(head(r, first, n));
        TRY(vocabulary_answer(answers + first, r->p->asks + first, r->a.logits, n, r->m->vocab,
                              r->m->geometry.mask_id, r->at->workspace, r->k, r->at->row));
        lap(r, SECTION_DRAW);
    }
    return DID_OK;
}

status forward(answer *answers, const pass *p, const forward_place *place)
{
    run    r;
    size_t mark = arena_mark(place->workspace);
    status s = transform(&r, p, place);
    if (s == DID_OK) s = answer_all(answers, &r);
    arena_release(place->workspace, mark);
    return s;
}

status forward_logits(float *logits, const pass *p, const forward_place *place)
{
    run    r;
    size_t mark = arena_mark(place->workspace), words = (size_t)place->model->vocab.len;
    status s = transform(&r, p, place);
    for (int first = 0; s == DID_OK && first < p->n_asks; first += HEAD_ROWS) {
        int n = p->n_asks - first < HEAD_ROWS ? p->n_asks - first : HEAD_ROWS;
        s = head(&r, first, n);
        memcpy(logits + (size_t)first * words, r.a.logits, (size_t)n * words * sizeof *logits);
    }
    arena_release(place->workspace, mark);
    return s;
}
