/* job.h - what a run is to do, checked by rank 0 before anything is loaded: models, tokenizer,
 * stages, output and every line of the input. */
#ifndef DID_JOB_H
#define DID_JOB_H

#include <stdint.h>

#include "ending.h"
#include "input.h"
#include "models.h"
#include "settings.h"
#include "stages.h"
#include "status.h"
#include "tokenizer.h"

typedef struct job {
    models     models;
    tokenizer *words;   /* NULL: the model has none; ids only */
    int32_t    end_id;  /* E */
    int        length;  /* where a line is silent */
    char       stages[STAGES_TEXT_MAX];       /* of lines that name none, as the user wrote them */
    char       stages_whole[STAGES_TEXT_MAX]; /* the same with every setting written out */
    stage      usual[STAGES_MAX];             /* the same, of drafts; n_usual of them */
    int        n_usual;
    input      input;
} job;

/* Check everything and read the input. *usual says what a failure is called: END_MODEL, END_USAGE
 * or END_INPUT. Several wrong lines are listed on stderr before the failure is returned. The
 * caller closes in any case. Leader (rank 0). */
status job_open(job *j, const settings *s, ending *usual);

/* Safe on a zeroed job. Local. */
void job_close(job *j);

#endif
