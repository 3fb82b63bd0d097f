/* paper.h - the report of a sweep: one HTML file that needs nothing else, to be read on a phone
 * or on paper. Claims, plots, the table, samples, and what was run. */
#ifndef DID_PAPER_H
#define DID_PAPER_H

#include <stdio.h>

#include "sheet.h"
#include "tokenizer.h"

/* Everything is borrowed. */
typedef struct paper {
    const sheet         *sheet;
    const sheet_verdict *verdict;                                        /* [n_claims] */
    const tokenizer     *words;                                          /* NULL: samples are ids */
    const char          *changes, *model, *scorer, *signature, *version; /* changes: NULL */
    int                  ranks;
    int                  documents; /* that this run made; others were there already */
    double               seconds;   /* that it took */
} paper;

/* Fails DID_ENOMEM; what was written the caller asks `to`. Local. */
status paper_write(FILE *to, const paper *p);

#endif
