/* tile.h - the instructions of AMX for bf16, and nothing else: eight tiles of up to sixteen rows of
 * 64 bytes, numbered 0 to 7.
 *
 * What the numbers mean is the business of amx.inc, which can also be compiled over something that
 * behaves like these. They are written as assembly because the compiler's own, in gcc 12, do not
 * say that a load reads memory: it may then drop what was stored there before. A tile's number is
 * part of the instruction, so these are macros and take a digit. */
#ifndef DID_TILE_H
#define DID_TILE_H

#include <stdint.h>

/* As LDTILECFG reads it: of each tile, the bytes of a row and the number of rows. */
typedef struct tile_shapes {
    uint8_t  palette, start_row, none[14];
    uint16_t bytes[16];
    uint8_t  rows[16];
} tile_shapes;

_Static_assert(sizeof(tile_shapes) == 64, "the processor reads 64 bytes");

enum { TILE_PALETTE = 1 };

/* Give the tiles their shapes and clear them; give them back to the system, which need not save
 * what nobody uses. */
#define TILE_BEGIN(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(*(shapes)))
#define TILE_END()         __asm__ volatile("tilerelease" : : : "memory")

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : : : "memory")

/* A tile's rows from or to memory, `stride` bytes apart. */
#define TILE_LOAD(t, from, stride)                                                            \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"((const void *)(from)),            \
                     "r"((uint64_t)(stride)) : "memory")
#define TILE_STORE(t, to, stride)                                                             \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"((void *)(to)),                \
                     "r"((uint64_t)(stride)) : "memory")

/* sum += left * right: rows of f32, rows of pairs of bf16, and pairs of bf16 row by row. */
#define TILE_DOT(sum, left, right) \
    __asm__ volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sum : : : "memory")

#endif
