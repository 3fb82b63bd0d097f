/* digest.h - a sweep in few lines for a terminal: what its claims came to, and a table. */
#ifndef DID_DIGEST_H
#define DID_DIGEST_H

#include <stdio.h>

#include "sheet.h"

/* One line, without its newline: the claim's sentence and the numbers that decided it. Local. */
void digest_verdict(FILE *to, const sheet *s, const claim *c, const sheet_verdict *v);

/* "PASSED: ..." or "FAILED: ..." for every claim, and a row for every setting. verdict[n_claims].
 * Local. */
void digest_print(FILE *to, const sheet *s, const sheet_verdict *verdict);

#endif
