/* linear.h - every product with a weight goes through here.
 *
 * A weight is this rank's shard, [n, k] row-major. Rows are fed to the kernel in panels of heights
 * that were proved to give each row the same bits wherever it stands, padded with zero rows. */
#ifndef DID_LINEAR_H
#define DID_LINEAR_H

#include "kernels.h"

typedef struct weight {
    const float *data;  /* [n, k] */
    const float *bias;  /* [n] or NULL */
    int          n, k;
    panel        panel;
    bool         any_height;  /* panels need no padding */
    void (*product)(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                    int k);
} weight;

/* Choose kernel and panels for w->n, w->k. `scratch` as linear_panel wants it. Local. */
void linear_prepare(weight *w, const kernels *k, float *scratch);

/* out[rows, n] = in[rows, k] W^T + bias. Both arrays have room for PANEL_MAX rows more than `rows`;
 * those of `in` are overwritten with zeros, those of `out` with anything. Local. */
void linear_apply(float *out, float *in, const weight *w, int rows);

#endif
