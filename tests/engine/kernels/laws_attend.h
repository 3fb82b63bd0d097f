/* laws_attend.h - what attention must keep, in every kernel set: see laws.h. */
#ifndef DID_LAWS_ATTEND_H
#define DID_LAWS_ATTEND_H

#include "laws.h"

enum { TILES_MAX = 8 };

static float attend_tolerance = 2e-6f;

typedef struct keys {
    key_tiles    tiles;
    void        *k[TILES_MAX], *v[TILES_MAX];
    const void  *k_seen[TILES_MAX], *v_seen[TILES_MAX];
    float       *key, *value;  /* one of each, ending where memory ends */
} keys;

/* Fills x with the key (stream 20) or value (stream 21) of an absolute position. */
static float *vector_at(float *x, uint32_t stream, int position, int head_size)
{
    for (int i = 0; i < head_size; i++)
        x[i] = noise(stream, (uint32_t)(position * HEAD_MAX + i));
    return x;
}

static void store(const kernels *k, keys *t, int position, int head_size)
{
    int tile = position / KEY_TILE - t->tiles.first_tile;
    k->key_store(t->k[tile], t->v[tile], vector_at(t->key, 20, position, head_size),
                 vector_at(t->value, 21, position, head_size), position % KEY_TILE, head_size);
}

/* The tiles that overlap [from, to), NaN wherever nothing was stored. */
static void keys_make(keys *t, const kernels *k, int from, int to, int head_size)
{
    t->tiles = (key_tiles){.k = t->k_seen, .v = t->v_seen, .first_tile = from / KEY_TILE,
                           .from = from, .to = to};
    t->tiles.n_tiles = (to + KEY_TILE - 1) / KEY_TILE - t->tiles.first_tile;
    assert_true(t->tiles.n_tiles <= TILES_MAX);
    size_t n = key_tile_bytes(k->precision, head_size);
    for (int i = 0; i < t->tiles.n_tiles; i++) {
        t->k_seen[i] = t->k[i] = memset(guard_bytes(n), 0xff, n);
        t->v_seen[i] = t->v[i] = memset(guard_bytes(n), 0xff, n);
    }
    t->key   = guard_floats((size_t)head_size);
    t->value = guard_floats((size_t)head_size);
    for (int position = from; position < to; position++)
        store(k, t, position, head_size);
}

/* rows queries of `stride` floats between them, the last ending where memory ends. */
static float *queries(int rows, int stride, int head_size, float size)
{
    float *q = guard_floats((size_t)(rows - 1) * stride + head_size);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < head_size; i++)
            q[(size_t)r * stride + i] = size * noise(22, (uint32_t)(r * HEAD_MAX + i));
    return q;
}

static void attend_case(int rows, int from, int to, int head_size, float size)
{
    int  mark = guard_mark();
    int  in = head_size + 5, out = head_size + 3;
    keys mine, oracle;
    keys_make(&mine, set, from, to, head_size);
    keys_make(&oracle, ref, from, to, head_size);
    float *q    = queries(rows, in, head_size, size);
    float *got  = guard_floats((size_t)(rows - 1) * out + head_size);
    float *want = guard_floats((size_t)(rows - 1) * out + head_size);
    for (int i = 0; i < (rows - 1) * out + head_size; i++)
        got[i] = want[i] = 7;
    set->attend(got, out, q, in, rows, &mine.tiles, head_size);
    ref->attend(want, out, q, in, rows, &oracle.tiles, head_size);
    for (int i = 0; i < (rows - 1) * out + head_size; i++)
        assert_close(got[i], want[i], attend_tolerance * fmaxf(1, size), "attend", i);
    guard_clear(mark);
}

static const int RANGES[][2] = {{0, 1},    {0, 64},   {0, 65},    {3, 5},     {63, 65},  {1, 64},
                                {64, 128}, {70, 71},  {127, 300}, {5, 192},   {191, 193}, {0, 450}};
static const int HEADS[]     = {2, 10, 16, 30, 64, 80, 128, 256};

static void attend_agrees_with_ref(void **state)
{
    static const int ROWS[] = {1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 63, 64, 65, 255, 257};
    (void)state;
    for (int h = 0; h < COUNT(HEADS); h++)
        for (int i = 0; i < COUNT(RANGES); i++)
            attend_case(3 + i, RANGES[i][0], RANGES[i][1], HEADS[h], 1);
    for (int i = 0; i < COUNT(ROWS); i++) {
        attend_case(ROWS[i], 30, 100, 64, 1);
        attend_case(ROWS[i], 60, 70, 10, 1);
    }
    attend_case(9, 0, 200, 64, 60);  /* scores far apart: most weights vanish */
}

