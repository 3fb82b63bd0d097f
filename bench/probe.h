/* probe.h - one curve of a calibration: the same work at one level of load after another. */
#ifndef DID_PROBE_H
#define DID_PROBE_H

#include "calibration.h"
#include "comm.h"
#include "exercise.h"
#include "kernels.h"
#include "measure.h"

typedef struct probe {
    comm    *world, *alone; /* alone: this rank */
    double  *all;           /* [ranks of world] */
    effort   effort;
    bool     quick;
    int      seed;
    verdict  verdict;       /* of everything probed so far */
} probe;

/* Seconds of one call with rank 0 at work alone, into seconds[0], and with all ranks, into
 * seconds[1]; of the slowest rank. They are the least of several, in the processor's time: what else
 * the machine does today is no part of what it can do. Fails DID_ENOMEM, DID_EPEER alike on all ranks. Collective over
 * world. */
status probe_task(double seconds[CALIBRATION_LEVELS], const probe *p, const task *t);

/* All curves of a precision. Fails as above. Collective over world. */
status probe_precision(calibration *c, probe *p, const kernels *k);

#endif
