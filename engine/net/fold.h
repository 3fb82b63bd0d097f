/* fold.h - the conditioning of a checkpoint that never changes, folded into its weights.
 *
 * Source: BD3-LM with time_conditioning=false: the noise level fed to the network is always 0, so the
 * conditioning vector c is one constant and every norm's scale and shift, every branch's gate are
 * constants with it. All arithmetic here is in f64. */
#ifndef DID_FOLD_H
#define DID_FOLD_H

#include "checkpoint.h"
#include "geometry.h"

/* c[d_cond] = silu(W2 silu(W0 e + b0) + b2) with e = 128 ones, 128 zeros (cosine first). Zeros where
 * the model has no adaptive norms. Local. */
status fold_condition(double *c, const checkpoint *ck, const geometry *g);

/* mod[parts * d_model] = A c + b of "<prefix>.adaLN_modulation"; zeros, and ones in the gate parts,
 * where the model has none. Parts of a layer: shift, scale, gate of attention, then of the MLP; of
 * the output: shift, scale. Local. */
status fold_modulation(double *mod, const checkpoint *ck, const geometry *g, const double *c,
                       const char *prefix, int parts);

/* w[n, k] *= scale[k] by columns, after bias[n] += w shift[k]. Local. */
void fold_input(float *w, double *bias, const double *scale, const double *shift, int n, int k);

/* w[n, k] *= gate[n] by rows. Local. */
void fold_output(float *w, const double *gate, int n, int k);

#endif
