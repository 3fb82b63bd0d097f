#include "linear.h"

#include <assert.h>
#include <string.h>

#include "hands.h"
#include "shards.h"

void linear_prepare(weight *w, const kernels *k, float *scratch)
{
    w->kernels = k;
    if (w->n == 0 || w->k == 0 || k->precision == PRECISION_BF16) return;
    w->panel = linear_panel(k, w->n, w->k, scratch);
    w->product = k->linear;
    w->any_height = k->any_height;
    if (!w->panel.verified) {
        const kernels *ref = kernels_find("ref");
        w->panel = linear_panel(ref, w->n, w->k, scratch);
        w->product = ref->linear;
        w->any_height = ref->any_height;
    }
}

/* A rank may own no columns of a layer: what it brings to the sum is no part of it. Kernels are not
 * asked, since a product without terms writes nothing in some of them. */
static void apply_empty(float *out, const weight *w, const float *bias, int rows)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < w->n; j++) *out++ = bias ? bias[j] : 0;
}

static bool narrow(const weight *w)
{
    return w->kernels && w->kernels->precision == PRECISION_BF16;
}

status linear_in(void *out, void *in, const weight *w, int rows, epilogue e, arena *scratch)
{
    if (w->tiles) return mosaic_in(out, in, w->tiles, w->data, w->bias, rows, scratch);
    if (narrow(w)) linear_apply_narrow(out, in, w, w->bias, rows, e);
    else linear_apply(out, in, w, rows);
    return DID_OK;
}

status linear_out(float *out, void *in, const weight *w, int rows, arena *scratch, comm *row,
                  event e)
{
    if (w->tiles) return mosaic_out(out, in, w->tiles, w->data, rows, scratch);
    if (w->shards) shards_apply(out, in, w, rows, scratch);
    else if (narrow(w)) linear_apply_narrow(out, in, w, w->bias, rows, EPILOGUE_STORE);
    else linear_apply(out, in, w, rows);
    return comm_sum(row, out, (size_t)rows * (size_t)w->n, e);
}

/* Rows of a product for threads to share, or the columns of one. */
typedef struct shared_product {
    const weight *w;
    float        *out;
    const float  *in;
} shared_product;

static void multiply_rows(void *context, int thread, int from, int to)
{
    const shared_product *p = context;
    (void)thread;
    for (int done = from, some; done < to; done += some) {
        some = to - done < p->w->panel.large ? to - done : p->w->panel.large;
        p->w->product(p->out + (size_t)done * (size_t)p->w->n,
                      p->in + (size_t)done * (size_t)p->w->k, p->w->data, p->w->bias, some, p->w->n,
                      p->w->k);
    }
}

void linear_apply(float *out, float *in, const weight *w, int rows)
{
    if (w->k == 0) apply_empty(out, w, w->bias, rows);
    if (w->n == 0 || w->k == 0) return;
    if (w->any_height) {
        shared_product p = {w, out, in};
        hands_share(rows, w->panel.small, multiply_rows, &p);
        return;
    }
    for (int done = 0, height; done < rows; done += height) {
        int left = rows - done;
        /* One large panel costs less than the many small ones that would cover the same rows. */
        height = left > w->panel.large / 2 ? w->panel.large : w->panel.small;
        size_t at = (size_t)done * (size_t)w->k;
        if (left < height)
            memset(in + at + (size_t)left * (size_t)w->k, 0,
                   (size_t)(height - left) * (size_t)w->k * sizeof *in);
        w->product(out + (size_t)done * (size_t)w->n, in + at, w->data, w->bias, height, w->n,
                   w->k);
    }
}

/* So many rows of an operand stay in a nearby cache while the panels of a weight pass by. */
enum { NARROW_ROWS = 192 };

typedef struct shared_columns {
    const weight *w;
    char         *out;
    const char   *in;
    size_t        out_row, in_row;
    const float  *bias;
    int           rows;
    epilogue      e;
} shared_columns;

/* All rows meet a thread's own panels of the weight. */
static void multiply_columns(void *context, int thread, int from, int to)
{
    const shared_columns *p = context;
    const weight         *w = p->w;
    (void)thread;
    for (int done = 0; done < p->rows; done += NARROW_ROWS) {
        int some = p->rows - done < NARROW_ROWS ? p->rows - done : NARROW_ROWS;
        w->kernels->linear_packed(p->out + (size_t)done * p->out_row,
                                  p->in + (size_t)done * p->in_row, w->packed, p->bias, some, w->n,
                                  from, to, w->k, p->e);
    }
}

void linear_apply_narrow(void *out, const void *in, const weight *w, const float *bias, int rows,
                         epilogue e)
{
    const kernels *k = w->kernels;
    assert(w->k > 0 || e == EPILOGUE_STORE);
    if (w->k == 0) apply_empty(out, w, bias, rows);
    if (w->n == 0 || w->k == 0) return;
    shared_columns p = {.w = w, .out = out, .in = in, .bias = bias, .rows = rows, .e = e};
    p.in_row = operand_bytes(k, w->k);
    p.out_row = e == EPILOGUE_GELU ? operand_bytes(k, w->n) : (size_t)w->n * sizeof(float);
    hands_share(w->n, k->columns, multiply_columns, &p);
}
