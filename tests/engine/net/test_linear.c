/* Products with a weight: right in every kernel set, and the same bits wherever a row stands. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "linear.h"
#include "made_up.h"

enum { ROWS = 260 };

/* A weight of its own, with the kernel set's panels. */
typedef struct product {
    weight w;
    float *data, *bias, *scratch, *in, *out;
} product;

static void product_open(product *p, const kernels *k, int n, int depth, bool bias)
{
    uint64_t state = 7;
    size_t   room = ROWS + PANEL_MAX;
    *p = (product){.w = {.n = n, .k = depth}};
    p->data = malloc((size_t)n * (size_t)depth * sizeof *p->data + 1);
    p->bias = malloc((size_t)n * sizeof *p->bias + 1);
    p->scratch = malloc(panel_scratch_floats(n, depth) * sizeof *p->scratch);
    p->in = malloc(room * (size_t)depth * sizeof *p->in + 1);
    p->out = malloc(room * (size_t)n * sizeof *p->out + 1);
    for (int i = 0; i < n * depth; i++) p->data[i] = made_up_normal(&state);
    for (int i = 0; i < n; i++) p->bias[i] = made_up_normal(&state);
    p->w.data = p->data;
    p->w.bias = bias ? p->bias : NULL;
    linear_prepare(&p->w, k, p->scratch);
}

static void product_close(product *p)
{
    free(p->data);
    free(p->bias);
    free(p->scratch);
    free(p->in);
    free(p->out);
}

static void fill(product *p, int rows, uint64_t seed)
{
    for (int i = 0; i < rows * p->w.k; i++) p->in[i] = made_up_normal(&seed);
    /* What is behind the rows is padding: it must not matter what lies there. */
    for (int i = rows * p->w.k; i < (ROWS + PANEL_MAX) * p->w.k; i++) p->in[i] = NAN;
}

static void assert_right(const product *p, const float *in, int rows)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < p->w.n; j++) {
            double sum = p->w.bias ? p->bias[j] : 0, size = fabs(sum);
            for (int i = 0; i < p->w.k; i++) {
                double term = (double)in[r * p->w.k + i] * p->data[j * p->w.k + i];
                sum += term;
                size += fabs(term);
            }
            assert_true(fabs(p->out[r * p->w.n + j] - sum) <= 1e-6 * size);
        }
}

static void products_are_right(void **state)
{
    (void)state;
    static const int shapes[][2] = {{1, 1}, {3, 2}, {24, 8}, {17, 31}, {96, 33}, {5, 64}};
    static const int rows[] = {1, 2, 5, 16, 17, 97, 192, 193, 257};
    for (const char *const *name = kernels_available(); *name; name++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int bias = 0; bias < 2; bias++) {
                product p;
                product_open(&p, kernels_find(*name), shapes[s][0], shapes[s][1], bias);
                for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                    fill(&p, rows[i], i);
                    linear_apply(p.out, p.in, &p.w, rows[i]);
                    assert_right(&p, p.in, rows[i]);
                }
                product_close(&p);
            }
}

/* The bits of a row of `p` among `rows` rows at `offset`. */
static void one_row(product *p, float *out, const float *row, int rows, int offset)
{
    size_t k = (size_t)p->w.k, n = (size_t)p->w.n;
    fill(p, rows, (uint64_t)(rows * 1000 + offset));
    memcpy(p->in + (size_t)offset * k, row, k * sizeof *row);
    linear_apply(p->out, p->in, &p->w, rows);
    memcpy(out, p->out + (size_t)offset * n, n * sizeof *out);
}

static void rows_keep_their_bits(void **state)
{
    (void)state;
    enum { N = 48, K = 40 };
    static const int rows[] = {1, 2, 3, 4, 5, 15, 16, 17, 96, 97, 192, 193, 255, 257};
    float            row[K], alone[N], crowded[N];
    uint64_t         seed = 3;
    for (int i = 0; i < K; i++) row[i] = made_up_normal(&seed);
    for (const char *const *name = kernels_available(); *name; name++) {
        product p;
        product_open(&p, kernels_find(*name), N, K, true);
        one_row(&p, alone, row, 1, 0);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (int offset = 0; offset < rows[i]; offset += 1 + rows[i] / 20) {
                one_row(&p, crowded, row, rows[i], offset);
                assert_memory_equal(alone, crowded, sizeof alone);
            }
        product_close(&p);
    }
}

/* A rank may own no columns of a layer: its part of the sum is zero (or the bias). It may own no
 * rows: then there is nothing to write. */
static void empty_shards(void **state)
{
    (void)state;
    for (const char *const *name = kernels_available(); *name; name++) {
        product p;
        for (int bias = 0; bias < 2; bias++) {
            product_open(&p, kernels_find(*name), 6, 0, bias);
            for (int i = 0; i < 6 * ROWS; i++) p.out[i] = NAN;
            linear_apply(p.out, p.in, &p.w, 5);
            for (int i = 0; i < 6 * 5; i++) assert_true(p.out[i] == (bias ? p.bias[i % 6] : 0));
            product_close(&p);
        }
        product_open(&p, kernels_find(*name), 0, 6, false);
        fill(&p, 5, 1);
        linear_apply(p.out, p.in, &p.w, 5);
        product_close(&p);
    }
}

static const kernels *honest;

/* As some libraries do: what a row gives depends on where it stands. */
static void fickle(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                   int k)
{
    honest->linear(c, a, w, bias, rows, n, k);
    for (int i = n * (rows - 1); i < n * rows; i++) c[i] = nextafterf(c[i], INFINITY);
}

/* A product that fails its trial is not used. */
static void unsteady_products_are_replaced(void **state)
{
    (void)state;
    honest = kernels_find("ref");
    kernels bad = *honest;
    bad.any_height = false;
    bad.linear = fickle;
    product p;
    float   row[24], alone[16], last[16];
    product_open(&p, &bad, 16, 24, false);
    assert_ptr_equal(p.w.product, honest->linear);
    assert_true(p.w.panel.verified);
    for (int i = 0; i < 24; i++) row[i] = (float)i / 7;
    one_row(&p, alone, row, 1, 0);
    one_row(&p, last, row, 9, 8);
    assert_memory_equal(alone, last, sizeof alone);
    product_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(rows_keep_their_bits),
        cmocka_unit_test(empty_shards),
        cmocka_unit_test(unsteady_products_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
