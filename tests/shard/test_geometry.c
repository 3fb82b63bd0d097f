#include "crafted.h"

#include "geometry.h"

/* The published config of the smallest blocks. */
static const char *const published[][2] = {
    {"model_type", "\"bd3lm\""}, {"block_size", "4"},      {"hidden_dim", "768"},
    {"cond_dim", "128"},         {"n_blocks", "12"},       {"n_heads", "12"},
    {"model_length", "1024"},    {"vocab_size", "50258"},  {"dropout", "0.1"},
    {"cross_attn", "true"},      {"var_min", "true"},      {"attn_backend", "\"sdpa\""},
    {"causal", "false"},         {"return_dict", "false"}, {"time_conditioning", "false"},
};

/* The published config with `key` set to `value` (NULL: taken out); `then` changes another one. */
static status parse_with(geometry *g, const char *key, const char *value, const char *then,
                         const char *its)
{
    char   text[2048] = "{\"end\": 0";
    size_t n = sizeof published / sizeof *published;
    for (size_t i = 0; i < n; i++) {
        const char *name = published[i][0];
        if ((key && !strcmp(name, key)) || (then && !strcmp(name, then))) continue;
        sprintf(text + strlen(text), ", \"%s\": %s", name, published[i][1]);
    }
    if (key && value) sprintf(text + strlen(text), ", \"%s\": %s", key, value);
    if (then && its) sprintf(text + strlen(text), ", \"%s\": %s", then, its);
    strcat(text, "}");
    return geometry_parse(g, text, strlen(text), "config");
}

static status parse(geometry *g, const char *key, const char *value)
{
    return parse_with(g, key, value, NULL, NULL);
}

static void reads_the_published_config(void **state)
{
    (void)state;
    geometry g;
    assert_int_equal(parse(&g, NULL, NULL), DID_OK);
    assert_string_equal(g.family, "bd3lm");
    assert_int_equal(g.d_model, 768);
    assert_int_equal(g.n_layers, 12);
    assert_int_equal(g.n_heads, 12);
    assert_int_equal(g.head_size, 64);
    assert_int_equal(g.d_mlp, 3072);
    assert_int_equal(g.d_cond, 128);
    assert_int_equal(g.vocab, 50258);
    assert_int_equal(g.mask_id, 50257);
    assert_int_equal(g.end_id, -1);
    assert_int_equal(g.length, 1024);
    assert_int_equal(g.block, 4);
    assert_true(g.adaln);
}

static void reads_an_mdlm(void **state)
{
    (void)state;
    geometry g;
    assert_int_equal(parse_with(&g, "model_type", "\"mdlm\"", "block_size", NULL), DID_OK);
    assert_string_equal(g.family, "mdlm");
    assert_int_equal(g.block, 1024);
    assert_int_equal(g.length, 1024);
}

static void keys_override(void **state)
{
    (void)state;
    geometry g;
    assert_int_equal(parse(&g, "mask_index", "5"), DID_OK);
    assert_int_equal(g.mask_id, 5);
    assert_int_equal(parse(&g, "mask_token_id", "0"), DID_OK);
    assert_int_equal(g.mask_id, 0);
    assert_int_equal(parse_with(&g, "mask_index", "9", "mask_token_id", "9"), DID_OK);
    assert_int_equal(g.mask_id, 9);
    assert_int_equal(parse(&g, "bos_token_id", "0"), DID_OK);
    assert_int_equal(g.end_id, 0);
    assert_int_equal(parse_with(&g, "bos_token_id", "null", "eos_token_id", "50256"), DID_OK);
    assert_int_equal(g.end_id, 50256);
    assert_int_equal(parse(&g, "intermediate_size", "1000"), DID_OK);
    assert_int_equal(g.d_mlp, 1000);
    assert_int_equal(parse_with(&g, "adaln", "false", "cond_dim", NULL), DID_OK);
    assert_false(g.adaln);
    assert_int_equal(g.d_cond, 0);
    assert_int_equal(parse(&g, "time_conditioning", "null"), DID_OK);
}