/* Rows [r, r + some) of a batch, in a batch of their own. */
static void attend_alone(int from, int to, int head_size, int some)
{
    enum { ROWS = 53 };
    int  mark = guard_mark();
    keys t;
    keys_make(&t, set, from, to, head_size);
    float *q   = queries(ROWS, head_size, head_size, 3);
    float *all = guard_floats((size_t)ROWS * head_size);
    float *few = guard_floats((size_t)some * head_size);
    set->attend(all, head_size, q, head_size, ROWS, &t.tiles, head_size);
    for (int r = 0; r + some <= ROWS; r++) {
        int    inner = guard_mark();
        size_t n     = (size_t)some * head_size;
        float *alone = guard_floats(n);
        memcpy(alone, q + (size_t)r * head_size, n * sizeof *q);
        set->attend(few, head_size, alone, head_size, some, &t.tiles, head_size);
        assert_same_bits(all + (size_t)r * head_size, few, (int)n, "attend", some);
        guard_clear(inner);
    }
    guard_clear(mark);
}

static void attend_rows_are_alone(void **state)
{
    (void)state;
    for (int h = 0; h < COUNT(HEADS); h++) {
        attend_alone(37, 140, HEADS[h], 1);
        attend_alone(0, 70, HEADS[h], 4);
    }
    attend_alone(37, 140, 64, 2);
    attend_alone(37, 140, 64, 3);
    attend_alone(37, 140, 64, 5);
    attend_alone(37, 140, 64, 25);
}

static void attend_ignores_what_it_may_not_see(void **state)
{
    enum { HEAD = 64, ROWS = 7 };
    (void)state;
    int  mark = guard_mark();
    keys bare, full;
    keys_make(&bare, set, 70, 131, HEAD);
    keys_make(&full, set, 64, 192, HEAD);
    full.tiles.from = 70;
    full.tiles.to   = 131;
    float *q = queries(ROWS, HEAD, HEAD, 2);
    float *a = guard_floats(ROWS * HEAD), *b = guard_floats(ROWS * HEAD);
    set->attend(a, HEAD, q, HEAD, ROWS, &bare.tiles, HEAD);
    set->attend(b, HEAD, q, HEAD, ROWS, &full.tiles, HEAD);
    for (int i = 0; i < ROWS * HEAD; i++)
        assert_true(isfinite(a[i]));
    assert_same_bits(a, b, ROWS * HEAD, "attend beside other keys", ROWS);
    guard_clear(mark);
}

static void attend_continues_a_copied_tile(void **state)
{
    (void)state;
    for (int h = 0; h < COUNT(HEADS); h++)
        for (int cached = 0; cached <= KEY_TILE; cached += 1 + cached / 2) {
            int   mark = guard_mark(), head = HEADS[h];
            keys  whole, part, scratch;
            int   first = 2 * KEY_TILE, end = 3 * KEY_TILE;
            keys_make(&whole, set, first, end, head);
            keys_make(&part, set, first, end, head);
            keys_make(&scratch, set, first, end, head);
            size_t n = key_tile_bytes(set->precision, head);
            memset(scratch.k[0], 0xff, n);
            memset(scratch.v[0], 0xff, n);
            set->key_copy(scratch.k[0], scratch.v[0], part.k[0], part.v[0], cached, head);
            for (int position = first + cached; position < end; position++)
                store(set, &scratch, position, head);
            float *q = queries(5, head, head, 1);
            float *a = guard_floats((size_t)5 * head), *b = guard_floats((size_t)5 * head);
            set->attend(a, head, q, head, 5, &whole.tiles, head);
            set->attend(b, head, q, head, 5, &scratch.tiles, head);
            assert_same_bits(a, b, 5 * head, "attend over a copied tile", 5);
            guard_clear(mark);
        }
}

