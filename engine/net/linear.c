#include "linear.h"

#include <string.h>

void linear_prepare(weight *w, const kernels *k, float *scratch)
{
    if (w->n == 0) return;
    w->panel = linear_panel(k, w->n, w->k, scratch);
    w->product = k->linear;
    if (!w->panel.verified) {
        const kernels *ref = kernels_find("ref");
        w->panel = linear_panel(ref, w->n, w->k, scratch);
        w->product = ref->linear;
    }
}

void linear_apply(float *out, float *in, const weight *w, int rows)
{
    if (w->n == 0) return;
    for (int done = 0; done < rows;) {
        /* One large panel costs less than the many small ones that would cover the same rows. */
        int left = rows - done;
        int height = left > w->panel.large / 2 ? w->panel.large : w->panel.small;
        size_t at = (size_t)done * (size_t)w->k;
        if (left < height)
            memset(in + at + (size_t)left * (size_t)w->k, 0,
                   (size_t)(height - left) * (size_t)w->k * sizeof *in);
        w->product(out + (size_t)done * (size_t)w->n, in + at, w->data, w->bias, height, w->n,
                   w->k);
        done += height;
    }
}
