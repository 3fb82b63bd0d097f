/* The slices of all ranks together are the whole model, bit for bit, in every layout of weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bf16.h"
#include "made_up.h"
#include "model.h"

static comm *world;
static char  odd[MADE_UP_PATH], toy[MADE_UP_PATH];

static void open_part(model *m, const char *dir, int r, int size, bool folded)
{
    geometry g;
    assert_int_equal(geometry_read(&g, dir), DID_OK);
    status s = model_open(m, dir, &g, r, size, folded, kernels_find(NULL));
    if (s != DID_OK) fail_msg("%s", status_message());
}

/* Both or neither, and then the same n floats. */
static void assert_same(const float *part, const float *whole, int n)
{
    assert_int_equal(part != NULL, whole != NULL);
    if (part && n > 0) assert_memory_equal(part, whole, (size_t)n * sizeof *part);
}

/* Rows [first, ...) of `whole` are those of `part`. */
static void assert_rows(const weight *part, const weight *whole, int at, int first, int rows)
{
    size_t k = (size_t)whole->k;
    assert_int_equal(part->k, whole->k);
    assert_same(part->data + (size_t)at * k, whole->data + (size_t)first * k, rows * whole->k);
    assert_same(part->bias ? part->bias + at : NULL, whole->bias ? whole->bias + first : NULL,
                rows);
}

static void assert_columns(const weight *part, const weight *whole, int first, int columns)
{
    assert_int_equal(part->n, whole->n);
    assert_int_equal(part->k, columns);
    for (int i = 0; i < part->n; i++)
        assert_same(part->data + (size_t)i * (size_t)columns,
                    whole->data + (size_t)i * (size_t)whole->k + first, columns);
    assert_null(part->bias);
}

static void assert_norm(const affine *part, const affine *whole, int d)
{
    assert_same(part->scale, whole->scale, d);
    assert_same(part->shift, whole->shift, d);
}

static void assert_layer(const model *part, const model *whole, int layer)
{
    const layer_weights *p = &part->layers[layer], *w = &whole->layers[layer];
    int d = whole->geometry.d_model, hs = whole->geometry.head_size, mine = part->heads.len * hs;
    assert_int_equal(p->qkv.n, 3 * mine);
    for (int third = 0; third < 3; third++)
        assert_rows(&p->qkv, &w->qkv, third * mine, third * d + part->heads.first * hs, mine);
    assert_columns(&p->out, &w->out, part->heads.first * hs, mine);
    assert_int_equal(p->up.n, part->mlp.len);
    assert_rows(&p->up, &w->up, 0, part->mlp.first, part->mlp.len);
    assert_columns(&p->down, &w->down, part->mlp.first, part->mlp.len);
    assert_same(p->down_bias, w->down_bias, d);
    assert_same(p->out_bias, w->out_bias, d);
    assert_same(p->gate1, w->gate1, d);
    assert_same(p->gate2, w->gate2, d);
    assert_norm(&p->norm1, &w->norm1, d);
    assert_norm(&p->norm2, &w->norm2, d);
}

static void assert_part(const model *part, const model *whole)
{
    const geometry *g = &whole->geometry;
    int             d = g->d_model, mine = part->heads.len * g->head_size;
    for (int i = 0; i < g->n_layers; i++) assert_layer(part, whole, i);
    assert_int_equal(part->head.n, part->vocab.len);
    assert_rows(&part->head, &whole->head, 0, part->vocab.first, part->vocab.len);
    assert_same(part->embedding, whole->embedding + (size_t)part->vocab.first * (size_t)d,
                part->vocab.len * d);
    assert_same(part->positions, whole->positions, g->length * d);
    assert_norm(&part->norm_final, &whole->norm_final, d);
    assert_memory_equal(part->inv_freq, whole->inv_freq,
                        (size_t)g->head_size / 2 * sizeof *part->inv_freq);

    /* The last layer's qkv once more, in two. */
    const weight *qkv = &part->layers[g->n_layers - 1].qkv;
    assert_rows(&part->last_q, qkv, 0, 0, mine);
    assert_rows(&part->last_kv, qkv, 0, mine, 2 * mine);
    assert_int_equal(part->last_q.n, mine);
    assert_int_equal(part->last_kv.n, 2 * mine);
}

