/* amx_emulated.h - the kernel set "amx" over tiles of plain C (tile_emulated.h): the same lines
 * multiply here and on a processor that has them. Needs AVX-512 with AVX512_BF16 for the rest. */
#ifndef DID_AMX_EMULATED_H
#define DID_AMX_EMULATED_H

#include <stdint.h>

#include "kernels.h"

/* What amx_fill puts into a set. */
void amx_emulated_fill(kernels *k);

/* sum[16][16] += left[rows][32] right[16][16][2], numbers of bf16, by one instruction of tiles with
 * so many rows. */
void amx_emulated_dot(float *sum, const uint16_t *left, const uint16_t *right, int rows);

#endif