static void refuses_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *says;
    } wrong[] = {
        {"model_type", "\"llama\"",
         "config: model_type is \"llama\", expected \"bd3lm\", \"mdlm\" or \"gpt2\""},
        {"model_type", "3", "model_type is 3, expected"},
        {"model_type", NULL, "model_type is missing, expected"},
        {"hidden_dim", NULL, "config: hidden_dim is missing, expected an integer from 2 to"},
        {"hidden_dim", "null", "hidden_dim is null, expected an integer"},
        {"hidden_dim", "0", "hidden_dim is 0, expected"},
        {"hidden_dim", "-768", "hidden_dim is -768, expected"},
        {"hidden_dim", "768.0", "hidden_dim is 768.0, expected an integer"},
        {"hidden_dim", "\"768\"", "hidden_dim is \"768\", expected an integer"},
        {"hidden_dim", "4294968064",
         "hidden_dim is 4294968064, expected an integer from 2 to 1048576"},
        {"hidden_dim", "770",
         "hidden_dim is 770 and n_heads is 12, expected heads that divide it"},
        {"hidden_dim", "780",
         "hidden_dim 780 over n_heads 12 is a head size of 65, expected an even"},
        {"n_heads", "0", "n_heads is 0, expected an integer from 1"},
        {"n_heads", "7", "hidden_dim is 768 and n_heads is 7, expected heads that divide"},
        {"n_heads", "768", "head size of 1, expected an even one"},
        {"n_heads", "[12]", "n_heads is [12], expected an integer"},
        {"n_blocks", "0", "n_blocks is 0, expected an integer from 1"},
        {"n_blocks", NULL, "n_blocks is missing, expected"},
        {"cond_dim", NULL, "cond_dim is missing, expected"},
        {"vocab_size", NULL, "vocab_size is missing, expected"},
        {"vocab_size", "1", "vocab_size is 1, expected an integer from 2"},
        {"model_length", "1", "model_length is 1, expected an integer from 2"},
        {"block_size", "0", "block_size is 0, expected an integer from 1 to 1024"},
        {"block_size", "1025", "block_size is 1025, expected an integer from 1 to 1024"},
        {"block_size", NULL, "block_size is missing, expected"},
        {"intermediate_size", "0", "intermediate_size is 0, expected"},
        {"causal", "true", "config: causal is true, expected false"},
        {"causal", "0", "causal is 0, expected true or false"},
        {"time_conditioning", "true", "time_conditioning is true, expected false|not supported"},
        {"adaln", "\"yes\"", "adaln is \"yes\", expected true or false"},
        {"mask_index", "50258", "mask_index is 50258, expected an integer from 0 to 50257"},
        {"mask_token_id", "-1", "mask_token_id is -1, expected"},
        {"eos_token_id", "[1, 2]", "eos_token_id is [1,2], expected an integer"},
        {"eos_token_id", "50257", "50257 is both the mask id and the token"},
    };
    geometry untouched = {.d_model = 77}, g = untouched;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        crafted_refused(parse(&g, wrong[i].key, wrong[i].value), DID_EFORMAT, wrong[i].says);
    crafted_refused(parse_with(&g, "bos_token_id", "1", "eos_token_id", "2"), DID_EFORMAT,
                    "config: bos_token_id is 1 and eos_token_id is 2, expected one id");
    crafted_refused(parse_with(&g, "mask_index", "1", "mask_token_id", "2"), DID_EFORMAT,
                    "mask_index is 1 and mask_token_id is 2, expected one id");
    crafted_refused(parse(&g, "hidden_dim", "768, \"hidden_dim\": 256"), DID_EFORMAT,
                    "config: not JSON: duplicate object key|hidden_dim");
    crafted_refused(geometry_parse(&g, "[]", 2, "config"), DID_EFORMAT, "config: found []");
    assert_int_equal(g.d_model, untouched.d_model);
}

static void reads_a_directory(void **state)
{
    geometry g;
    assert_int_equal(geometry_read(&g, DID_TEST_MODELS "/did-tiny"), DID_OK);
    assert_string_equal(g.family, "bd3lm");
    assert_int_equal(g.d_model, 256);
    assert_int_equal(g.n_layers, 6);
    assert_int_equal(g.n_heads, 4);
    assert_int_equal(g.head_size, 64);
    assert_int_equal(g.d_mlp, 1024);
    assert_int_equal(g.d_cond, 128);
    assert_int_equal(g.vocab, 4097);
    assert_int_equal(g.mask_id, 4096);
    assert_int_equal(g.end_id, 4095);
    assert_int_equal(g.length, 256);
    assert_int_equal(g.block, 4);
    assert_true(g.adaln);

    assert_int_equal(geometry_read(&g, DID_TEST_MODELS "/gpt2-tiny-scorer"), DID_OK);
    assert_true(g.causal && g.biased && !g.rotary && !g.adaln);
    assert_int_equal(g.length, 256);
    assert_int_equal(g.d_mlp, 1024);
    assert_int_equal(g.vocab, 4096);
    assert_int_equal(g.mask_id, -1);
    assert_int_equal(g.end_id, 4095);
    crafted_refused(geometry_read(&g, *state), DID_EIO, "/config.json: cannot open: No such file");
    char *path = crafted_path(*state, "config.json");
    crafted_write(path, "{]", 2);
    crafted_refused(geometry_read(&g, *state), DID_EFORMAT, "/config.json: not JSON");
    free(path);
}

/* A scorer whose arithmetic is not GPT-2's own is refused, not approximated. */
static void refuses_other_gpt2(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"\"activation_function\": \"relu\"", "activation_function is \"relu\", expected \"gelu_new\""},
        {"\"scale_attn_weights\": false", "scale_attn_weights is false, expected true"},
        {"\"scale_attn_by_inverse_layer_idx\": true",
         "scale_attn_by_inverse_layer_idx is true, expected false"},
        {"\"tie_word_embeddings\": false", "tie_word_embeddings is false, expected true"},
        {"\"layer_norm_epsilon\": 0.5", "layer_norm_epsilon is 0.5, expected 1e-05"},
        {"\"n_head\": 3", "expected one id"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char     text[512];
        geometry g;
        bool     twice = i + 1 == sizeof wrong / sizeof *wrong;
        snprintf(text, sizeof text,
                 "{\"model_type\": \"gpt2\", \"n_embd\": 48, \"n_layer\": 2, %s, "
                 "\"vocab_size\": 50, \"n_positions\": 16, \"bos_token_id\": 3, "
                 "\"eos_token_id\": %d%s}",
                 wrong[i].text, twice ? 4 : 3, twice ? "" : ", \"n_head\": 3");
        crafted_refused(geometry_parse(&g, text, strlen(text), "config"), DID_EFORMAT, wrong[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_published_config),
        cmocka_unit_test(reads_an_mdlm),
        cmocka_unit_test(keys_override),
        cmocka_unit_test(refuses_values),
        cmocka_unit_test(refuses_other_gpt2),
        cmocka_unit_test(reads_a_directory),
    };
    return cmocka_run_group_tests(tests, crafted_begin, crafted_end);
}
