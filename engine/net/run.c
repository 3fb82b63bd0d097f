#include "run.h"

#include "clock.h"
#include "hands.h"

#define DIMENSIONS(m)                                                                        \
    int d_model = (m)->geometry.d_model, mine = (m)->heads.len * (m)->geometry.head_size,    \
        columns = (m)->mlp.len, half = (m)->geometry.head_size / 2, words = model_ends(m) ? (m)->vocab.len : 0

static size_t operand_floats(int width)
{
    return operand_bytes_max(width) / sizeof(float);
}

size_t run_bytes(const model *m, int rows)
{
    DIMENSIONS(m);
    size_t bytes = 0, T = (size_t)rows;
#define X(name, type, rows_, cols) bytes += arena_round((size_t)(rows_) * (size_t)(cols) * sizeof(type));
    ACTIVATIONS(X)
#undef X
    return bytes;
}

static void carve(activations *a, arena *from, const model *m, int rows)
{
    DIMENSIONS(m);
    size_t T = (size_t)rows;
#define X(name, type, rows_, cols) \
    a->name = arena_take(from, (size_t)(rows_) * (size_t)(cols) * sizeof(type));
    ACTIVATIONS(X)
#undef X
}

/* Seconds spent so far in the events of linear layers. */
static double wired(void)
{
    return event_totals(EV_SUM_ATTENTION).seconds + event_totals(EV_SUM_MLP).seconds +
           event_totals(EV_SPREAD).seconds;
}

void run_open(run *r, const pass *p, const forward_place *place)
{
    *r = (run){.p = p, .at = place, .m = place->model, .k = place->kernels, .rows = p->n_rows};
    r->since = clock_seconds();
    r->wired = wired();
    carve(&r->a, place->workspace, r->m, p->n_rows);
}

void run_lap(run *r, section s)
{
    double now = clock_seconds();
    r->at->timing->seconds[s] += now - r->since;
    r->since = now;
}

void run_lap_linear(run *r)
{
    double now = wired(), wire = now - r->wired;
    r->wired = now;
    r->at->timing->seconds[SECTION_WIRE] += wire;
    r->since += wire;
    run_lap(r, SECTION_LINEAR);
}

bool run_narrow(const run *r)
{
    return r->k->precision == PRECISION_BF16;
}

typedef struct norming {
    const run    *r;
    const affine *a;
} norming;

/* In bf16 a few rows at a time, so that they are still near when they are rounded. */
static void norm_rows(void *context, int thread, int from, int to)
{
    const norming *n = context;
    const run     *r = n->r;
    const affine  *a = n->a;
    size_t         d = (size_t)r->m->geometry.d_model;
    (void)thread;
    if (!run_narrow(r)) {
        r->k->norm(r->a.h + (size_t)from * d, r->a.x + (size_t)from * d, a->scale, a->shift,
                   to - from, (int)d);
        return;
    }
    float *near = r->a.part + (size_t)from * d;
    for (int i = from; i < to; i += RUN_FEW) {
        int some = to - i < RUN_FEW ? to - i : RUN_FEW;
        r->k->norm(near, r->a.x + (size_t)i * d, a->scale, a->shift, some, (int)d);
        r->k->operand((char *)r->a.h + (size_t)i * operand_bytes(r->k, (int)d), near, some, (int)d);
    }
}

void run_norm(run *r, const affine *a)
{
    norming n = {r, a};
    hands_share(r->rows, RUN_FEW, norm_rows, &n);
    run_lap(r, SECTION_ROWWISE);
}

status run_spread(run *r, float *out, const weight *w, epilogue e)
{
    status s = linear_in(out, r->a.h, w, r->rows, e, r->at->workspace);
    run_lap_linear(r);
    return s;
}
