/* Segments against a plain softmax in f64: what each query sees, and where its keys come from. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention.h"
#include "bf16.h"
#include "made_up.h"

enum { LAYERS = 2, HEADS = 2, SIZE = 12, MINE = HEADS * SIZE, SLOTS = 2, POSITIONS = 600,
       ROWS = 300, TILES = 5, WINDOW = 256 };

static kvshape shape = {LAYERS, HEADS, SIZE, 0};

/* A cache, and beside it what it ought to hold. */
typedef struct scene {
    const kernels *k;
    kvcache        cache;
    arena          memory, scratch;
    float          key[SLOTS][LAYERS][POSITIONS][MINE], value[SLOTS][LAYERS][POSITIONS][MINE];
    float          rows[ROWS][3 * MINE];  /* Q, K, V */
    float          out[ROWS][MINE];
    segment        segments[ROWS];
    int32_t        token[ROWS];
    ask            asks[ROWS];
    pass           pass;
    uint64_t       seed;
    double         tolerance;
} scene;

static scene *scene_open(const kernels *k)
{
    scene *s = calloc(1, sizeof *s);
    s->k = k;
    /* Some sets round queries and weights to bf16 as well, not only what they keep. */
    s->tolerance = k->left_bytes == 2 ? 3e-2 : 2e-6;
    s->cache = (kvcache){.slots = SLOTS, .tiles = TILES};
    shape.tile_bytes = key_tile_bytes(s->k->precision, SIZE);
    s->cache.slot_bytes = kvcache_slot_bytes(&shape, TILES);
    assert_int_equal(arena_open(&s->memory, SLOTS * s->cache.slot_bytes), DID_OK);
    assert_int_equal(
        arena_open(&s->scratch, attention_scratch_bytes(ROWS, WINDOW, shape.tile_bytes)), DID_OK);
    /* Not-a-number wherever nobody has written: whoever reads there shows it. */
    memset(s->memory.base, 0xff, s->memory.size);
    memset(s->scratch.base, 0xff, s->scratch.size);
    s->cache.base = s->memory.base;
    s->pass = (pass){.segments = s->segments, .token = s->token, .asks = s->asks};
    return s;
}

static void scene_close(scene *s)
{
    arena_close(&s->memory);
    arena_close(&s->scratch);
    free(s);
}

static void add(scene *s, segment_kind kind, int slot, int first, int len, int from)
{
    pass *p = &s->pass;
    p->segments[p->n_segments++] = (segment){(int32_t)kind, slot, first, len, from, p->n_rows,
                                             p->n_asks, 0, 0, 0};
    for (int i = 0; i < len; i++)
        for (int j = 0; j < 3 * MINE; j++) {
            float x = made_up_normal(&s->seed);
            bool  kept = s->k->precision == PRECISION_BF16 && j >= MINE;
            s->rows[p->n_rows + i][j] = kept ? half_widen(half_round(x)) : x;
        }
    p->n_rows += len;
}

static void add_ask(scene *s, int row_of_segment)
{
    pass    *p = &s->pass;
    segment *g = &p->segments[p->n_segments - 1];
    p->asks[p->n_asks++] = (ask){.row = g->row + row_of_segment};
    g->n_asks++;
}

/* One head of one query over positions [from, to) of keys and values found by `at`. */
static void plain(const scene *s, const segment *g, int layer, int head, const float *q,
                  double out[SIZE])
{
    int    to = g->first + g->len;
    double weight[POSITIONS], total = 0, peak = -INFINITY;
    const float *v[POSITIONS];
    for (int t = g->from; t < to; t++) {
        bool own = g->kind == SEGMENT_PROBE && t >= g->first;
        const float *row = own ? s->rows[g->row + t - g->first] : NULL;
        const float *key = own ? row + MINE : s->key[g->slot][layer][t];
        v[t] = (own ? row + 2 * MINE : s->value[g->slot][layer][t]) + head * SIZE;
        weight[t] = 0;
        for (int i = 0; i < SIZE; i++) weight[t] += (double)q[i] * key[head * SIZE + i];
        weight[t] /= sqrt(SIZE);
        peak = fmax(peak, weight[t]);
    }
    for (int i = 0; i < SIZE; i++) out[i] = 0;
    for (int t = g->from; t < to; t++) total += weight[t] = exp(weight[t] - peak);
    for (int t = g->from; t < to; t++)
        for (int i = 0; i < SIZE; i++) out[i] += weight[t] / total * v[t][i];
}

