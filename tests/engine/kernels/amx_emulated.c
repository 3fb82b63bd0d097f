/* The set "amx" over emulated tiles: see amx_emulated.h. */
#ifdef __x86_64__

#include "avx512.inc"

#include "wide.inc"

#include "tile_emulated.h"

#include "amx.inc"

#include "amx_emulated.h"

void amx_emulated_fill(kernels *k)
{
    fill_tiles(k);
}

void amx_emulated_dot(float *sum, const uint16_t *left_side, const uint16_t *right,
                      int rows)
{
    tile_shapes shapes = shapes_of(rows);
    TILE_BEGIN(&shapes);
    TILE_LOAD(0, sum, STEP_BYTES);
    TILE_LOAD(4, left_side, STEP_BYTES);
    TILE_LOAD(6, right, STEP_BYTES);
    TILE_DOT(0, 4, 6);
    TILE_STORE(0, sum, STEP_BYTES);
    TILE_END();
}

#endif
