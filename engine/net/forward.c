#include "forward.h"

#include <math.h>
#include <string.h>

#include "attention.h"
#include "layer.h"
#include "letter.h"
#include "run.h"
#include "stream.h"
#include "vocabulary.h"

size_t forward_workspace_bytes(const model *m, int rows, int window, int wide, int ranks)
{
    size_t attention = attention_scratch_bytes(rows, window, m->kv.tile_bytes);
    if (wide > 0) attention += spanned_scratch_bytes(wide, m->kv.tile_bytes);
    size_t vocabulary = vocabulary_scratch_bytes(m->vocab.len, model_slices(m).n, ranks);
    size_t products = model_scratch_bytes(m, rows);
    size_t most = attention > vocabulary ? attention : vocabulary;
    return run_bytes(m, rows) + (most > products ? most : products);
}

size_t forward_sum_floats(const model *m, int rows)
{
    return (size_t)rows * (size_t)m->geometry.d_model;
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

static size_t stream_bytes(const run *r)
{
    return (size_t)r->rows * (size_t)r->m->geometry.d_model * sizeof *r->a.x;
}

static status transform(run *r, const pass *p, const forward_place *place)
{
    run_open(r, p, place);
    if (place->in)
        memcpy(r->a.x, place->in, stream_bytes(r));
    else
        TRY(stream_embed(r));
    angles(r);
    for (int i = r->m->held.first; i < r->m->held.first + r->m->held.len; i++) {
        TRY(layer_attention(r, i));
        letter_look(place->chain);
        TRY(layer_mlp(r, i));
    }
    if (place->out)
        memcpy(place->out, r->a.x, stream_bytes(r));
    else
        run_norm(r, &r->m->norm_final);
    return DID_OK;
}

/* Logits of asked rows [first, first + n), n <= HEAD_ROWS. */
static status head(run *r, int first, int n)
{
    const weight *w = &r->m->head;
    size_t        row = run_narrow(r) ? operand_bytes(r->k, w->k) : (size_t)w->k * sizeof *r->a.h;
    status        s = linear_in(r->a.logits, (char *)r->a.h + (size_t)first * row, w, n,
                                EPILOGUE_STORE, r->at->workspace);
    run_lap_linear(r);
    return s;
}

static status answer_all(answer *answers, run *r)
{
    slices words = model_slices(r->m);
    for (int first = 0; first < r->p->n_asks; first += HEAD_ROWS) {
        int n = r->p->n_asks - first < HEAD_ROWS ? r->p->n_asks - first : HEAD_ROWS;
        TRY(head(r, first, n));
        TRY(vocabulary_answer(answers + first, r->p->asks + first, r->a.logits, n, &words,
                              r->m->geometry.mask_id, r->at->workspace, r->k, r->at->row));
        run_lap(r, SECTION_DRAW);
    }
    return DID_OK;
}

status forward(answer *answers, const pass *p, const forward_place *place)
{
    run    r;
    size_t mark = arena_mark(place->workspace);
    status s = transform(&r, p, place);
    if (s == DID_OK && !place->out) s = answer_all(answers, &r);
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