/* What was announced before loading is what was taken. */
static void assert_bytes(const model *m, bool folded)
{
    size_t embedding, all = model_bytes(m, folded, &embedding);
    assert_int_equal(m->memory.size, all);
    assert_int_equal(m->memory.used, all);
    assert_in_range(embedding, (size_t)m->vocab.len * (size_t)m->geometry.d_model * sizeof(float),
                    all);
}

static void compare(const char *dir, int size, bool folded)
{
    model whole, part;
    open_part(&whole, dir, 0, 1, folded);
    open_part(&part, dir, comm_rank(world) % size, size, folded);
    assert_bytes(&whole, folded);
    assert_bytes(&part, folded);
    assert_part(&part, &whole);
    assert_int_equal(part.kv.heads, part.heads.len);
    assert_int_equal(part.kv.layers, whole.geometry.n_layers);
    model_close(&part);
    model_close(&whole);
}

/* Every layer is on one depth, the embedding on the first of them, the head on the last, and the
 * cache has room for what is held. */
static void assert_depths(const char *dir, int depths, bool folded)
{
    model whole, part;
    int   r = comm_rank(world), size = comm_size(world), met = 0;
    open_part(&whole, dir, r, size, folded);
    for (int depth = 0; depth < depths; depth++) {
        model_split(&part, &whole.geometry, r, size);
        model_deepen(&part, depth, depths, 1);
        assert_int_equal(model_open_split(&part, dir, folded, kernels_find(NULL)), DID_OK);
        assert_int_equal(part.held.first, met);
        assert_true(part.held.len > 0 && part.kv.layers == part.held.len);
        met += part.held.len;
        for (int i = part.held.first; i < met; i++)
            assert_memory_equal(part.layers[i].down_bias, whole.layers[i].down_bias,
                                (size_t)whole.geometry.d_model * sizeof(float));
        assert_int_equal(part.embedding != NULL, depth == 0);
        assert_int_equal(part.head.n, depth == depths - 1 ? whole.head.n : 0);
        size_t embedding, all = model_bytes(&part, folded, &embedding);
        assert_int_equal(part.memory.used, all);
        assert_int_equal(embedding > 0, depth == 0);
        assert_true(depths == 1 || all < whole.memory.size);
        model_close(&part);
    }
    assert_int_equal(met, whole.geometry.n_layers);
    model_close(&whole);
}

static void every_layer_is_on_one_depth(void **state)
{
    (void)state;
    for (int depths = 1; depths <= 3; depths++) assert_depths(odd, depths, depths != 2);
}

/* Rows [first, ...) of a weight in f32, rounded, are the packed one: in panels of `columns`. */
static void assert_packed(const weight *narrow, const weight *wide, int first, int columns)
{
    const uint16_t *packed = narrow->packed;
    size_t          pairs = ((size_t)narrow->k + 1) / 2;
    assert_null(narrow->data);
    assert_int_equal(narrow->k, wide->k);
    for (int n = 0; n < narrow->n; n++)
        for (int i = 0; i < narrow->k; i++) {
            size_t row = (size_t)(n % columns) * 2 + (size_t)(i % 2);
            size_t at = (size_t)(n / columns) * pairs * (size_t)columns * 2 +
                        (size_t)(i / 2) * (size_t)columns * 2 + row;
            float  x = wide->data[(size_t)(first + n) * (size_t)wide->k + (size_t)i];
            if (packed[at] != half_round(x)) fail_msg("element %d, %d is not %g", n, i, (double)x);
        }
    assert_same(narrow->bias, wide->bias ? wide->bias + first : NULL, narrow->n);
}

static void rounded_once(const char *dir, int size, bool folded, const kernels *k)
{
    geometry g;
    model    wide, narrow;
    int      r = comm_rank(world) % size;
    assert_int_equal(geometry_read(&g, dir), DID_OK);
    open_part(&wide, dir, r, size, folded);
    assert_int_equal(model_open(&narrow, dir, &g, r, size, folded, k), DID_OK);
    assert_bytes(&narrow, folded);
    for (int i = 0; i < g.n_layers; i++) {
        const layer_weights *a = &narrow.layers[i], *b = &wide.layers[i];
        if (i + 1 < g.n_layers) assert_packed(&a->qkv, &b->qkv, 0, k->columns);
        assert_packed(&a->out, &b->out, 0, k->columns);
        assert_packed(&a->up, &b->up, 0, k->columns);
        assert_packed(&a->down, &b->down, 0, k->columns);
        assert_same(a->down_bias, b->down_bias, g.d_model);
        assert_same(a->out_bias, b->out_bias, g.d_model);
    }
    const weight *qkv = &wide.layers[g.n_layers - 1].qkv;
    assert_packed(&narrow.last_q, qkv, 0, k->columns);
    assert_packed(&narrow.last_kv, qkv, narrow.last_q.n, k->columns);
    assert_packed(&narrow.head, &wide.head, 0, k->columns);
    assert_same(narrow.embedding, wide.embedding, narrow.vocab.len * g.d_model);
    model_close(&narrow);
    model_close(&wide);
}

