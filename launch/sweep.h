/* sweep.h - the documents of a spec as one job: every setting's, interleaved, with a scorer behind
 * the last stage of each.
 *
 * What settings have in common is made once (lineage.h), by documents that no setting asked for and
 * that those of the settings go on from.
 *
 * Document i of a seed has the random numbers of sample i of `did generate -n --seed` in every
 * setting, so what two settings have in common comes out the same, and they are compared in
 * pairs. */
#ifndef DID_SWEEP_H
#define DID_SWEEP_H

#include "ending.h"
#include "harvest.h"
#include "job.h"
#include "lineage.h"
#include "spec.h"
#include "status.h"
#include "sweep_settings.h"

typedef struct sweep {
    const sweep_settings *set;
    spec                  spec;
    trial                *trial;  /* [n_settings] */
    lineage               shared; /* stages of several settings */
    int                   scorer; /* weight handle */
} sweep;

/* Read the spec, open job and models, and put the spec's documents in the job's place. *usual
 * says what a failure is called. The caller closes both in any case. Leader (rank 0). */
status sweep_open(sweep *w, job *j, const settings *run, ending *usual);

/* Safe on a sweep whose `set` alone is filled in. Local. */
void sweep_close(sweep *w);

/* Stages with every "model=NAME" that `names` ("NAME=DIR,...", NULL: none) knows replaced by its
 * directory, malloc'ed. Fails DID_EINVAL when `names` is malformed, DID_ENOMEM. Local. */
status sweep_name_models(char **out, const char *stages, const char *names);

#endif
