#include "kernels.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* A library product picks its code by shape, and inside one product rows in different places may be
 * summed in different orders. So the same row is put everywhere, in both heights, among different
 * neighbours, and only heights that give it the same bits every time pass. */

static const struct heights {
    int small, large;
} CANDIDATES[] = {{16, 192}, {48, 192}, {96, 192}, {192, PANEL_MAX}};

/* Two orders of one sum agree in its bits about one time in three; so many sums do not. */
enum { SUMS_WANTED = 64 };

typedef struct trial {
    const kernels *k;
    int            n, depth;
    float         *w, *a, *c;
    float         *row, *expected;  /* the row that travels, and what it gave the first time */
    bool           seen;            /* expected holds something */
    uint64_t       state;
} trial;

size_t panel_scratch_floats(int n, int k_dim)
{
    return ((size_t)n + PANEL_MAX + 1) * (size_t)k_dim + ((size_t)PANEL_MAX + 1) * (size_t)n;
}

/* A float in [-1, 1) with all its bits in use, from Marsaglia's xorshift. */
static float draw(trial *t)
{
    t->state ^= t->state << 13;
    t->state ^= t->state >> 7;
    t->state ^= t->state << 17;
    return (float)(t->state >> 40) * 0x1p-23f - 1;
}

static void draw_many(trial *t, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = draw(t);
}

/* One product of `height` rows: the travelling row stands in every third place, beginning at
 * `phase`, and strangers in the others. */
static bool same_bits(trial *t, int height, int phase)
{
    for (int r = 0; r < height; r++) {
        float *a = t->a + (size_t)r * t->depth;
        if (r % 3 == phase)
            memcpy(a, t->row, (size_t)t->depth * sizeof *a);
        else
            draw_many(t, a, (size_t)t->depth);
    }
    t->k->linear(t->c, t->a, t->w, NULL, height, t->n, t->depth);
    for (int r = phase; r < height; r += 3) {
        const float *c = t->c + (size_t)r * t->n;
        if (!t->seen) memcpy(t->expected, c, (size_t)t->n * sizeof *c);
        t->seen = true;
        if (memcmp(t->expected, c, (size_t)t->n * sizeof *c) != 0) return false;
    }
    return true;
}

static bool height_passes(trial *t, int height)
{
    for (int phase = 0; phase < 3; phase++)
        if (!same_bits(t, height, phase)) return false;
    return true;
}

static bool heights_pass(trial *t, struct heights h)
{
    for (int sums = 0; sums < SUMS_WANTED; sums += t->n) {
        draw_many(t, t->row, (size_t)t->depth);
        t->seen = false;
        if (!height_passes(t, h.small)) return false;
        if (h.large != h.small && !height_passes(t, h.large)) return false;
    }
    return true;
}

panel linear_panel(const kernels *k, int n, int k_dim, float *scratch)
{
    if (k->any_height) return (panel){.small = 4, .large = PANEL_MAX, .verified = true};

    trial t = {.k = k, .n = n, .depth = k_dim, .state = 0x9e3779b97f4a7c15};
    t.w        = scratch;
    t.a        = t.w + (size_t)n * k_dim;
    t.row      = t.a + (size_t)PANEL_MAX * k_dim;
    t.c        = t.row + k_dim;
    t.expected = t.c + (size_t)PANEL_MAX * n;
    draw_many(&t, t.w, (size_t)n * k_dim);

    for (size_t i = 0; i < sizeof CANDIDATES / sizeof *CANDIDATES; i++) {
        assert(CANDIDATES[i].large <= PANEL_MAX);
        if (heights_pass(&t, CANDIDATES[i]))
            return (panel){CANDIDATES[i].small, CANDIDATES[i].large, true};
    }
    return (panel){.small = PANEL_MAX, .large = PANEL_MAX, .verified = false};
}
