/* linear.h - every product with a weight goes through here.
 *
 * A weight is this rank's shard, [n, k]. In f32 it is row-major, and rows are fed to the kernel in
 * panels of heights that were proved to give each row the same bits wherever it stands, padded with
 * zero rows. In bf16 it is packed, and the kernel takes any number of rows. */
#ifndef DID_LINEAR_H
#define DID_LINEAR_H

#include "kernels.h"

typedef struct weight {
    const float   *data;    /* [n, k]; NULL in bf16 */
    const void    *packed;  /* NULL in f32 */
    const float   *bias;    /* [n] or NULL */
    int            n, k;
    const kernels *kernels; /* bf16: whose columns it was packed with */
    panel          panel;
    bool           any_height;  /* panels need no padding */
    void (*product)(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                    int k);
} weight;

/* Choose kernel and panels for w->n, w->k. `scratch` as linear_panel wants it; unused in bf16.
 * Local. */
void linear_prepare(weight *w, const kernels *k, float *scratch);

/* out[rows, n] = in[rows, k] W^T + bias in f32. Both arrays have room for PANEL_MAX rows more than
 * `rows`; those of `in` are overwritten with zeros, those of `out` with anything. Local. */
void linear_apply(float *out, float *in, const weight *w, int rows);

/* The same in bf16: `in` is an operand of k, `out` what `e` makes of it (kernels.h), with `bias` in
 * place of the weight's own. Nothing is padded. Local. */
void linear_apply_narrow(void *out, const void *in, const weight *w, const float *bias, int rows,
                         epilogue e);

#endif
