/* report.h - the table at the end of a run: where the time went, what crossed the wire, and whether
 * the memory was what was said before. */
#ifndef DID_REPORT_H
#define DID_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "comm.h"
#include "engine.h"
#include "status.h"

/* What one rank brings. */
typedef struct report {
    engine_progress totals; /* engine_totals */
    bool            leads;  /* engine_leads: counts of passes and tokens are told once per row */
    size_t predicted;       /* bytes: the plan's total and what the process held before loading */
    int    documents;       /* finished in this run; rank 0's word */
    double seconds;         /* of the run by the clock; rank 0's word */
} report;

size_t report_resident(void); /* bytes this process holds now. Local. */
size_t report_peak(void);     /* the most it has held. Local. */

/* Print the table on rank 0, to `out`. Warns where the peak of a rank and its prediction are more
 * than 10 % apart. Collective over world. */
status report_print(FILE *out, comm *world, const report *mine);

#endif
