/* watch.h - one document on a terminal while it is unmasked, reopened and refined.
 *
 * Plain ANSI, nothing but the cells that changed, ten frames a second at most: readable over a
 * slow line. Masked positions are dim dots, fresh tokens bright, reopened ones marked until they
 * are drawn again. */
#ifndef DID_WATCH_H
#define DID_WATCH_H

#include <stdio.h>

#include "document.h"
#include "status.h"
#include "tokenizer.h"

typedef struct watch watch;

enum { WATCH_COLUMNS = 80 };

/* Take the terminal. `words` NULL: ids are shown. `lines` of WATCH_COLUMNS; at least 4 are used.
 * The terminal is given back by watch_close, or at exit. Fails DID_ENOMEM. Local. */
status watch_open(watch **out, FILE *terminal, const tokenizer *words, int lines);

/* Draw `d`, called `name`, if a tenth of a second has passed since the last frame; `seconds` is the
 * clock. `in_flight` documents are on this row. Local. */
void watch_show(watch *w, const document *d, const char *name, int in_flight, double seconds);

/* Give the terminal back. Sets NULL; safe on NULL. Local. */
void watch_close(watch **w);

/* Give back the terminal of whatever watch has it: the process ends next. Local. */
void watch_give_back(void);

#endif
