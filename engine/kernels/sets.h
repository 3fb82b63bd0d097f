/* sets.h - how kernels.c gathers its sets; for the files of this room alone.
 *
 * Each function fills in the operations its file does better and leaves the others as they are, so
 * a set is built from `ref` upwards. Calling what was filled in needs a CPU that has it. */
#ifndef DID_SETS_H
#define DID_SETS_H

#include "kernels.h"

void ref_fill(kernels *k);    /* everything: this is where every set begins */
void blas_fill(kernels *k);   /* linear, no longer at any height; makes the BLAS single-threaded */
void avx2_fill(kernels *k);   /* everything; x86-64 with AVX2 and FMA */
void avx512_fill(kernels *k); /* everything; x86-64 with AVX-512 F, BW, DQ and VL */

/* What bf16 adds to a set of f32, and what it puts in place of its own; the same CPUs. */
void ref_fill_bf16(kernels *k);
void avx2_fill_bf16(kernels *k);
void avx512_fill_bf16(kernels *k);
void avx512bf16_fill(kernels *k); /* beside ref_fill_bf16: everything; AVX512_BF16 as well */
void amx_fill(kernels *k);        /* the same; AVX512_BF16, AMX_TILE and AMX_BF16 as well */

/* Ask the system for the tiles, once per process: a thread that uses them without is killed. */
bool amx_permitted(void);

/* Which places of a pair of bf16 are multiplied. */
typedef enum places { BOTH, LOW, HIGH } places;

/* "OpenBLAS 0.3.21 Haswell": whose linear that is, and what core it took this CPU for. */
void blas_describe(char *text, size_t size);

/* For loops over vectors that have to stay in registers: the functions they are in become part of
 * their callers, and the loops straight code, at any level of optimisation above none. */
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