/* bf16 holds what f32 holds, folded in f64 and then rounded, in every set's own order. */
static void weights_are_rounded_once(void **state)
{
    (void)state;
    for (const char *const *name = kernels_names(PRECISION_BF16); *name; name++) {
        const kernels *k = kernels_of(PRECISION_BF16, *name);
        rounded_once(odd, comm_size(world), true, k);
        rounded_once(toy, comm_size(world) > 1 ? 2 : 1, false, k);
        if (comm_size(world) <= 4)
            rounded_once(DID_TEST_MODELS "/gpt2-tiny-scorer", comm_size(world), true, k);
    }
}

static void slices_are_the_whole(void **state)
{
    (void)state;
    for (int folded = 0; folded < 2; folded++) {
        compare(odd, comm_size(world), folded);
        compare(toy, comm_size(world) > 1 ? 2 : 1, folded);
        if (comm_size(world) <= 4)
            compare(DID_TEST_MODELS "/gpt2-tiny-scorer", comm_size(world), folded);
    }
}

/* Every head, column and word has one owner. */
static void parts_tile(void **state)
{
    (void)state;
    geometry g;
    assert_int_equal(geometry_read(&g, odd), DID_OK);
    for (int size = 1; size <= 5; size++) {
        int heads = 0, mlp = 0, vocab = 0;
        for (int r = 0; r < size; r++) {
            model m;
            model_split(&m, &g, r, size);
            assert_true(m.heads.first == heads && m.mlp.first == mlp && m.vocab.first == vocab);
            heads += m.heads.len;
            mlp += m.mlp.len;
            vocab += m.vocab.len;
        }
        assert_true(heads == g.n_heads && mlp == g.d_mlp && vocab == g.vocab);
    }
}

/* A plain model has no modulation to fold, but its norms' weights. */
static void plain_models_load(void **state)
{
    (void)state;
    made_up plain = made_up_odd;
    char    dir[MADE_UP_PATH];
    plain.plain = true;
    plain.family = "mdlm";
    plain.layers = 1;
    made_up_open_all(dir, &plain, world);
    for (int folded = 0; folded < 2; folded++) compare(dir, comm_size(world), folded);
    made_up_close_all(dir, world);
}

/* A model that cannot be opened leaves nothing behind and says where. */
static void refusals(void **state)
{
    (void)state;
    char     dir[MADE_UP_PATH];
    geometry g;
    model    m;
    made_up_open(dir, &made_up_toy); /* each rank its own */
    assert_int_equal(geometry_read(&g, dir), DID_OK);
    made_up_list l;
    made_up_tensors(&l, &made_up_toy);
    l.n--;
    made_up_save(dir, &l, 1);
    assert_int_equal(model_open(&m, dir, &g, 0, 2, true, kernels_find(NULL)), DID_EFORMAT);
    assert_non_null(strstr(status_message(), dir));
    assert_non_null(strstr(status_message(), l.of[l.n].name));
    assert_null(m.layers);
    made_up_close(dir);
    assert_int_equal(model_open(&m, dir, &g, 0, 1, true, kernels_find(NULL)), DID_EIO);
    assert_non_null(strstr(status_message(), dir));
    model_close(&m);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up_open_all(odd, &made_up_odd, world);
    made_up_open_all(toy, &made_up_toy, world);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_the_whole),
        cmocka_unit_test(weights_are_rounded_once),
        cmocka_unit_test(every_layer_is_on_one_depth),
        cmocka_unit_test(parts_tile),
        cmocka_unit_test(plain_models_load),
        cmocka_unit_test(refusals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(odd, world);
    made_up_close_all(toy, world);
    comm_stop(&world);
    return failed;
}
