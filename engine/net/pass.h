/* pass.h - one evaluation of the network over a ragged batch of segments of many documents.
 *
 * The `len` query rows of a segment see each other in both directions, and the cached positions
 * [from, first) of their document, and nothing else. There is no mask matrix anywhere.
 *
 * A COMMIT writes its rows' keys and values into the document's cache slot, layer by layer and
 * before attention, so that a later segment of the same pass already sees them. A PROBE keeps its
 * own to itself and forgets them. One of which nothing is cached may be spanned: rows of ranks hold a
 * part of it each, and every part sees the whole (portion.h). A PATCH writes those of rows anywhere in [from, to) and sees all of
 * [from, to) as the slot then holds it: what it did not write is as old as it is. Logits exist only
 * for rows somebody asks about. */
#ifndef DID_PASS_H
#define DID_PASS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { SEGMENT_PROBE, SEGMENT_COMMIT, SEGMENT_PATCH } segment_kind;

typedef struct segment {
    int32_t kind;
    int32_t slot;           /* cache slot of the document; -1 when nothing of it is cached */
    int32_t first, len;     /* absolute positions of the query rows; of a PATCH the number counts */
    int32_t from;           /* first visible position */
    int32_t row;            /* where its rows begin in the pass */
    int32_t ask, n_asks;    /* its part of the list of asks; a COMMIT has some only when it scores */
    int32_t to;             /* PATCH, spanned PROBE: one past the last visible position; else 0 */
    int32_t home;           /* the row of the team that has the slot, or the first part */
} segment;

typedef enum { ASK_DRAW, ASK_SCORE } ask_kind;

/* What is wanted from one row's distribution over the vocabulary (the mask id is never in it). */
typedef struct ask {
    int32_t row;          /* of the pass; asks are in ascending order of rows */
    int32_t position;     /* of that row in its document */
    int32_t kind;
    int32_t token;        /* SCORE: whose probability */
    int32_t inclusive;    /* DRAW: the nucleus keeps the token that crosses its mass */
    double  nucleus;      /* DRAW: mass kept, in (0, 1] */
    double  temperature;  /* DRAW: divides the logits; 0 takes the most probable token */
    double  uniform;      /* DRAW: in [0, 1), the place in the inverse distribution function */
} ask;

typedef struct answer {
    int32_t token;
    int32_t kept;     /* DRAW: how many tokens the nucleus kept */
    float   raw;      /* probability of `token`, untempered, untruncated; in (0, 1] */
    float   nucleus;  /* DRAW: its probability among the kept, tempered */
    float   peak;     /* probability of the most probable token, untempered */
    float   finite;   /* 1, or 0 when the row's logits were not numbers */
} answer;

typedef struct pass {
    int32_t  model;  /* weight handle */
    int32_t  n_segments, n_rows, n_asks;
    segment *segments;  /* [n_segments] */
    int32_t *token;     /* [n_rows] */
    int32_t *position;  /* [n_rows] absolute; of rows of a PATCH only */
    ask     *asks;      /* [n_asks] */
} pass;

/* Is this a part of a probe, the others being held by other rows? Local. */
static inline bool pass_spanned(const segment *s)
{
    return s->kind == SEGMENT_PROBE && s->to > 0;
}

/* The absolute position of row j of a segment. Local. */
static inline int pass_position(const pass *p, const segment *s, int j)
{
    return s->kind == SEGMENT_PATCH ? p->position[s->row + j] : s->first + j;
}

#endif
