/* exhibit.h - documents of a sweep side by side: what the baseline wrote, and what the best
 * setting of every section made of the same draft. */
#ifndef DID_EXHIBIT_H
#define DID_EXHIBIT_H

#include <stdio.h>

#include "sheet.h"
#include "tokenizer.h"

/* The first documents, as HTML; edits are coloured where draft and random numbers are the
 * baseline's. Tokens are their ids where `words` is NULL. Fails DID_ENOMEM. Local. */
status exhibit_write(FILE *to, const sheet *s, const tokenizer *words);

#endif
