#include "rowwise.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "noise.h"

/* An operation and what it works on. `x` is what it reads, and changes where it works in place;
 * `before` is x as it was. */
typedef struct rowwise {
    const struct operation *op;
    int                     rows, d, stride;
    float                  *x, *before, *y, *a, *b;
    double                 *weight;
    double                  total; /* what `exponentials` or `max` returned */
} rowwise;

/* How much an operation may stray, in units of verdict.h; f64 is held to its own rounding. */
typedef struct operation {
    const char *name;
    void (*run)(const kernels *k, rowwise *r);
    int (*d)(const rowwise_shape *shape);
    size_t place; /* in the kernel table */
    double tolerance, tolerance_total;
    double floats;                  /* read, or written where that is more, per element */
    bool   in_place, one_row, wide; /* wide: rows lie three widths of the model apart */
} operation;

static void norm(const kernels *k, rowwise *r)
{
    k->norm(r->y, r->x, r->a, r->b, r->rows, r->d);
}

static void gelu(const kernels *k, rowwise *r)
{
    k->gelu(r->x, r->rows, r->d);
}

static void residual(const kernels *k, rowwise *r)
{
    k->residual(r->x, r->y, r->a, r->b, r->rows, r->d);
}

static void rotate(const kernels *k, rowwise *r)
{
    k->rotate(r->x, r->stride, r->a, r->b, r->rows, r->d);
}

static void max(const kernels *k, rowwise *r)
{
    r->total = k->max(r->x, r->d, r->d - 1);
}

static void exponentials(const kernels *k, rowwise *r)
{
    r->total = k->exponentials(r->weight, r->x, 2, 1.25, r->d, r->d - 1);
}

static int d_model(const rowwise_shape *s)
{
    return s->d_model;
}
static int d_mlp(const rowwise_shape *s)
{
    return s->d_mlp;
}
static int head_size(const rowwise_shape *s)
{
    return s->head_size;
}
static int vocab(const rowwise_shape *s)
{
    return s->vocab;
}

#define ENTRY(op) #op, op
#define PLACE(op) offsetof(kernels, op)

static const operation table[] = {
    {ENTRY(norm), d_model, PLACE(norm), 67, 0, 1, false, false, false},
    {ENTRY(gelu), d_mlp, PLACE(gelu), 17, 0, 1, true, false, false},
    {ENTRY(residual), d_model, PLACE(residual), 5, 0, 2, true, false, false},
    {ENTRY(rotate), head_size, PLACE(rotate), 17, 0, 2, true, false, true},
    {ENTRY(max), vocab, PLACE(max), 0, 0, 1, false, true, false},
    {ENTRY(exponentials), vocab, PLACE(exponentials), 0x1p-25, 0x1p-18, 2, false, true, false},
};

enum { OPERATIONS = sizeof table / sizeof *table };

/* gelu takes a negative number nearer to zero with every call; after a hundred it would be too
 * small for full speed. */
enum { CALLS_IN_PLACE = 32 };

int rowwise_count(void)
{
    return OPERATIONS;
}

const char *rowwise_name(int i)
{
    return table[i].name;
}

bool rowwise_takes_rows(int i)
{
    return !table[i].one_row;
}

static size_t floats_of_x(const rowwise *r)
{
    return (size_t)r->rows * (size_t)r->stride;
}

static void run(exercise *x)
{
    rowwise *r = x->own;
    r->op->run(x->kernels, r);
}

static void reset(exercise *x)
{
    rowwise *r = x->own;
    memcpy(r->x, r->before, floats_of_x(r) * sizeof *r->x);
}

/* Once by this set, once by ref from the same beginning. */
static void check(exercise *x, verdict *v)
{
    rowwise *r = x->own, oracle = *r;
    size_t   n = floats_of_x(r);
    reset(x);
    run(x);
    double total = r->total;
    float *got = r->op->in_place ? r->x : r->y;
    float *kept = r->before + n;
    memcpy(kept, got, n * sizeof *kept);
    double *weights = r->weight ? r->weight + r->d : NULL;
    if (weights) memcpy(weights, r->weight, (size_t)r->d * sizeof *weights);
    reset(x);
    oracle.op->run(kernels_find("ref"), &oracle);
    if (!r->op->one_row) verdict_floats(v, kept, got, n, 1, r->op->tolerance, "an element");
    for (int i = 0; weights && i < r->d; i++)
        verdict_number(v, weights[i], r->weight[i], r->weight[i], r->op->tolerance, "a weight");
    if (r->op->one_row)
        verdict_number(v, total, oracle.total, fabs(oracle.total), r->op->tolerance_total,
                       "the result");
    reset(x);
}

static void describe(exercise *x, const rowwise *r)
{
    double elements = (double)r->rows * r->d;
    size_t bytes = (size_t)(elements * r->op->floats) * sizeof(float);
    snprintf(x->shape, sizeof x->shape, "%d", r->d);
    x->op = r->op->name;
    x->rows = r->rows;
    x->bytes = (double)bytes;
    x->working_set = bytes;
    x->run = run;
    x->check = check;
    x->reset = r->op->in_place ? reset : NULL;
    x->calls_max = r->op->in_place ? CALLS_IN_PLACE : 0;
}

/* Function pointers of the same place in two tables; their types differ from operation to
 * operation, so their bytes are compared. */
static bool borrowed(const kernels *k, const operation *op)
{
    return !memcmp((const char *)k + op->place, (const char *)kernels_find("ref") + op->place,
                   sizeof k->norm);
}

static void fill(rowwise *r, int seed)
{
    size_t   n = floats_of_x(r), d = (size_t)r->d;
    uint64_t first = (uint64_t)seed << 32;
    noise_fill(r->before, n, 5, first, 0, 1);
    noise_fill(r->x, n, 5, first, 0, 1);
    noise_fill(r->y, n, 6, first, 0, 1);
    /* Angles are one row per row; scales, shifts, gates and biases one row for all. */
    noise_fill(r->a, r->op->wide ? n : d, 7, first, 1, 0.2f);
    noise_fill(r->b, r->op->wide ? n : d, 8, first, 0, 0.2f);
}

status rowwise_open(exercise *x, const kernels *k, int i, const rowwise_shape *shape, int rows,
                    int seed)
{
    rowwise r = {.op = &table[i], .rows = table[i].one_row ? 1 : rows, .d = table[i].d(shape)};
    r.stride = r.op->wide ? 3 * shape->d_model : r.d;
    size_t n = floats_of_x(&r);
    *x = (exercise){.kernels = k, .borrowed = borrowed(k, r.op)};
    TRY(exercise_open(x, sizeof r, 6 * n + 4 * (size_t)r.d));
    r.x = exercise_floats(x, n);
    r.before = exercise_floats(x, 2 * n); /* the second half keeps an answer while it is checked */
    r.y = exercise_floats(x, n);
    r.a = exercise_floats(x, n);
    r.b = exercise_floats(x, n);
    if (r.op->run == exponentials) r.weight = (double *)exercise_floats(x, 4 * (size_t)r.d);
    fill(&r, seed);
    *(rowwise *)x->own = r;
    describe(x, x->own);
    return DID_OK;
}
