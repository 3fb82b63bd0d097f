/* exercise.h - one operation of the kernel table, at one shape, with all it works on.
 *
 * product.h, rowwise.h and keywork.h make them; whoever has one may run it, check it and time it
 * without knowing which it is. */
#ifndef DID_EXERCISE_H
#define DID_EXERCISE_H

#include "arena.h"
#include "kernels.h"
#include "measure.h"
#include "verdict.h"

typedef struct exercise {
    const char    *op;        /* as in the kernel table */
    char           shape[48]; /* without the rows */
    int            rows;
    const kernels *kernels;
    double         flops;       /* of one call; 0 where the arithmetic is not what is waited for */
    double         bytes;       /* one call reads at least, or writes where that is more */
    size_t         working_set; /* bytes that calls after one another walk through */
    int            calls_max;   /* before the data has to be put back; 0: it may stay */
    bool           borrowed;    /* the operation is ref's: this set has none of its own */
    void (*run)(struct exercise *x);
    void (*reset)(struct exercise *x); /* NULL: nothing to put back */
    void (*check)(struct exercise *x, verdict *v);
    void *own; /* of whoever made it */
    arena memory;
} exercise;

/* Memory for `floats` floats in up to 16 arrays, and `own` bytes, zeroed, at x->own. Fails
 * DID_ENOMEM. Local. */
status exercise_open(exercise *x, size_t own, size_t floats);
float *exercise_floats(exercise *x, size_t n);
void   exercise_close(exercise *x);

/* For measure_task. Local. */
task exercise_task(exercise *x);

#endif
