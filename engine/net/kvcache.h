/* kvcache.h - keys and values of committed blocks, one slot per document in flight.
 *
 * A slot is a ring of key tiles: position p lives in tile p / KEY_TILE, and a tile's place in the
 * ring is its number modulo the ring's length. Old tiles are written over when their positions have
 * left the window; `from` keeps anybody from looking at them. Keys are stored rotated, at absolute
 * positions, so dropping old text moves nothing. */
#ifndef DID_KVCACHE_H
#define DID_KVCACHE_H

#include <stddef.h>

#include "arena.h"
#include "kernels.h"

typedef struct kvcache {
    void  *base;
    size_t slot_bytes;
    int    slots;
    int    tiles;  /* the ring's length */
} kvcache;

/* The part of a slot that one model on this rank uses. */
typedef struct kvshape {
    int    layers, heads, head_size;  /* heads: mine */
    size_t tile_bytes;                /* of a K tile, and of a V tile */
} kvshape;

/* Tiles that a ring needs so that documents of `length` positions can be drafted with a context of
 * `window`. Local. */
int kvcache_tiles(int length, int window);

/* Bytes of one slot for `shape`. Local. */
size_t kvcache_slot_bytes(const kvshape *shape, int tiles);

/* The last position, exclusive, that may be committed while positions from `from` on are still to be
 * seen. Local. */
int kvcache_reach(const kvcache *c, int from);

/* The K (v = 0) or V (v = 1) tile that holds position `position`. Local. */
void *kvcache_tile(const kvcache *c, const kvshape *shape, int slot, int layer, int head,
                   int position, int v);

#endif
