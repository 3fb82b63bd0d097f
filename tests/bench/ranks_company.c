/* What company.h promises: a pass whose documents do not disturb each other is found right, and
 * every way of disturbing is found out. */
#include "company.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "madeup.h"
#include "preset.h"

static comm          *world;
static grid           place;
static geometry       shape;
static stand          fast, oracle;
static int32_t        scratch[160];
static const kernels *best;

enum { DOCUMENTS = 3, ROWS = 160 };

static const stand_size SIZE = {
    .rows = ROWS + COMPANY_STRANGERS, .slots = DOCUMENTS, .length = 160};
static const stand_size ORACLE_SIZE = {.rows = ROWS, .slots = 1, .length = 160};

static int open_all(void **state)
{
    (void)state;
    madeup m;
    grid_shape team = {1, 1, comm_size(world)};
    best = kernels_find(NULL);
    bool opened =
        preset_find(&shape, "80x5x3x1003x96") == DID_OK &&
        grid_open(&place, world, &team) == DID_OK && madeup_open(&m, &shape, 1, world) == DID_OK &&
        stand_open(&fast, m.dir, &shape, &place, best, &SIZE) == DID_OK &&
        stand_open(&oracle, m.dir, &shape, &place, kernels_find("ref"), &ORACLE_SIZE) == DID_OK &&
        comm_reserve(place.row, stand_sum_floats(&fast, &SIZE)) == DID_OK &&
        comm_barrier(world, EV_BENCH) == DID_OK;
    madeup_close(&m);
    return !opened;
}

static int close_all(void **state)
{
    (void)state;
    stand_close(&fast);
    stand_close(&oracle);
    grid_close(&place);
    return 0;
}

static scene scene_of(scene_kind kind, int context)
{
    return (scene){.kind = kind,
                   .geometry = &shape,
                   .documents = kind == SCENE_REFINE ? 1 : DOCUMENTS,
                   .context = context,
                   .block = 4,
                   .wanted = 8,
                   .seed = 1,
                   .scratch = scratch};
}

static verdict judge(scene_kind kind, int context)
{
    scene   s = scene_of(kind, context);
    verdict v = {0};
    assert_int_equal(company_check(&v, &s, &fast, &oracle, world), DID_OK);
    return v;
}

static const scene_kind KINDS[] = {SCENE_DRAFT, SCENE_FUSED, SCENE_COMMIT, SCENE_REFINE};

static void good_company(void **state)
{
    (void)state;
    static const int CONTEXTS[] = {8, 64, 66, 96, 150}; /* the last is beyond the model's length */
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < 5; c++) {
            verdict v = judge(KINDS[i], CONTEXTS[c]);
            if (v.wrong) fail_msg("%s at %d: %s", scene_name(KINDS[i]), CONTEXTS[c], v.why);
        }
}

static kernels bad;

/* A product whose bits depend on how many rows there are. */
static void linear_of_crowds(float *c, const float *a, const float *w, const float *bias, int rows,
                             int n, int k)
{
    best->linear(c, a, w, bias, rows, n, k);
    for (size_t i = 0; rows > 20 && i < (size_t)rows * (size_t)n; i++) c[i] = nextafterf(c[i], 9);
}

/* One whose error all rows share, alone or not. */
static void linear_off(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                       int k)
{
    best->linear(c, a, w, bias, rows, n, k);
    for (size_t i = 0; i < (size_t)rows * (size_t)n; i++) c[i] *= 1.01f;
}

/* Keys of every second call go astray: which ones depends on the company. */
static void store_astray(void *k_tile, void *v_tile, const float *k, const float *v, int slot,
                         int head_size)
{
    static unsigned calls;
    float           other[HEAD_MAX];
    memcpy(other, k, (size_t)head_size * sizeof *k);
    if (++calls % 97 == 0) other[0] += 1;
    best->key_store(k_tile, v_tile, other, v, slot, head_size);
}

static void use_linear(void (*product)(float *c, const float *a, const float *w, const float *bias,
                                       int rows, int n, int k))
{
    model *m = &fast.model;
    for (int i = 0; i < m->geometry.n_layers; i++) {
        layer_weights *l = &m->layers[i];
        l->qkv.product = l->out.product = l->up.product = l->down.product = product;
    }
    m->last_q.product = m->last_kv.product = m->head.product = product;
}

static void crowds_are_found_out(void **state)
{
    (void)state;
    use_linear(linear_of_crowds);
    verdict v = judge(SCENE_FUSED, 64);
    use_linear(best->linear);
    assert_true(v.wrong);
    assert_non_null(strstr(v.why, "in company than alone"));
}

static void a_common_error_is_found_out(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        use_linear(linear_off);
        verdict v = judge(KINDS[i], 64);
        use_linear(best->linear);
        if (!v.wrong) fail_msg("%s: not found out", scene_name(KINDS[i]));
        assert_non_null(strstr(v.why, "a logit"));
    }
}

static void stray_keys_are_found_out(void **state)
{
    (void)state;
    bad = *best;
    bad.key_store = store_astray;
    fast.place.kernels = &bad;
    verdict v = judge(SCENE_COMMIT, 64);
    fast.place.kernels = best;
    assert_true(v.wrong);
}

/* The cost of a pass, counted once more by hand for a model of one piece. */
static void costs(void **state)
{
    (void)state;
    model whole;
    model_split(&whole, &shape, 0, 1);
    scene      s = scene_of(SCENE_FUSED, 64);
    scene_cost c = scene_work(&s, &whole);
    double     rows = 3 * 8, asks = 3, d = 80, f = 320, words = 1003, layer = 4 * d * d + 2 * d * f;
    double     linear =
        2 * (2 * rows * layer + rows * 2 * d * d + asks * (layer - 2 * d * d) + asks * words * d);
    double attention = 3 * 4 * d * (2 * (4 * 60 + 4 * 64) + 64);
    assert_true(fabs(c.flops - linear - attention) < 1);
    double weights = 4 * (3 * layer + words * d), keys = 4 * 3 * 3 * 2 * d * 56;
    assert_true(fabs(c.bytes - weights - keys) < 1);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_company), cmocka_unit_test(crowds_are_found_out),
        cmocka_unit_test(a_common_error_is_found_out), cmocka_unit_test(stray_keys_are_found_out),
        cmocka_unit_test(costs)};
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    comm_stop(&world);
    return failed;
}
