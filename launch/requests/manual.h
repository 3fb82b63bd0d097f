/* manual.h - manual pages out of the tables that `--help` is made of. */
#ifndef DID_MANUAL_H
#define DID_MANUAL_H

#include <stdio.h>

#include "options.h"

/* The page of one command; `version` as in "did 1.2". Local. */
void manual_page(FILE *to, const option_table *table, const char *version);

/* What an exit code means, as a section; the last part of every page. Local. */
void manual_exit_codes(FILE *to);

#endif
