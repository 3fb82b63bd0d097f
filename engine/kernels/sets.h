/* sets.h - how kernels.c gathers its sets; for the files of this room alone.
 *
 * Each function fills in the operations its file does better and leaves the others as they are, so
 * a set is built from `ref` upwards. Calling what a set filled in needs a CPU that has it. */
#ifndef DID_SETS_H
#define DID_SETS_H

#include "kernels.h"

void ref_fill(kernels *k);  /* everything: this is where every set begins */
void blas_fill(kernels *k); /* linear; also makes the BLAS single-threaded */

/* "OpenBLAS 0.3.21 Haswell": whose linear that is, and what core it took this CPU for. */
void blas_describe(char *text, size_t size);

/* The plain product, which is right at any number of rows. */
void ref_linear(float *c, const float *a, const float *w, const float *bias, int rows, int n, int k);

#endif
