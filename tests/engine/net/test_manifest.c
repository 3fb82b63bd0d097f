/* Every tensor that is missing, extra, of another shape or of another type is named, with what was
 * found and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "made_up.h"
#include "manifest.h"

static const made_up tiny = {.hidden = 6, .heads = 1, .layers = 2, .vocab = 5, .mlp = 7, .cond = 3,
                             .length = 8, .block = 4, .end = 3};

static geometry shape_of(const made_up *m)
{
    return (geometry){.family = "bd3lm", .d_model = m->hidden, .n_layers = m->layers,
                      .n_heads = m->heads, .head_size = m->hidden / m->heads, .d_mlp = m->mlp,
                      .d_cond = m->cond, .vocab = m->vocab, .mask_id = m->vocab - 1,
                      .end_id = m->end, .length = m->length, .block = m->block,
                      .adaln = !m->plain, .rotary = true};
}

/* The scorer's tensors: its matrices are stored [in, out]. */
static geometry scorer(made_up_list *l)
{
    enum { D = 6, MLP = 24, VOCAB = 5, LENGTH = 8 };
    l->n = 0;
    made_up_add(l, "", "wte.weight", VOCAB, D, 0, 1);
    made_up_add(l, "", "wpe.weight", LENGTH, D, 0, 1);
    made_up_add(l, "", "ln_f.weight", D, 0, 0, 1);
    made_up_add(l, "", "ln_f.bias", D, 0, 0, 1);
    for (int i = 0; i < 2; i++) {
        const char *p = i ? "h.1." : "h.0.";
        made_up_add(l, p, "ln_1.weight", D, 0, 0, 1);
        made_up_add(l, p, "ln_1.bias", D, 0, 0, 1);
        made_up_add(l, p, "attn.c_attn.weight", D, 3 * D, 0, 1);
        made_up_add(l, p, "attn.c_attn.bias", 3 * D, 0, 0, 1);
        made_up_add(l, p, "attn.c_proj.weight", D, D, 0, 1);
        made_up_add(l, p, "attn.c_proj.bias", D, 0, 0, 1);
        made_up_add(l, p, "ln_2.weight", D, 0, 0, 1);
        made_up_add(l, p, "ln_2.bias", D, 0, 0, 1);
        made_up_add(l, p, "mlp.c_fc.weight", D, MLP, 0, 1);
        made_up_add(l, p, "mlp.c_fc.bias", MLP, 0, 0, 1);
        made_up_add(l, p, "mlp.c_proj.weight", MLP, D, 0, 1);
        made_up_add(l, p, "mlp.c_proj.bias", D, 0, 0, 1);
    }
    return (geometry){.family = "gpt2", .d_model = D, .n_layers = 2, .n_heads = 1, .head_size = D,
                      .d_mlp = MLP, .vocab = VOCAB, .mask_id = -1, .end_id = 0, .length = LENGTH,
                      .block = 1, .causal = true, .biased = true};
}

/* The lists that must pass: adaptive norms, plain ones, and the scorer. */
enum { LISTS = 3 };
static geometry list_of(made_up_list *l, int which)
{
    made_up m = tiny;
    m.plain = which == 1;
    if (which == 2) return scorer(l);
    made_up_tensors(l, &m);
    return shape_of(&m);
}

static status check(const made_up_list *l, const geometry *g)
{
    char        dir[MADE_UP_PATH];
    checkpoint *ck = NULL;
    made_up_directory(dir);
    made_up_save(dir, l, 1);
    assert_int_equal(checkpoint_open(&ck, dir), DID_OK);
    status s = manifest_check(ck, g);
    checkpoint_close(&ck);
    made_up_close(dir);
    return s;
}

static void shape_text(char *out, const made_up_tensor *t)
{
    int n = sprintf(out, "[%d", t->dim[0]);
    if (t->n_dims > 1) n += sprintf(out + n, ",%d", t->dim[1]);
    sprintf(out + n, "]");
}

/* Refused, and the sentence holds all of these. */
static void assert_refused(const made_up_list *l, const geometry *g, const char *name,
                           const char *found, const char *expected)
{
    assert_int_equal(check(l, g), DID_EFORMAT);
    const char *said = status_message(), *at[] = {name, found, expected};
    for (int i = 0; i < 3; i++)
        if (!strstr(said, at[i])) fail_msg("'%s' does not say '%s'", said, at[i]);
}

static void what_belongs_passes(void **state)
{
    (void)state;
    for (int which = 0; which < LISTS; which++) {
        made_up_list l;
        geometry     g = list_of(&l, which);
        assert_int_equal(check(&l, &g), DID_OK);
    }
}

