#include "linear.h"

#include <assert.h>
#include <string.h>

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

void linear_apply(float *out, float *in, const weight *w, int rows)
{
    if (w->k == 0) apply_empty(out, w, w->bias, rows);
    if (w->n == 0 || w->k == 0) return;
    for (int done = 0, height; done < rows; done += height) {
        int left = rows - done;
        /* One large panel costs less than the many small ones that would cover the same rows. */
        height = left > w->panel.large / 2 ? w->panel.large : w->panel.small;
        if (w->any_height) height = left < w->panel.large ? left : w->panel.large;
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

void linear_apply_narrow(void *out, const void *in, const weight *w, const float *bias, int rows,
                         epilogue e)
{
    const kernels *k = w->kernels;
    assert(w->k > 0 || e == EPILOGUE_STORE);
    if (w->k == 0) apply_empty(out, w, bias, rows);
    if (w->n == 0 || w->k == 0) return;
    size_t in_row = operand_bytes(k, w->k), out_row = (size_t)w->n * sizeof(float);
    if (e == EPILOGUE_GELU) out_row = operand_bytes(k, w->n);
    for (int done = 0; done < rows; done += NARROW_ROWS) {
        int some = rows - done < NARROW_ROWS ? rows - done : NARROW_ROWS;
        k->linear_packed((char *)out + (size_t)done * out_row,
                         (const char *)in + (size_t)done * in_row, w->packed, bias, some, w->n,
                         0, w->n, w->k, e);
    }
}
