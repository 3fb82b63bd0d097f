/* scoreboard.h - what was measured of a file of texts, for people (a table) and programs (JSON).
 *
 * A reading is one way of reading all samples: the ids of a stage, their text encoded again, the
 * bound at one block size. Numbers depend on the texts, the model and the options, not on ranks or
 * clocks: the same command prints the same bytes. */
#ifndef DID_SCOREBOARD_H
#define DID_SCOREBOARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "gauge.h"
#include "quality.h"
#include "specimens.h"
#include "status.h"

/* How a reading reads; its texts in the gauge. */
typedef struct reading {
    bool  told;  /* the text encoded again, else the ids (the text where a line has no ids) */
    int   place; /* of the stage among those a sample holds */
    stage how;   /* WORK_SCORE, or WORK_BOUND with its block size */
    int  *text;  /* [samples] index in the gauge; -1 where a sample has no such text */
} reading;

enum { READINGS_MAX = 64 };

typedef struct scoreboard {
    const specimens *samples;
    const gauge     *gauge;
    int32_t          end_id;
    int              batch;    /* encoded texts are padded to the longest of so many; 0: never */
    bool             by_stage; /* every stage is a reading: tell the changes */
    uint64_t         seed;     /* of the intervals */
    int              n;
    reading          of[READINGS_MAX];
    quality         *measured; /* [n][samples]; tokens 0 where a sample has no such text */
    summary          sum[READINGS_MAX];
    paired           change[READINGS_MAX]; /* of the mean nll, from the same reading of the first
                                              stage */
    double           edited[READINGS_MAX]; /* mean over samples; NAN where nobody knows */
} scoreboard;

/* Sum up what the gauge has measured. Fails DID_ENOMEM. Local. */
status scoreboard_settle(scoreboard *b);

/* The table. Local. */
void scoreboard_print(const scoreboard *b, FILE *out);

/* The readings as a JSON array; the caller's reference, NULL when out of memory. What is no number
 * is null. Local. */
json_t *scoreboard_json(const scoreboard *b);

/* A line of JSON for every text of every reading, in the order of the file. Fails DID_ENOMEM; what
 * was written the caller asks `out`. Local. */
status scoreboard_lines(const scoreboard *b, FILE *out);

/* Give back what scoreboard_settle and the readings hold. Local. */
void scoreboard_clear(scoreboard *b);

#endif