/* Buffers that some exporters keep, and the scorer's head, which is its table of words. */
static void known_extras_pass(void **state)
{
    (void)state;
    made_up_list l;
    geometry     g = list_of(&l, 0);
    made_up_add(&l, "", "backbone.rotary_emb.inv_freq", 3, 0, 0, 1);
    made_up_add(&l, "", "sampling_eps_min", 1, 0, 0, 1);
    made_up_add(&l, "", "sampling_eps_max", 1, 0, 0, 1);
    assert_int_equal(check(&l, &g), DID_OK);
    g = list_of(&l, 2);
    made_up_add(&l, "", "lm_head.weight", g.vocab, g.d_model, 0, 1);
    made_up_add(&l, "", "h.1.attn.bias", 1, 8, 0, 1);
    made_up_add(&l, "", "h.0.attn.masked_bias", 1, 0, 0, 1);
    assert_int_equal(check(&l, &g), DID_OK);
}

static void missing_tensors_are_named(void **state)
{
    (void)state;
    for (int which = 0; which < LISTS; which++) {
        made_up_list l;
        geometry     g = list_of(&l, which);
        for (int i = 0; i < l.n; i++) {
            made_up_list without = l;
            char         expected[32];
            shape_text(expected, &l.of[i]);
            without.of[i] = without.of[--without.n];
            assert_refused(&without, &g, l.of[i].name, "missing", expected);
        }
    }
}

static void wrong_shapes_are_named(void **state)
{
    (void)state;
    for (int which = 0; which < LISTS; which++) {
        made_up_list l;
        geometry     g = list_of(&l, which);
        for (int i = 0; i < l.n; i++)
            for (int how = 0; how < 3; how++) {
                made_up_list    other = l;
                made_up_tensor *t = &other.of[i];
                char            found[32], expected[32];
                if (how == 0) t->dim[0]++;
                if (how == 1 && t->n_dims == 2) t->dim[1]--;
                if (how == 1 && t->n_dims == 1) t->dim[0]--;
                if (how == 2) t->n_dims = 3 - t->n_dims;
                if (how == 2 && t->n_dims == 2) t->dim[1] = 1;
                shape_text(expected, &l.of[i]);
                shape_text(found, t);
                assert_refused(&other, &g, t->name, found, expected);
            }
    }
}

static void extra_tensors_are_named(void **state)
{
    (void)state;
    static const char *const names[LISTS][9] = {
        {"backbone.blocks.2.norm1.weight", "backbone.blocks.-1.norm1.weight",
         "backbone.blocks.0.norm3.weight", "backbone.blocks.00.norm1.weight",
         "backbone.blocks.0.attn_qkv.bias", "backbone.vocab_embed.embedding.weight",
         "backbone.output_layer.linear", "wte.weight", "x"},
        {"backbone.blocks.0.adaLN_modulation.bias", "backbone.sigma_map.mlp.0.bias",
         "backbone.output_layer.adaLN_modulation.weight", "backbone.blocks.", "backbone.blocks.9",
         "norm1.weight", "sampling_eps", "backbone", "backbone.blocks.1."},
        {"h.2.ln_1.weight", "h.0.attn.c_attn", "transformer.wte.weight", "ln_f.weight.bias",
         "backbone.rotary_emb.inv_freq", "h.0.attn.bias.bias", "h.x.attn.bias", "sampling_eps_min",
         "lm_head.bias"},
    };
    for (int which = 0; which < LISTS; which++)
        for (int i = 0; i < 9; i++) {
            made_up_list l;
            geometry     g = list_of(&l, which);
            made_up_add(&l, "", names[which][i], 2, 0, 0, 1);
            assert_refused(&l, &g, names[which][i], "not part of", g.family);
        }
}

/* Integers are no weights. */
static void types_are_checked(void **state)
{
    (void)state;
    made_up_list l;
    geometry     g = list_of(&l, 0);
    char         dir[MADE_UP_PATH], path[2 * MADE_UP_PATH], *bytes;
    checkpoint  *ck = NULL;
    made_up_directory(dir);
    made_up_save(dir, &l, 1);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    bytes = calloc(1, 8192);
    size_t n = fread(bytes, 1, 8191, f);
    char  *at = memmem(bytes, n, "norm_final.weight", 17);
    at = strstr(at, "F32");
    fseek(f, at - bytes, SEEK_SET);
    fwrite("I32", 1, 3, f);
    fclose(f);
    free(bytes);
    assert_int_equal(checkpoint_open(&ck, dir), DID_OK);
    assert_int_equal(manifest_check(ck, &g), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "backbone.output_layer.norm_final.weight"));
    assert_non_null(strstr(status_message(), "F32"));
    checkpoint_close(&ck);
    made_up_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_passes),      cmocka_unit_test(known_extras_pass),
        cmocka_unit_test(missing_tensors_are_named), cmocka_unit_test(wrong_shapes_are_named),
        cmocka_unit_test(extra_tensors_are_named),  cmocka_unit_test(types_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
