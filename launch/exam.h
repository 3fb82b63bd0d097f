/* exam.h - what `did score` is to measure, checked by rank 0 before anything is loaded: the model,
 * the texts and how each is read. */
#ifndef DID_EXAM_H
#define DID_EXAM_H

#include <stdint.h>

#include "ending.h"
#include "gauge.h"
#include "models.h"
#include "score_settings.h"
#include "scoreboard.h"
#include "specimens.h"
#include "status.h"
#include "tokenizer.h"

typedef struct exam {
    const score_settings *set;
    models                models; /* the one that measures */
    tokenizer            *words;  /* NULL: ids only */
    int32_t               end_id; /* E */
    specimens             samples;
    scoreboard            board; /* points into this structure: it stays where it is */
    gauge                 gauge; /* the only part other ranks have a use for */
} exam;

/* Check everything, read the texts and make the list of what is to be measured. *usual says what a
 * failure is called: END_MODEL, END_USAGE or END_INPUT. The caller closes in any case. Leader
 * (rank 0). */
status exam_open(exam *x, const score_settings *s, const options *said, ending *usual);

/* Safe on a zeroed exam. Local. */
void exam_close(exam *x);

#endif