static void assert_segment(const scene *s, const segment *g, int layer, bool asked)
{
    int rows = asked ? g->n_asks : g->len;
    for (int i = 0; i < rows; i++) {
        int at = asked ? g->ask + i : g->row + i;
        for (int head = 0; head < HEADS; head++) {
            double want[SIZE];
            int    row = asked ? s->asks[at].row : at;
            plain(s, g, layer, head, s->rows[row] + head * SIZE, want);
            for (int j = 0; j < SIZE; j++)
                assert_true(fabs(s->out[at][head * SIZE + j] - want[j]) < s->tolerance);
        }
    }
}

static void note_commits(scene *s, int layer)
{
    for (int i = 0; i < s->pass.n_segments; i++) {
        const segment *g = &s->segments[i];
        for (int j = 0; j < g->len && g->kind == SEGMENT_COMMIT; j++) {
            const float *row = s->rows[g->row + j];
            memcpy(s->key[g->slot][layer][g->first + j], row + MINE, MINE * sizeof *row);
            memcpy(s->value[g->slot][layer][g->first + j], row + 2 * MINE, MINE * sizeof *row);
        }
    }
}

/* Both layers of the pass, compared; then an empty pass. Asked only: Q lies apart, one row per
 * ask. */
static void run(scene *s, bool asked)
{
    float  q[ROWS][MINE];
    pass  *p = &s->pass;
    for (int i = 0; i < p->n_asks; i++) memcpy(q[i], s->rows[p->asks[i].row], sizeof q[i]);
    projections in = {.q = asked ? q[0] : s->rows[0], .k = s->rows[0] + MINE,
                      .v = s->rows[0] + 2 * MINE, .q_stride = asked ? MINE : 3 * MINE,
                      .kv_stride = 3 * MINE, .asked_only = asked};
    for (int layer = 0; layer < LAYERS; layer++) {
        memset(s->out, 0xff, sizeof s->out);
        attention_commit(p, &in, layer, &shape, &s->cache, s->k);
        note_commits(s, layer);
        attention_apply(s->out[0], p, &in, layer, &shape, &s->cache, &s->scratch, s->k);
        assert_int_equal(s->scratch.used, 0);
        for (int i = 0; i < p->n_segments; i++) assert_segment(s, &s->segments[i], layer, asked);
    }
    p->n_segments = p->n_rows = p->n_asks = 0;
}

/* For all sets of this CPU. */
static void with_every_set(void (*test)(scene *s))
{
    for (precision p = PRECISION_F32; p <= PRECISION_BF16; p++)
        for (const char *const *name = kernels_names(p); *name; name++) {
            scene *s = scene_open(kernels_of(p, *name));
            test(s);
            scene_close(s);
        }
}

