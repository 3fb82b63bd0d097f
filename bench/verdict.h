/* verdict.h - is the answer right? Nothing is timed before this was asked.
 *
 * Errors are scaled: |x - y| in units of the rounding of f32 at the size of the numbers that were
 * added up to make y. A handful is what honest arithmetic leaves; millions is a wrong answer. */
#ifndef DID_VERDICT_H
#define DID_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "comm.h"
#include "status.h"

typedef struct verdict {
    bool   wrong;
    double error;    /* the largest scaled error seen */
    char   why[160]; /* of the first wrong answer */
} verdict;

/* An answer is wrong; the first sentence is kept. Local. */
void verdict_wrong(verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One number: `got` beside `want`, whose terms have the absolute sum `size`. Wrong when the scaled
 * error is above `tolerance` or no number. Local. */
void verdict_number(verdict *v, double got, double want, double size, double tolerance,
                    const char *what);

/* got[n] beside want[n], each scaled by max(size, |want|). Local. */
void verdict_floats(verdict *v, const float *got, const float *want, size_t n, double size,
                    double tolerance, const char *what);

/* The worst of all ranks becomes everybody's. Collective over world. */
status verdict_agree(verdict *v, comm *world);

#endif
