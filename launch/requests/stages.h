/* stages.h - the text of `--stages` and the stages it stands for.
 *
 *   stages = stage { "," stage }
 *   stage  = block [ ":" remask ] { ":" setting }       the first stage drafts: no remask share (but
 *                                                     where the text is there already, none does)
 *   block  = "L" (the document's length) | a whole number of tokens
 *   remask = share of the free positions reopened, 0 .. 1; 0.25 where silent
 *   setting = "fhs" | "ancestral" ["/" steps] | "quota" ["/" steps]
 *           | "threshold" ["/" probability] | "p=" nucleus | "T=" temperature | 
 *           | "order=" random|left|confident|drawn
 *           | "policy=" lowest|random|posthoc | "confidence=" raw|nucleus
 *           | "rule=" exclusive|inclusive | "cache=" passes | "model=" DIR
 *
 * `4,L:0.25:quota/32` drafts with blocks of 4, then reopens the least certain quarter and refines
 * it in the whole document's context. */
#ifndef DID_STAGES_H
#define DID_STAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "models.h"
#include "stage.h"
#include "status.h"

/* What holds where a stage is silent. */
typedef struct stage_defaults {
    int          sampler;   /* -1: first-hitting for drafts, quota for the rest */
    int          steps;     /* 0: 32, or 64 for a draft of one whole block */
    double       threshold; /* 0: 0.9 */
    order        order;
    double       nucleus;
    nucleus_rule rule;
    double       temperature;
    policy       policy;
    confidence   confidence;
    int          cache;     /* of refinements of the whole document; 0: none */
    bool         found;     /* the text is there already: it counts as stage 1, and no other drafts */
} stage_defaults;

enum { STAGES_TEXT_MAX = 4096 };

/* Read `text` into stage[STAGES_MAX], *n of them; models they name are added to `m`, which holds
 * the run's own model as handle 0. Fails DID_EINVAL: "stage 2 (L:x): ..." with what was found and
 * what would be understood. Local. */
status stages_parse(stage *out, int *n, const char *text, const stage_defaults *d, models *m);

/* Can a document of `length` positions walk through these stages? Blocks below the length must
 * divide it and must not shrink from stage to stage; no block passes its model's length. Fails
 * DID_EINVAL naming the stage and the sizes that would work. Local. */
status stages_check(const stage *s, int n, int length, const models *m);

/* The smallest length from `length` on that all blocks divide. Local. */
int stages_round(const stage *s, int n, int length);

/* The stages of a run that names none: "BLOCK,L:0.25" with the checkpoint's block, or "L" where
 * that is its whole length. Local. */
void stages_default(const geometry *g, char *text, size_t size);

/* Write the stages out with every setting; stages_parse reads it back to the same. Local. */
void stages_text(const stage *s, int n, const models *m, char *text, size_t size);

#endif
