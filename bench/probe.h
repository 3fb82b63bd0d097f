/* probe.h - one curve of a calibration: the same work at one level of load after another. */
#ifndef DID_PROBE_H
#define DID_PROBE_H

#include "calibration.h"
#include "comm.h"
#include "exercise.h"
#include "kernels.h"
#include "measure.h"

enum { PROBE_TURNS = 8, PROBE_SAMPLES = 9, PROBE_WAITS = 4096 };

typedef struct probe {
    comm    *world, *alone; /* alone: this rank */
    effort   effort;
    bool     quick;
    int      seed;
    verdict  verdict;       /* of everything probed so far */
    double   waits[PROBE_WAITS]; /* how much longer the slowest rank took than the mean, as a share */
    int      n_waits;
} probe;

/* A point of a curve: `set` (NULL: nothing to do) makes the task one of `value`. */
typedef struct probe_turn {
    task task;
    void (*set)(void *context, int value);
    int  value;
} probe_turn;

/* Seconds of one call of each of n points, with rank 0 at work alone, into seconds[i][0], and with all
 * ranks, which begin each sample together, into seconds[i][1]. Points take turns, so that none has a
 * good or a bad moment of the machine to itself, and what counts is the median, in the processor's
 * time, of the mean rank. Fails DID_ENOMEM, DID_EPEER alike on all ranks. Collective over world. */
status probe_turns(double (*seconds)[CALIBRATION_LEVELS], probe *p, const probe_turn *turns, int n);

/* What ranks wait for the slowest of them, as a share of the work before: the median over everything
 * probed so far. Local; the same on all ranks. */
double probe_wait(const probe *p);

/* All curves of a precision. Fails as above. Collective over world. */
status probe_precision(calibration *c, probe *p, const kernels *k);

#endif
