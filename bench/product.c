#include "product.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bf16.h"
#include "linear.h"
#include "noise.h"

typedef struct product {
    weight w;        /* its data is the copy whose turn it is */
    float *data;     /* [copies][n][k]; in bf16 one, which the packed ones are made of */
    char  *packed;   /* bf16: [copies][packed_bytes] */
    void  *operand;  /* bf16: of `in` */
    float *in, *out; /* [rows + PANEL_MAX] */
    int    rows, copies, turn;
} product;

static bool narrow(const kernels *k)
{
    return k->precision == PRECISION_BF16;
}

/* Rounded sums of k products of random numbers stray by far less; a term that is missing or counted
 * twice, by far more. */
static const double TOLERANCE = 8;

static void run_narrow(exercise *x)
{
    product *p = x->own;
    p->w.packed = p->packed + (size_t)p->turn * packed_bytes(p->w.n, p->w.k);
    p->turn = (p->turn + 1) % p->copies;
    linear_apply_narrow(p->out, p->operand, &p->w, p->w.bias, p->rows, EPILOGUE_STORE);
}

static void run(exercise *x)
{
    product *p = x->own;
    p->w.data = p->data + (size_t)p->turn * (size_t)p->w.n * (size_t)p->w.k;
    p->turn = (p->turn + 1) % p->copies;
    linear_apply(p->out, p->in, &p->w, p->rows);
}

/* One row beside ref's, element by element. */
static void check_row(const product *p, int row, float *want, verdict *v)
{
    int          n = p->w.n, k = p->w.k;
    const float *a = p->in + (size_t)row * (size_t)k;
    const float *got = p->out + (size_t)row * (size_t)n;
    kernels_find("ref")->linear(want, a, p->data, p->w.bias, 1, n, k);
    for (int j = 0; j < n; j++) {
        const float *w = p->data + (size_t)j * (size_t)k;
        double       size = p->w.bias ? fabs(p->w.bias[j]) : 0;
        for (int i = 0; i < k; i++) size += fabs((double)a[i] * w[i]);
        verdict_number(v, got[j], want[j], size, TOLERANCE, "an element");
    }
}

/* The sum over the columns of W, each with a sign, in sums[k]; the same of the bias is returned. */
static double sign_columns(const product *p, double *sums)
{
    double bias = 0;
    memset(sums, 0, (size_t)p->w.k * sizeof *sums);
    for (int j = 0; j < p->w.n; j++) {
        double       sign = noise_bits(3, (uint64_t)j) & 1 ? 1 : -1;
        const float *w = p->data + (size_t)j * (size_t)p->w.k;
        for (int i = 0; i < p->w.k; i++) sums[i] += sign * w[i];
        bias += p->w.bias ? sign * p->w.bias[j] : 0;
    }
    return bias;
}

/* All rows at once: a row's elements, summed with signs, are the row times the sum of the weights
 * with these signs. Errors of honest rounding cancel as the root of n. */
static void check_sums(const product *p, double *sums, verdict *v)
{
    double bias = sign_columns(p, sums);
    for (int r = 0; r < p->rows; r++) {
        const float *a = p->in + (size_t)r * (size_t)p->w.k;
        const float *c = p->out + (size_t)r * (size_t)p->w.n;
        double       got = 0, want = bias, size = 0;
        for (int j = 0; j < p->w.n; j++) got += noise_bits(3, (uint64_t)j) & 1 ? c[j] : -c[j];
        for (int i = 0; i < p->w.k; i++) {
            want += a[i] * sums[i];
            size += fabs(a[i]);
        }
        verdict_number(v, got, want, size * sqrt(p->w.n), TOLERANCE, "a row, summed with signs,");
    }
}

static void check(exercise *x, verdict *v)
{
    product *p = x->own;
    int      some[] = {0, p->rows / 2, p->rows - 1};
    float   *want = malloc((size_t)p->w.n * sizeof *want);
    double  *sums = malloc((size_t)p->w.k * sizeof *sums);
    p->turn = p->copies - 1;
    x->run(x);
    if (!want || !sums) verdict_wrong(v, "no memory to check with");
    for (int i = 0; want && i < 3; i++)
        if (i == 0 || some[i] != some[i - 1]) check_row(p, some[i], want, v);
    if (sums) check_sums(p, sums, v);
    free(want);
    free(sums);
}

/* Choose panels, where the set needs them chosen. */
static status prepare(product *p, const kernels *k)
{
    float *scratch = NULL;
    size_t bytes = panel_scratch_floats(p->w.n, p->w.k) * sizeof *scratch;
    if (!k->any_height && !(scratch = malloc(bytes)))
        return status_fail(DID_ENOMEM, "cannot get %zu bytes to try panels", bytes);
    linear_prepare(&p->w, k, scratch);
    free(scratch);
    return DID_OK;
}

