/* specimens.h - texts as a scorer reads them.
 *
 * Source: the evaluation of BD3-LM. Samples are decoded, special tokens included, and encoded again
 * by the scorer's tokenizer before they are scored; the library that decodes may tidy whitespace
 * (tidy.h), which changes ids. The ids as the model drew them are kept beside that: where both
 * models share a tokenizer they can be scored as they are. */
#ifndef DID_SPECIMENS_H
#define DID_SPECIMENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "geometry.h"
#include "stage.h"
#include "status.h"
#include "tokenizer.h"

/* Which of the two is wanted of every text. */
typedef enum {
    WANT_BOTH, /* and where a line has no ids, what it has */
    WANT_ONE,  /* the ids, and where a line has none, the text */
    WANT_IDS,  /* a line without ids is wrong */
    WANT_TEXT
} want;

enum { SPECIMENS_LAST = -1, SPECIMENS_ALL = -2 };

typedef struct specimens_rules {
    const tokenizer *words;  /* NULL: there are ids only */
    const geometry  *shape;  /* of the model that measures */
    int32_t          end_id; /* E */
    want             want;
    int              stage;   /* what this stage (from 0) of a record's trace left; or
                                    SPECIMENS_LAST, SPECIMENS_ALL */
    bool             cleanup; /* tidy the text before it is encoded */
    int              length;  /* tokens; encoded text is cut there. 0: at the length of the ids it
                                    comes from, if any */
    int              length_max; /* nothing may be longer; 0: no limit */
} specimens_rules;

/* One text of one stage; E in front. `ids` is NULL where the line has none, `told` where the text
 * is not wanted. */
typedef struct specimen {
    int      stage; /* from 0 */
    int32_t *ids, *told;
    int      n_ids, n_told; /* told: encoded from the text */
    double   edited;        /* share of what was not given that differs from the draft; NAN where
                                nobody knows */
} specimen;

typedef struct specimens_sample {
    char    *custom_id;
    int      sample, n;
    specimen of[STAGES_MAX];
} specimens_sample;

typedef struct specimens {
    specimens_sample *sample;
    int               n, room;
    int               left_out; /* lines that hold no whole text */
    int               cut;      /* texts cut at length_max */
    int               stages;   /* most that a sample has */
} specimens;

/* All texts of the file `path`. Fails as excerpt_each, or DID_EFORMAT when there is none. The
 * caller clears `s` in any case. Local. */
status specimens_read(specimens *s, const char *path, const specimens_rules *rules);

/* The same for text in memory; `where` stands for the file in sentences. Local. */
status specimens_parse(specimens *s, const char *text, size_t size, const char *where,
                       const specimens_rules *rules);

/* Give everything back; leaves it zeroed. Local. */
void specimens_clear(specimens *s);

#endif
