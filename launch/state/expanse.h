/* expanse.h - how large a line may grow: a few bytes can ask for gigabytes. */
#ifndef DID_EXPANSE_H
#define DID_EXPANSE_H

#include <stdint.h>

#include "wish.h"

enum { EXPANSE_LENGTH = 1024 }; /* positions where neither line nor terms say how many */

/* Bytes that one document of a line of `size` bytes may come to: the line itself and four bytes for
 * each position. `length` holds where the wish is silent. Local. */
int64_t expanse_of(const wish *w, size_t size, int length);

/* The same from the line; what does not parse counts as its bytes. Local. */
int64_t expanse_of_line(const char *line, int length);

/* The length that terms (a JSON object of texts) give to lines that are silent. Local. */
int expanse_length(const char *terms);

#endif
