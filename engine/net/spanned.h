/* spanned.h - attention of the parts of a probe that lies on several rows.
 *
 * Every row makes key tiles of its part and gathers those of the others over its column, one head of
 * one segment after the other: while a head is attended to, the tiles of the next one travel. Tiles are
 * cut at absolute positions, as parts are, and are read in ascending order; so a query's bits are those
 * that one row alone would give. Two heads' tiles of the whole segment is all that is held. */
#ifndef DID_SPANNED_H
#define DID_SPANNED_H

#include "attention.h"
#include "gather.h"

/* Where the rows of a team meet; one per rank. */
typedef struct spanned {
    int     rows, row;       /* S, and which of them is mine */
    gather *under_way[2];    /* over my column */
    const void **k_tile, **v_tile;
    char   *tiles[2];        /* K and V by turns, of the whole segment */

    /* Of the layer at hand. */
    const pass        *p;
    const projections *in;
    const kvshape     *shape;
    const kernels     *k;
    int                segment, head, turn; /* begun last: of them, and how many before */
} spanned;

/* Scratch for probes of up to `len` positions. Local. */
size_t spanned_scratch_bytes(int len, size_t tile_bytes);

/* Room in both gathers for such a probe: bytes. Local. */
size_t spanned_gather_bytes(int len, size_t tile_bytes);

/* The tiles of the first head begin to travel: what has nothing to do with them may be done before
 * spanned_end. Takes `scratch` that is in use until then. Collective over the column. */
status spanned_begin(spanned *s, const pass *p, const projections *in, const kvshape *shape,
                     arena *scratch, const kernels *k);

/* out[rows or asks, heads * head_size] of the rows of spanned segments. *waited grows by the seconds
 * in which tiles were waited for. Collective over the column. */
status spanned_end(spanned *s, float *out, double *waited);

#endif
