#include "linear.h"

#include <string.h>

void linear_prepare(weight *w, const kernels *k, float *scratch)
{
    if (w->n == 0 || w->k == 0) return;
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
static void apply_empty(float *out, const weight *w, int rows)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < w->n; j++) *out++ = w->bias ? w->bias[j] : 0;
}

void linear_apply(float *out, float *in, const weight *w, int rows)
{
    if (w->k == 0) apply_empty(out, w, rows);
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
