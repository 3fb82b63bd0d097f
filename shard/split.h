/* split.h - who gets what: `total` things over `parts` ranks, as evenly as units allow.
 *
 * Pure arithmetic: it can plan 64 ranks in one process. 12 heads on 5 ranks: 3, 3, 2, 2, 2. */
#ifndef DID_SPLIT_H
#define DID_SPLIT_H

typedef struct span {
    int first, len;
} span;

/* The units in which MLP columns and vocabulary are dealt out: multiples that every vector width
 * divides. Heads are dealt out one by one. */
enum { SPLIT_MLP = 32, SPLIT_VOCAB = 16 };

/* Part `i` of `parts` of [0, total), cut at multiples of `unit`; larger parts come first; the last
 * part takes the remainder below a unit. A part may be empty when there are fewer units than parts.
 * Local. */
span split_part(int total, int unit, int parts, int i);

#endif
