/* wide_linear.h - the product of a linear layer over vectors: see wide.h, which comes first.
 *
 * Both operands are read as they lie, along k. An element of c is LANES partial sums, each one chain
 * of fused multiply-adds in ascending order, folded by a fixed tree once per DEPTH of k. No number
 * of rows or columns is special, so nothing needs to be padded, and an element has the same bits in
 * any panel and any slice of the weight. A block of DOT_ROWS x DOT_COLS elements lives in registers;
 * the including file has chosen the first to fit. */
#ifndef DID_WIDE_LINEAR_H
#define DID_WIDE_LINEAR_H

#include "wide.h"

/* DEPTH of a block's rows fits the nearest cache, COLUMNS rows of w of that length the next one. */
enum { DOT_COLS = 4, DEPTH = 768, COLUMNS = 64 };

typedef struct dots {
    float       *c;
    const float *a, *w;
    const float *bias; /* NULL: none, or not yet */
    int          n, k; /* leading dimensions */
    int          depth;
    bool         more; /* c already holds the sums of the lower k */
} dots;

INLINE void dot_end(const dots *p, const vf *sum, int row, int cols)
{
    float folded[DOT_COLS], *c = p->c + (size_t)row * p->n;
    vf_sum_each(folded, sum[0], sum[1], sum[2], sum[3]);
    for (int j = 0; j < cols; j++) {
        float x = p->more ? c[j] + folded[j] : folded[j];
        c[j]    = p->bias ? x + p->bias[j] : x;
    }
}

/* One vector of k, of which `left` are there. */
INLINE void dot_step(vf sum[DOT_ROWS][DOT_COLS], const dots *p, int i, int left, int rows, int cols)
{
    vf a[DOT_ROWS];
    UNROLL for (int r = 0; r < rows; r++)
        a[r] = load(p->a + (size_t)r * p->k + i, left, 0);
    UNROLL for (int j = 0; j < cols; j++) {
        vf w = load(p->w + (size_t)j * p->k + i, left, 0);
        UNROLL for (int r = 0; r < rows; r++)
            sum[r][j] = vf_fma(a[r], w, sum[r][j]);
    }
}

INLINE void dot_block(dots p, int rows, int cols)
{
    vf  sum[DOT_ROWS][DOT_COLS];
    int i = 0;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < DOT_COLS; j++)
            sum[r][j] = vf_set(0);
    for (; p.depth - i >= LANES; i += LANES)
        dot_step(sum, &p, i, LANES, rows, cols);
    if (i < p.depth) dot_step(sum, &p, i, p.depth - i, rows, cols);
    UNROLL for (int r = 0; r < rows; r++)
        dot_end(&p, sum[r], r, cols);
}

/* The number of rows becomes a constant here, so the block above becomes straight code. */
INLINE void dot_rows(dots p, int rows, int cols)
{
    if (rows >= DOT_ROWS)
        dot_block(p, DOT_ROWS, cols);
    else if (DOT_ROWS > 5 && rows == 5)
        dot_block(p, 5, cols);
    else if (DOT_ROWS > 4 && rows == 4)
        dot_block(p, 4, cols);
    else if (DOT_ROWS > 3 && rows == 3)
        dot_block(p, 3, cols);
    else if (rows == 2)
        dot_block(p, 2, cols);
    else
        dot_block(p, 1, cols);
}

/* Columns [0, columns) of all rows, along `depth` of k. */
static void dot_panel(dots p, int rows, int columns)
{
    const dots whole = p;
    for (int r = 0; r < rows; r += DOT_ROWS)
        for (int j = 0; j < columns;) {
            int cols = columns - j >= DOT_COLS ? DOT_COLS : 1;
            p.c      = whole.c + (size_t)r * p.n + j;
            p.a      = whole.a + (size_t)r * p.k;
            p.w      = whole.w + (size_t)j * p.k;
            p.bias   = whole.bias ? whole.bias + j : NULL;
            if (cols == DOT_COLS)
                dot_rows(p, rows - r, DOT_COLS);
            else
                dot_rows(p, rows - r, 1);
            j += cols;
        }
}

static void linear(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                   int k)
{
    for (int j = 0; j < n; j += COLUMNS)
        for (int i = 0; i < k; i += DEPTH) {
            bool last = k - i <= DEPTH;
            dots p    = {.c     = c + j,
                         .a     = a + i,
                         .w     = w + (size_t)j * k + i,
                         .bias  = bias && last ? bias + j : NULL,
                         .n     = n,
                         .k     = k,
                         .depth = last ? k - i : DEPTH,
                         .more  = i > 0};
            dot_panel(p, rows, n - j < COLUMNS ? n - j : COLUMNS);
        }
}

#endif
