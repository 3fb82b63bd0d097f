/* Fixed parts of a weight: they are the same for every width, about equally large, and their product is
 * that of the whole. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addition.h"
#include "shards.h"

static void parts_are_the_same_at_every_width(void **state)
{
    (void)state;
    static const int units[] = {1, 16, 32};
    for (int u = 0; u < 3; u++)
        for (int total = 1; total < 900; total += 7) {
            int at = 0, unit = units[u], most = (total + unit - 1) / unit;
            for (int i = 0; i < SHARDS; i++) {
                span part = shards_part(total, unit, i);
                assert_int_equal(part.first, at);
                at += part.len;
            }
            assert_int_equal(at, total);
            for (int size = 1; size <= SHARDS; size *= 2)
                for (int r = 0; r < size; r++) {
                    span mine = shards_of(total, unit, r, size);
                    assert_int_equal(mine.first, shards_part(total, unit, r * SHARDS / size).first);
                    assert_true(mine.len <= (most / size + 1) * unit);
                }
        }
}

enum { ROWS = 5, OUT = 40, IN = 96, ROOM = ROWS + PANEL_MAX };

static float value(int i)
{
    return sinf((float)i * 1.7f) * (i % 3 ? 1 : 1e-3f);
}

/* The weight as rank `r` of `size` has it, its parts filled from the whole one's columns. */
static void cut(weight *w, shard part[SHARDS], float *data, int r, int size, const kernels *k)
{
    span mine = shards_of(IN, 8, r, size);
    *w = (weight){.n = OUT, .k = mine.len, .shards = part, .n_shards = SHARDS / size, .kernels = k};
    for (int i = 0; i < w->n_shards; i++) {
        span inputs = shards_part(IN, 8, r * w->n_shards + i);
        part[i] = (shard){.whole = {.n = OUT, .k = inputs.len, .data = data},
                          .first = inputs.first - mine.first};
        for (int o = 0; o < OUT; o++)
            for (int c = 0; c < inputs.len; c++) *data++ = value(o * IN + inputs.first + c);
        linear_prepare(&part[i].whole, k, NULL);
    }
}

/* What rank `r` brings to the sum. */
static void bring(float out[ROOM * OUT], int r, int size, const kernels *k)
{
    static float in[ROOM * IN], data[OUT * IN];
    span         mine = shards_of(IN, 8, r, size);
    weight       w;
    shard        part[SHARDS];
    arena        scratch;
    cut(&w, part, data, r, size, k);
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < mine.len; c++)
            in[i * mine.len + c] = value(7 * (i * IN + mine.first + c) + 1);
    assert_int_equal(arena_open(&scratch, shards_bytes(ROWS, OUT, mine.len, w.n_shards)), DID_OK);
    shards_apply(out, in, &w, ROWS, &scratch);
    assert_int_equal(scratch.used, 0);
    arena_close(&scratch);
}

static void every_width_has_the_same_sum(const kernels *k)
{
    static float brought[SHARDS][ROOM * OUT], sum[ROWS * OUT], first[ROWS * OUT];
    for (int size = 1; size <= SHARDS; size *= 2) {
        const float *part[SHARDS];
        for (int r = 0; r < size; r++) {
            bring(brought[r], r, size, k);
            part[r] = brought[r];
        }
        addition_all(sum, part, size, 0, ROWS * OUT, true);
        if (size == 1) memcpy(first, sum, sizeof sum);
        assert_memory_equal(sum, first, sizeof sum);
    }
    for (int i = 0; i < ROWS; i++)
        for (int o = 0; o < OUT; o++) {
            double want = 0;
            for (int c = 0; c < IN; c++)
                want += (double)value(o * IN + c) * (double)value(7 * (i * IN + c) + 1);
            assert_true(fabs(want - (double)first[i * OUT + o]) < 1e-4);
        }
}

static void widths_add_alike(void **state)
{
    (void)state;
    int sets = 0;
    for (const char *const *name = kernels_available(); *name; name++) {
        const kernels *k = kernels_find(*name);
        if (!k->any_height) continue;
        every_width_has_the_same_sum(k);
        sets++;
    }
    assert_true(sets > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_same_at_every_width),
        cmocka_unit_test(widths_add_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
