/* forward.h - one pass through the transformer, and what was asked of it.
 *
 * Source: BD3-LM / MDLM (pre-norm transformer, rotary positions, tanh GELU). The last layer computes
 * keys and values for all rows and the rest for asked rows only; the vocabulary head runs on asked
 * rows only. */
#ifndef DID_FORWARD_H
#define DID_FORWARD_H

#include "arena.h"
#include "comm.h"
#include "kvcache.h"
#include "model.h"
#include "pass.h"
#include "spanned.h"

/* Where a pass spends its time. */
#define SECTION_MAP(X)           \
    X(LINEAR, "linear")          \
    X(ATTENTION, "attention")    \
    X(ROWWISE, "row-wise")       \
    X(DRAW, "draw")              \
    X(WIRE, "wire")

typedef enum {
#define X(name, text) SECTION_##name,
    SECTION_MAP(X)
#undef X
    SECTION_COUNT
} section;

typedef struct timing {
    double seconds[SECTION_COUNT];
} timing;

/* Everything a pass stands on. Borrowed. */
typedef struct forward_place {
    const model   *model;
    const kvcache *cache;
    const kernels *kernels;
    arena         *workspace;
    timing        *timing;
    comm          *row;
    spanned       *spanned;  /* where passes may hold spanned segments; else NULL */
    const float   *in;       /* [n_rows, d_model] what the depth before left; NULL with the first layer */
    float         *out;      /* the same for the next depth; NULL with the last layer */
    comm          *chain;    /* letters of other passes are on their way in it; NULL: none */
} forward_place;

/* Bytes of workspace for passes of up to `rows` rows in which one segment sees up to `window`
 * positions, on a row of `ranks` ranks; where segments are spanned, such ones of up to `wide`
 * positions, else 0. */
size_t forward_workspace_bytes(const model *split, int rows, int window, int wide, int ranks);

/* The longest vector comm_sum will be given, floats. */
size_t forward_sum_floats(const model *split, int rows);

/* Run `p` through the layers held here and, with the last of them, answer its asks:
 * answers[p->n_asks]. Collective over place->row, and where segments are
 * spanned over the rows that have a part of them. */
status forward(answer *answers, const pass *p, const forward_place *place);

/* The logits of the asked rows, [n_asks, my vocabulary], instead of answers: for checking against
 * reference values. Collective over place->row. */
status forward_logits(float *logits, const pass *p, const forward_place *place);

#endif
