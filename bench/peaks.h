/* peaks.h - what this machine can do at most, measured by the machine itself.
 *
 * Two limits: multiply-adds of f32 (or, where the processor has an instruction for them, products of
 * pairs of bf16) a core finishes per second, and bytes it reads per second, which
 * depends on how much it walks through (caches, then memory). All ranks are measured at the same
 * time, as they will compute at the same time; the figures are per rank. A peak is the best of
 * several honest attempts, so a line near 100 % has nothing left to gain. */
#ifndef DID_PEAKS_H
#define DID_PEAKS_H

#include <stddef.h>

#include "comm.h"
#include "kernels.h"
#include "measure.h"
#include "status.h"

enum { PEAKS_FMA_MAX = 3, PEAKS_READ_MAX = 12 };

typedef struct peak_fma {
    const char *isa; /* "avx512": vectors of that width, no matter what the kernels use */
    double      gflops;
    measured    time;
} peak_fma;

typedef struct peak_read {
    size_t   bytes; /* walked through again and again */
    double   gbs;
    measured time;
} peak_read;

typedef struct peaks {
    int       n_fma, n_read;
    peak_fma  fma[PEAKS_FMA_MAX];
    peak_fma  dot; /* pairs of bf16; isa NULL where there is no such instruction */
    peak_read read[PEAKS_READ_MAX]; /* ascending bytes */
} peaks;

/* Measure, with working sets up to `bytes_max`. Fails DID_ENOMEM on all ranks alike. Collective
 * over world. */
status peaks_measure(peaks *out, size_t bytes_max, const effort *e, comm *world);

/* The best of all widths; and what limits the products of a set: the pairs, where it has them.
 * Local. */
double peaks_gflops(const peaks *p);
double peaks_gflops_of(const peaks *p, const kernels *k);

/* Bytes read per second, in 1e9, when `bytes` are walked through: between two measured points a
 * straight line over the logarithm of the size, outside them the nearest. Local. */
double peaks_gbs(const peaks *p, size_t bytes);

/* Where something that computes and reads stands against these limits. */
typedef struct standing {
    double      gflops, gbs;
    double      of_peak; /* the time its tighter limit allows over the time it took */
    const char *limit;   /* which that is: "fma", "dot" or "read" */
} standing;

/* `seconds` for `flops` of the set `k` and `bytes`, walking through `working_set` bytes. Local. */
standing peaks_standing(const peaks *p, const kernels *k, double flops, double bytes,
                        size_t working_set, double seconds);

#endif
