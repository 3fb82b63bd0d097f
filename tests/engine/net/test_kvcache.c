/* Where keys and values lie: rings long enough for their windows, tiles that never overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kvcache.h"

static void rings_hold_their_windows(void **state)
{
    (void)state;
    for (int window = 1; window < 1100; window += 13)
        for (int length = 1; length < 3000; length += 97) {
            int tiles = kvcache_tiles(length, window);
            int all = (length + KEY_TILE - 1) / KEY_TILE;
            /* A window touches this many tiles when it begins at the worst place. */
            int seen = (window + KEY_TILE - 2) / KEY_TILE + 1;
            assert_in_range(tiles, 1, all);
            assert_true(tiles == all || tiles > seen);
        }
    assert_int_equal(kvcache_tiles(256, 256), 4);
    assert_int_equal(kvcache_tiles(1, 1024), 1);
    assert_int_equal(kvcache_tiles(100000, 256), 7);
}

/* Whatever may be committed while `from` is in sight lands in no tile that is in sight. */
static void reach_spares_what_is_seen(void **state)
{
    (void)state;
    for (int tiles = 1; tiles < 9; tiles++) {
        kvcache c = {.slots = 1, .tiles = tiles};
        for (int from = 0; from < 1000; from++) {
            int reach = kvcache_reach(&c, from);
            int last = (reach - 1) / KEY_TILE, first = from / KEY_TILE;
            assert_true(last - first < tiles);                     /* no two in one place */
            assert_int_equal(reach / KEY_TILE - first, tiles);     /* and not a tile wasted */
        }
    }
}

/* Every (slot, layer, head, tile of the ring, K or V) has bytes of its own, and together they fill
 * the slots. */
static void tiles_do_not_overlap(void **state)
{
    (void)state;
    const kvshape shape = {.layers = 3, .heads = 2, .head_size = 6, .tile_bytes = 640};
    kvcache       c = {.slots = 2, .tiles = 4};
    size_t        size = shape.tile_bytes, used = 0;
    c.slot_bytes = kvcache_slot_bytes(&shape, c.tiles) + 10; /* another model needs more */
    size_t total = 2 * c.slot_bytes;
    c.base = calloc(total, 1);
    char *taken = calloc(total, 1);
    for (int slot = 0; slot < 2; slot++)
        for (int layer = 0; layer < 3; layer++)
            for (int head = 0; head < 2; head++)
                for (int tile = 0; tile < 4; tile++)
                    for (int v = 0; v < 2; v++) {
                        char  *t = kvcache_tile(&c, &shape, slot, layer, head,
                                               tile * KEY_TILE + 63 * v, v);
                        size_t at = (size_t)(t - (char *)c.base);
                        assert_true(at >= slot * c.slot_bytes);
                        assert_true(at + size <= (slot + 1) * c.slot_bytes);
                        for (size_t i = 0; i < size; i++) {
                            assert_int_equal(taken[at + i], 0);
                            taken[at + i] = 1;
                        }
                        used += size;
                    }
    assert_int_equal(used, 2 * kvcache_slot_bytes(&shape, c.tiles));
    free(taken);
    free(c.base);
}

/* A position's tile comes round again one ring later, and not before. */
static void the_ring_turns(void **state)
{
    (void)state;
    const kvshape shape = {.layers = 1, .heads = 1, .head_size = 4, .tile_bytes = 1024};
    kvcache       c = {.slots = 1, .tiles = 5};
    c.slot_bytes = kvcache_slot_bytes(&shape, c.tiles);
    c.base = calloc(c.slot_bytes, 1);
    for (int a = 0; a < 12 * KEY_TILE; a += 31)
        for (int b = 0; b < 12 * KEY_TILE; b += 29) {
            bool same = kvcache_tile(&c, &shape, 0, 0, 0, a, 0) ==
                        kvcache_tile(&c, &shape, 0, 0, 0, b, 0);
            assert_int_equal(same, (a / KEY_TILE - b / KEY_TILE) % 5 == 0);
        }
    free(c.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_hold_their_windows),
        cmocka_unit_test(reach_spares_what_is_seen),
        cmocka_unit_test(tiles_do_not_overlap),
        cmocka_unit_test(the_ring_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
