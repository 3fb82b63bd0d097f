/* manuscript.h - a text that is there already and is to be refined: its tokens, which of them stay,
 * and how sure somebody was of the others.
 *
 * Of a line (excerpt.h), beside "text" or "ids":
 *   given          one 0 or 1 for each token: 1 stays as it is
 *   prompt         text: that much of the beginning stays
 *   prompt_tokens  that many tokens of the beginning stay, E in front counted (as our records count)
 *   confidences    one probability for each token, null for one that stays
 * "given" is looked at first, then "prompt", then "prompt_tokens". Where "ids" have no E in front,
 * it is put there, and lists beside them may have an element for it or not. The tokens of a text
 * are those of the model's tokenizer. */
#ifndef DID_MANUSCRIPT_H
#define DID_MANUSCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "excerpt.h"
#include "geometry.h"
#include "status.h"
#include "tokenizer.h"

typedef struct manuscript {
    int      n;
    int32_t *token;      /* [n] E in front */
    bool    *given;      /* [n] stays; token 0 always does */
    float   *confidence; /* [n] of what does not stay; 0 where nobody knows */
    bool     known;      /* all of them are known */
} manuscript;

/* Room for n tokens, of which the first alone stays. Fails DID_ENOMEM. Local. */
status manuscript_open(manuscript *m, int n);

/* What a line without a trace says. `words` NULL: ids only. The caller clears `m` in any case. Fails
 * DID_EFORMAT with what was found and what was expected, DID_ENOMEM. Local. */
status manuscript_read(manuscript *m, const excerpt *e, const tokenizer *words, const geometry *g,
                       int32_t end_id);

void manuscript_clear(manuscript *m); /* Leaves it zeroed. Local. */

#endif
