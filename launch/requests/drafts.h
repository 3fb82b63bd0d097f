/* drafts.h - texts that are there already, as requests that refine them.
 *
 * A file holds plain text, one per line, or JSON lines: texts or token ids from anywhere
 * (manuscript.h), and records of `did generate --trace` or `did refine --trace` (sequel.h). The
 * stages of these requests are those that the text has behind it, or one that stands for them, and
 * those of --stages, none of which drafts. Where nobody knows how sure the model was of a text, the
 * first stage that would reopen the least certain measures it first: it becomes post-hoc. */
#ifndef DID_DRAFTS_H
#define DID_DRAFTS_H

#include <stdbool.h>

#include "input.h"
#include "status.h"

typedef struct drafts_rules {
    const input_rules *usual;         /* stages, defaults, models, tokenizer, seed, E */
    int                after;         /* of a traced record: the stage whose text is taken, from 1;
                                         0: the last */
    bool               reseeded;      /* the run's seed holds for records that name their own */
    bool               traced;
    int                refine_window; /* positions; 0: the model's length */
    const char        *precision;     /* as signatures have it */
} drafts_rules;

/* All texts of the file `path` ("-": standard input) as requests with a draft. What was rejected or
 * failed is left out and counted in *left_out. Fails DID_EFORMAT at the first line that is wrong,
 * "FILE:12: sentence", or when there is none; DID_EINVAL when the stages make no sense; DID_EIO. The
 * caller clears `in` in any case. Local. */
status drafts_read(input *in, const char *path, const drafts_rules *rules, int *left_out);

/* The same from text in memory; `where` stands for the file in sentences. Local. */
status drafts_parse(input *in, const char *text, size_t size, const char *where,
                    const drafts_rules *rules, int *left_out);

#endif