/* What is not a number must not be hidden by the mask or by the running maximum. */
static void attend_shows_what_is_not_a_number(void **state)
{
    enum { HEAD = 64 };
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        int    mark = guard_mark();
        keys   t;
        float *nan = guard_floats(HEAD), *out = guard_floats(HEAD);
        keys_make(&t, set, 10, 150, HEAD);
        for (int i = 0; i < HEAD; i++)
            nan[i] = NAN;
        float *good = vector_at(guard_floats(HEAD), 20, 77, HEAD);
        set->key_store(t.k[1], t.v[1], bad == 0 ? nan : good, bad == 0 ? good : nan, 13, HEAD);
        set->attend(out, HEAD, queries(1, HEAD, HEAD, 1), HEAD, 1, &t.tiles, HEAD);
        for (int i = 0; i < HEAD; i++)
            assert_true(isnan(out[i]));
        guard_clear(mark);
    }
}

/* Two keys with scores 0 and -x and values (1, 0), (0, 1) show exp(-x) as a quotient. */
static void attend_exponential_is_accurate(void **state)
{
    (void)state;
    int  mark = guard_mark();
    keys t;
    keys_make(&t, set, 0, 2, 2);
    float last = 1, *out = guard_floats(2), *q = guard_floats(2);
    for (float x = 0; x < 86; x += 0.0137f) {
        float low[]  = {-x, 0};
        float high[] = {0, 0};
        set->key_store(t.k[0], t.v[0], high, (float[]){1, 0}, 0, 2);
        set->key_store(t.k[0], t.v[0], low, (float[]){0, 1}, 1, 2);
        q[0] = 1.41421354f;
        q[1] = 0;
        set->attend(out, 2, q, 2, 1, &t.tiles, 2);
        double want = exp(-(double)x), got = (double)out[1] / (double)out[0];
        if (fabs(got - want) > (5e-7 + 2e-7 * x) * want)
            fail_msg("%s: exp(-%.9g) is %.9g, not %.9g", set->name, x, got, want);
        assert_true(out[1] <= last);
        last = out[1];
    }
    float low[] = {-INFINITY, 0};
    set->key_store(t.k[0], t.v[0], low, (float[]){0, 1}, 1, 2);
    q[1] = 1;
    set->attend(out, 2, q, 2, 1, &t.tiles, 2);
    assert_true(out[0] == 1 && out[1] == 0);
    guard_clear(mark);
}

/* A score far above all later ones stays the peak: measured from a lower one it would overflow. */
static void attend_keeps_its_peak(void **state)
{
    (void)state;
    int  mark = guard_mark();
    keys t;
    keys_make(&t, set, 0, 130, 2);
    for (int position = 0; position < 130; position++) {
        float high[] = {position == 5 ? 400 : 0, 0};
        set->key_store(t.k[position / KEY_TILE], t.v[position / KEY_TILE], high,
                       (float[]){(float)position, 1}, position % KEY_TILE, 2);
    }
    float *q = guard_floats(2), *out = guard_floats(2);
    q[0] = q[1] = 1;
    set->attend(out, 2, q, 2, 1, &t.tiles, 2);
    assert_true(out[0] == 5 && out[1] == 1);
    guard_clear(mark);
}

static const struct CMUnitTest LAWS[] = {
    cmocka_unit_test(rowwise_agrees_with_ref),
    cmocka_unit_test(rowwise_rows_are_alone),
    cmocka_unit_test(norm_stands_far_from_zero),
    cmocka_unit_test(gelu_is_accurate_near_and_far),
    cmocka_unit_test(residual_without_gate_is_gate_one),
    cmocka_unit_test(linear_agrees_and_rows_are_alone),
    cmocka_unit_test(linear_at_any_height),
    cmocka_unit_test(max_is_exact),
    cmocka_unit_test(exponentials_are_accurate),
    cmocka_unit_test(exponentials_reach_the_ends),
    cmocka_unit_test(exponentials_skip_one_and_sum_the_same),
    cmocka_unit_test(attend_agrees_with_ref),
    cmocka_unit_test(attend_rows_are_alone),
    cmocka_unit_test(attend_ignores_what_it_may_not_see),
    cmocka_unit_test(attend_continues_a_copied_tile),
    cmocka_unit_test(attend_shows_what_is_not_a_number),
    cmocka_unit_test(attend_exponential_is_accurate),
    cmocka_unit_test(attend_keeps_its_peak),
};

/* Runs the laws on the set of that name; a CPU without it says so and passes. */
static inline int laws_run(const char *name)
{
    ref = kernels_find("ref");
    set = kernels_find(name);
    if (!set) {
        printf("skipped: this CPU lacks %s (%s)\n", name, kernels_cpu());
        return 0;
    }
    return cmocka_run_group_tests_name(name, LAWS, NULL, NULL);
}

#endif
