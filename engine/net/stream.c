#include "stream.h"

#include <assert.h>
#include <string.h>

#include "hands.h"

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
    run_lap(r, SECTION_ROWWISE);
}

/* Each rank knows the embeddings of its words; the sum over the row knows them all. */
status stream_embed(run *r)
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
    run_lap(r, SECTION_ROWWISE);
    TRY(comm_sum(r->at->row, r->a.x, (size_t)r->rows * (size_t)d, EV_SUM_EMBEDDING));
    run_lap(r, SECTION_WIRE);
    if (r->m->positions) add_positions(r);
    return DID_OK;
}

typedef struct joining {
    const run   *r;
    const float *gate, *bias;
} joining;

static void join_rows(void *context, int thread, int from, int to)
{
    const joining *j = context;
    size_t         d = (size_t)j->r->m->geometry.d_model;
    (void)thread;
    j->r->k->residual(j->r->a.x + (size_t)from * d, j->r->a.part + (size_t)from * d, j->gate,
                      j->bias, to - from, (int)d);
}

/* One rank without a gate adds its rows where they arise, with the additions a sum of one part and
 * residual() would make. */
status stream_join(run *r, float *in, const weight *w, const float *gate, const float *bias,
                   event e)
{
    if (run_narrow(r) && comm_size(r->at->row) == 1 && !gate && w->k > 0 &&
        !w->shards) {
        linear_apply_narrow(r->a.x, in, w, bias, r->rows, EPILOGUE_ADD);
        run_lap_linear(r);
        return DID_OK;
    }
    status s = linear_out(r->a.part, in, w, r->rows, r->at->workspace, r->at->row, e);
    run_lap_linear(r);
    TRY(s);
    joining j = {r, gate, bias};
    hands_share(r->rows, RUN_FEW, join_rows, &j);
    run_lap(r, SECTION_ROWWISE);
    return DID_OK;
}