/* A draft and its neighbours: cached keys, own keys, tiles that hold both, other documents. */
static void mixed_passes(scene *s)
{
    add(s, SEGMENT_COMMIT, 0, 0, 40, 0);
    add(s, SEGMENT_COMMIT, 1, 0, 64, 0);
    add(s, SEGMENT_PROBE, -1, 0, 70, 0);
    run(s, false);
    add(s, SEGMENT_COMMIT, 0, 40, 50, 0);   /* ends inside a tile */
    add(s, SEGMENT_PROBE, 0, 40, 50, 0);    /* the same positions, other keys */
    add(s, SEGMENT_PROBE, 0, 90, 7, 0);     /* sees what this pass committed */
    add(s, SEGMENT_PROBE, 1, 64, 5, 0);     /* begins with a tile */
    add(s, SEGMENT_PROBE, 0, 40, 3, 0);
    add(s, SEGMENT_PROBE, -1, 130, 20, 130);
    run(s, false);
    add(s, SEGMENT_PROBE, 0, 90, 100, 0);   /* own keys over three tiles */
    add(s, SEGMENT_COMMIT, 1, 64, 1, 0);
    add(s, SEGMENT_COMMIT, 1, 65, 1, 0);
    add(s, SEGMENT_COMMIT, 1, 66, 70, 0);
    add(s, SEGMENT_PROBE, 1, 136, 1, 0);
    run(s, false);
}

/* `from` anywhere in the first tiles, for commits and probes. */
static void sliding_from(scene *s)
{
    static const int from[] = {1, 37, 63, 64, 65, 89, 90};
    add(s, SEGMENT_COMMIT, 0, 0, 90, 0);
    run(s, false);
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        add(s, SEGMENT_PROBE, 0, 90, 5, from[i]);
    add(s, SEGMENT_COMMIT, 0, 90, 6, 33);
    run(s, false);
}

/* A text longer than the ring: old tiles are written over once nobody looks at them. */
static void ring_turns(scene *s)
{
    for (int first = 0; first < POSITIONS - 8; first += 8) {
        int from = first + 8 - WINDOW > 0 ? first + 8 - WINDOW : 0;
        add(s, SEGMENT_COMMIT, 0, first, 8, from);
        add(s, SEGMENT_PROBE, 0, first + 8, 3, first + 11 - WINDOW > 0 ? first + 11 - WINDOW : 0);
        run(s, false);
    }
}

/* The last layer: only asked rows are queries, all rows are keys. */
static void asked_rows_only(scene *s)
{
    add(s, SEGMENT_COMMIT, 0, 0, 70, 0);
    add(s, SEGMENT_PROBE, 0, 70, 9, 5);
    add_ask(s, 2);
    add_ask(s, 8);
    add(s, SEGMENT_PROBE, 1, 0, 20, 0); /* nobody asks */
    add(s, SEGMENT_PROBE, -1, 100, 33, 100);
    add_ask(s, 0);
    add_ask(s, 31);
    add_ask(s, 32);
    run(s, true);
}

/* The bits of a row do not show where its keys were kept. */
static void homes_do_not_show(scene *s)
{
    float rows[100][3 * MINE], out[100][MINE];
    add(s, SEGMENT_PROBE, -1, 0, 100, 0);
    memcpy(rows, s->rows, sizeof rows);
    run(s, false);
    memcpy(out, s->out, sizeof out);
    for (int cut = 5; cut < 100; cut += 19) {
        add(s, SEGMENT_COMMIT, 0, 0, cut, 0);
        memcpy(s->rows, rows, (size_t)cut * sizeof *rows);
        run(s, false);
        for (int kind = 0; kind < 2; kind++) {
            add(s, kind ? SEGMENT_COMMIT : SEGMENT_PROBE, 0, cut, 100 - cut, 0);
            memcpy(s->rows, rows + cut, (size_t)(100 - cut) * sizeof *rows);
            run(s, false);
            assert_memory_equal(s->out, out + cut, (size_t)(100 - cut) * sizeof *out);
        }
    }
}

#define TEST(name)                          \
    static void name##_agree(void **state)  \
    {                                       \
        (void)state;                        \
        with_every_set(name);               \
    }
TEST(mixed_passes)
TEST(sliding_from)
TEST(ring_turns)
TEST(asked_rows_only)
TEST(homes_do_not_show)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_passes_agree),    cmocka_unit_test(sliding_from_agree),
        cmocka_unit_test(ring_turns_agree),      cmocka_unit_test(asked_rows_only_agree),
        cmocka_unit_test(homes_do_not_show_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
