/* knobs.h - the options of `did bench`: one table says names, limits, defaults and help. */
#ifndef DID_KNOBS_H
#define DID_KNOBS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"

typedef enum {
    BENCH_KERNELS,
    BENCH_PASSES,
    BENCH_DOCUMENTS,
    BENCH_SWEEP,
    BENCH_COLLECTIVES,
    BENCH_LAYOUTS,
    BENCH_CALIBRATE,
    BENCH_SPAN,
    BENCH_SCALING,
    BENCH_PLAN,
    BENCH_DEPTHS,
    BENCH_COUNT
} bench_kind;

enum { COUNTS_MAX = 16 };

typedef struct counts {
    int  n, at[COUNTS_MAX];
    bool said; /* by the user: then nothing is left out of it */
} counts;

typedef struct knobs {
    bench_kind  what;
    bool        quick, reproducible;
    const char *json, *geometry, *model, *kernels, *only, *output; /* NULL where nobody said */
    const char *precision;                                /* "f32", "bf16" or both, "f32,bf16" */
    int         tp, threads, seed, repeats, rotate_mb, block, wanted, length, steps, check, waves, pass_rows, each,
        of, width;
    double      line_s;
    counts      rows, documents, context, refine, bytes;
} knobs;

/* The name of a bench, as on the command line. Local. */
const char *knobs_bench(bench_kind what);

/* Read the words after `did bench`. Texts are borrowed from argv. Fails DID_EINVAL with one
 * sentence that says what was found and what is expected. Local. */
status knobs_read(knobs *out, int argc, char *const *argv);

/* Is help asked for? Local. */
bool knobs_help_asked(int argc, char *const *argv);

/* The help text: of one bench when argv[0] names it, else of all. Local. */
void knobs_help(FILE *to, int argc, char *const *argv);

/* The same as a manual page. Local. */
void knobs_manual(FILE *to, const char *version);

#endif
