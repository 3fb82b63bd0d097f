#include "kvcache.h"

#include <assert.h>

int kvcache_tiles(int length, int window)
{
    int all = (length + KEY_TILE - 1) / KEY_TILE;
    /* A window that begins inside a tile touches one tile more than it fills; two further ones let
     * a few blocks be committed in one pass without overwriting what their own queries see. */
    int sliding = (window + KEY_TILE - 1) / KEY_TILE + 3;
    return all < sliding ? all : sliding;
}

size_t kvcache_slot_bytes(const kvshape *shape, int tiles)
{
    return 2 * (size_t)shape->layers * (size_t)shape->heads * (size_t)tiles * shape->tile_bytes;
}

int kvcache_reach(const kvcache *c, int from)
{
    return (from / KEY_TILE + c->tiles) * KEY_TILE;
}

void *kvcache_tile(const kvcache *c, const kvshape *shape, int slot, int layer, int head,
                   int position, int v)
{
    assert(slot >= 0 && slot < c->slots && layer < shape->layers && head < shape->heads);
    size_t place = (size_t)(position / KEY_TILE % c->tiles);
    size_t which = ((size_t)layer * (size_t)shape->heads + (size_t)head) * (size_t)c->tiles + place;
    return (char *)c->base + (size_t)slot * c->slot_bytes +
           (2 * which + (size_t)v) * shape->tile_bytes;
}
