/* sheet.h - the table of a sweep: a row for each setting, with its quality, its cost, how sure one
 * can be of either, and what changed from the baseline, document by document.
 *
 * What is written here depends on the documents alone: not on ranks, clocks or the order in
 * which they finished, so two runs of one spec write the same bytes, but for what is called seconds
 * and tokens_s: these were measured, in the last columns of the CSV. */
#ifndef DID_SHEET_H
#define DID_SHEET_H

#include <stdio.h>

#include "harvest.h"

typedef struct sheet_value {
    double   value; /* NAN: not known */
    interval range; /* 95 %, from drawing documents anew */
} sheet_value;

typedef struct sheet_row {
    const trial *trial;
    int          documents, failed; /* finished with a score; asked for and not so */
    sheet_value  of[MEASURES];
    double       commits, rejected; /* per document */
    int          longest;           /* repeat of any document */
    paired       pairs;             /* of[MEASURE_CHANGE] as mean and standard error */
} sheet_row;

typedef struct sheet {
    const spec    *spec;
    const trial   *trial;
    const harvest *harvest;
    sheet_row     *row; /* [n] in the order of the spec */
    int            n;
} sheet;

/* Tokens that a second of its row's passes makes, where its documents' times are known; NAN. Local. */
double sheet_tokens_s(const sheet_row *row);

/* Compute everything from what was harvested; all arguments are borrowed. trial[n_settings]. Fails
 * DID_ENOMEM. Local. */
status sheet_open(sheet *s, const spec *of, const trial *trials, const harvest *h);
void   sheet_close(sheet *s); /* Leaves it zeroed. Local. */

/* A claim, decided. Where a number is not known the claim is not shown. */
typedef struct sheet_verdict {
    bool        passed;
    sheet_value left, right; /* right.range: of a number that was reported, where it may lie; of
                                another, empty */
    sheet_value difference;  /* left - right, documents in pairs */
} sheet_verdict;

/* Fails DID_ENOMEM. Local. */
status sheet_judge(sheet_verdict *out, const sheet *s, const claim *c);

/* RFC 4180, one header line. Local: the caller asks `to` how it went. */
void sheet_csv(FILE *to, const sheet *s);

/* One line of JSON for each row. Fails DID_ENOMEM. Local. */
status sheet_jsonl(FILE *to, const sheet *s, const char *signature);

#endif