/* Both sides are numbers of bf16, so the same check holds them; the last copy is the one looked at. */
static void fill_narrow(product *p, const kernels *k, int seed)
{
    size_t one = (size_t)p->w.n * (size_t)p->w.k, in = (size_t)p->rows * (size_t)p->w.k;
    size_t bytes = packed_bytes(p->w.n, p->w.k);
    noise_fill(p->data, one, 1, (uint64_t)seed << 32, 0, 1);
    noise_fill(p->in, in, 2, (uint64_t)seed << 32, 0, 1);
    for (size_t i = 0; i < one; i++) p->data[i] = half_widen(half_round(p->data[i]));
    for (size_t i = 0; i < in; i++) p->in[i] = half_widen(half_round(p->in[i]));
    memset(p->packed, 0, bytes);
    bf16_pack((uint16_t *)(void *)p->packed, p->data, 0, p->w.n, p->w.k, k->columns);
    for (int i = 1; i < p->copies; i++)
        memcpy(p->packed + (size_t)i * bytes, p->packed, bytes);
    k->operand(p->operand, p->in, p->rows, p->w.k);
}

static void fill(product *p, int seed)
{
    size_t one = (size_t)p->w.n * (size_t)p->w.k;
    noise_fill(p->data, one, 1, (uint64_t)seed << 32, 0, 1);
    for (int i = 1; i < p->copies; i++)
        memcpy(p->data + (size_t)i * one, p->data, one * sizeof *p->data);
    noise_fill(p->in, (size_t)p->rows * (size_t)p->w.k, 2, (uint64_t)seed << 32, 0, 1);
}

static void describe(exercise *x, const product *p, const char *name)
{
    double n = p->w.n, k = p->w.k, rows = p->rows;
    bool   half = narrow(x->kernels);
    double weight_size = half ? 2 : sizeof(float);
    double left_size = half ? x->kernels->left_bytes : (int)sizeof(float);
    snprintf(x->shape, sizeof x->shape, "%s %dx%d", name, p->w.n, p->w.k);
    x->op = "linear";
    x->rows = p->rows;
    x->flops = 2 * rows * n * k;
    x->bytes = weight_size * n * k + left_size * rows * k;
    x->working_set = (size_t)(weight_size * p->copies * n * k + sizeof(float) * rows * (n + k));
    x->run = half ? run_narrow : run;
    x->check = check;
}

static bool borrowed(const kernels *k)
{
    const kernels *ref = kernels_of(k->precision, "ref");
    return narrow(k) ? k->linear_packed == ref->linear_packed : k->linear == ref->linear;
}

status product_open(exercise *x, const kernels *k, const product_shape *shape, int rows,
                    size_t rotate_bytes, int seed)
{
    size_t n = (size_t)shape->n, depth = (size_t)shape->k, padded = (size_t)rows + PANEL_MAX;
    bool   half = narrow(k);
    size_t one = half ? packed_bytes(shape->n, shape->k) : n * depth * sizeof(float);
    size_t copies = rotate_bytes / one + 1, wide = half ? 1 : copies;
    size_t words = half ? copies * one / sizeof(float) + (size_t)rows * (depth + 1) : 0;
    *x = (exercise){.kernels = k, .borrowed = borrowed(k)};
    TRY(exercise_open(x, sizeof(product),
                      wide * n * depth + padded * (n + depth) + n + words));
    product *p = x->own;
    *p = (product){.w = {.n = shape->n, .k = shape->k}, .rows = rows, .copies = (int)copies};
    p->data = exercise_floats(x, wide * n * depth);
    p->w.data = half ? NULL : p->data;
    if (half) p->packed = (char *)exercise_floats(x, copies * one / sizeof(float));
    if (half) p->operand = exercise_floats(x, (size_t)rows * (depth + 1));
    p->in = exercise_floats(x, padded * depth);
    p->out = exercise_floats(x, padded * n);
    if (shape->bias) {
        float *bias = exercise_floats(x, n);
        noise_fill(bias, n, 4, (uint64_t)seed << 32, 0, 1);
        p->w.bias = bias;
    }
    if (half) fill_narrow(p, k, seed);
    else fill(p, seed);
    describe(x, p, shape->name);
    status s = prepare(p, k);
    if (s != DID_OK) exercise_close(x);
    return s;
}

void product_rows(exercise *x, int rows)
{
    product *p = x->own;
    assert(rows <= x->rows);
    p->rows = rows;
}
