#include "geometry.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"

/* Generous, and small enough that six times a width is still an int. */
enum { WIDTH_MAX = 1 << 20, LAYERS_MAX = 1 << 12, VOCAB_MAX = 1 << 24, LENGTH_MAX = 1 << 24 };

/* In place of a default: the file has to say. */
enum { REQUIRED = INT_MIN };

typedef struct config {
    const json_t *keys;
    const char   *where;
} config;

/* A null stands for silence, as Python writes it. */
static const json_t *value_of(const config *c, const char *key)
{
    const json_t *found = json_object_get(c->keys, key);
    return json_is_null(found) ? NULL : found;
}

static status refuse(const config *c, const char *key, const char *expected)
{
    char shown[JSONTEXT_SHOWN];
    return status_fail(DID_EFORMAT, "%s: %s is %s, expected %s", c->where, key,
                       jsontext_show(shown, json_object_get(c->keys, key)), expected);
}

static status integer(const config *c, const char *key, int min, int max, int otherwise, int *out)
{
    const json_t *found = value_of(c, key);
    if (!found && otherwise != REQUIRED) {
        *out = otherwise;
        return DID_OK;
    }
    json_int_t value = json_integer_value(found);
    if (!json_is_integer(found) || value < min || value > max) {
        char expected[64];
        snprintf(expected, sizeof expected, "an integer from %d to %d", min, max);
        return refuse(c, key, expected);
    }
    *out = (int)value;
    return DID_OK;
}

static status boolean(const config *c, const char *key, bool otherwise, bool *out)
{
    const json_t *found = value_of(c, key);
    if (found && !json_is_boolean(found)) return refuse(c, key, "true or false");
    *out = found ? json_is_true(found) : otherwise;
    return DID_OK;
}

/* A token id that two keys may give; when both speak they have to agree. */
static status token_id(const config *c, const char *key, const char *other, int vocab,
                       int otherwise, int *out)
{
    int first = -1, second = -1;
    TRY(integer(c, key, 0, vocab - 1, -1, &first));
    TRY(integer(c, other, 0, vocab - 1, -1, &second));
    if (first >= 0 && second >= 0 && first != second)
        return status_fail(DID_EFORMAT, "%s: %s is %d and %s is %d, expected one id for both",
                           c->where, key, first, other, second);
    *out = first >= 0 ? first : second >= 0 ? second : otherwise;
    return DID_OK;
}

static status read_family(geometry *g, const config *c)
{
    const json_t *found = value_of(c, "model_type");
    const char   *name = json_string_value(found);
    static const char *const known[] = {"bd3lm", "mdlm", "gpt2"};
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) {
            strcpy(g->family, name);
            return DID_OK;
        }
    return refuse(c, "model_type", "\"bd3lm\", \"mdlm\" or \"gpt2\"");
}

/* What the published code can do and this engine cannot. */
static status refuse_unsupported(const config *c)
{
    bool causal = false, timed = false;
    TRY(boolean(c, "causal", false, &causal));
    TRY(boolean(c, "time_conditioning", false, &timed));
    if (causal)
        return refuse(c, "causal", "false: a network that never looks ahead cannot fill masks");
    if (timed)
        return refuse(c, "time_conditioning",
                      "false: a network that is told the noise level is not supported");
    return DID_OK;
}

static status divide_heads(geometry *g, const config *c, const char *width, const char *heads)
{
    if (g->d_model % g->n_heads != 0)
        return status_fail(DID_EFORMAT, "%s: %s is %d and %s is %d, expected heads that divide it",
                           c->where, width, g->d_model, heads, g->n_heads);
    g->head_size = g->d_model / g->n_heads;
    if (g->head_size % 2 != 0)
        return status_fail(DID_EFORMAT,
                           "%s: %s %d over %s %d is a head size of %d, expected an even one",
                           c->where, width, g->d_model, heads, g->n_heads, g->head_size);
    return DID_OK;
}

static status read_widths(geometry *g, const config *c)
{
    TRY(integer(c, "hidden_dim", 2, WIDTH_MAX, REQUIRED, &g->d_model));
    TRY(integer(c, "n_blocks", 1, LAYERS_MAX, REQUIRED, &g->n_layers));
    TRY(integer(c, "n_heads", 1, WIDTH_MAX, REQUIRED, &g->n_heads));
    TRY(integer(c, "intermediate_size", 1, 4 * WIDTH_MAX, 4 * g->d_model, &g->d_mlp));
    TRY(boolean(c, "adaln", true, &g->adaln));
    TRY(integer(c, "cond_dim", 1, WIDTH_MAX, g->adaln ? REQUIRED : 0, &g->d_cond));
    return divide_heads(g, c, "hidden_dim", "n_heads");
}

static status read_tokens(geometry *g, const config *c)
{
    TRY(integer(c, "vocab_size", 2, VOCAB_MAX, REQUIRED, &g->vocab));
    TRY(token_id(c, "mask_index", "mask_token_id", g->vocab, g->vocab - 1, &g->mask_id));
    TRY(token_id(c, "bos_token_id", "eos_token_id", g->vocab, -1, &g->end_id));
    if (g->mask_id == g->end_id)
        return status_fail(DID_EFORMAT,
                           "%s: %d is both the mask id and the token that begins documents, "
                           "expected two ids",
                           c->where, g->mask_id);
    return DID_OK;
}

static status read_lengths(geometry *g, const config *c)
{
    TRY(integer(c, "model_length", 2, LENGTH_MAX, REQUIRED, &g->length));
    g->block = g->length;
    if (strcmp(g->family, "mdlm") == 0) return DID_OK;
    return integer(c, "block_size", 1, g->length, REQUIRED, &g->block);
}

/* A word that must be one of a list; silence counts as the first. */
static status one_of(const config *c, const char *key, const char *const *words, const char *text)
{
    const json_t *found = value_of(c, key);
    if (!found) return DID_OK;
    for (; json_is_string(found) && *words; words++)
        if (strcmp(json_string_value(found), *words) == 0) return DID_OK;
    return refuse(c, key, text);
}

/* GPT-2's own arithmetic, and none of the variations its config can name. */
static status refuse_unusual_gpt2(const config *c)
{
    static const char *const gelu[] = {"gelu_new", "gelu_pytorch_tanh", NULL};
    bool         scaled = true, by_layer = false, tied = true;
    const json_t *epsilon = value_of(c, "layer_norm_epsilon");
    TRY(one_of(c, "activation_function", gelu, "\"gelu_new\" or \"gelu_pytorch_tanh\""));
    TRY(boolean(c, "scale_attn_weights", true, &scaled));
    TRY(boolean(c, "scale_attn_by_inverse_layer_idx", false, &by_layer));
    TRY(boolean(c, "tie_word_embeddings", true, &tied));
    if (!tied) return refuse(c, "tie_word_embeddings", "true");
    if (!scaled) return refuse(c, "scale_attn_weights", "true");
    if (by_layer) return refuse(c, "scale_attn_by_inverse_layer_idx", "false");
    if (epsilon && !(json_number_value(epsilon) > 0.99e-5 && json_number_value(epsilon) < 1.01e-5))
        return refuse(c, "layer_norm_epsilon", "1e-05");
    return DID_OK;
}

static status read_gpt2(geometry *g, const config *c)
{
    TRY(refuse_unusual_gpt2(c));
    TRY(integer(c, "n_embd", 2, WIDTH_MAX, REQUIRED, &g->d_model));
    TRY(integer(c, "n_layer", 1, LAYERS_MAX, REQUIRED, &g->n_layers));
    TRY(integer(c, "n_head", 1, WIDTH_MAX, REQUIRED, &g->n_heads));
    TRY(integer(c, "n_inner", 1, 4 * WIDTH_MAX, 4 * g->d_model, &g->d_mlp));
    TRY(divide_heads(g, c, "n_embd", "n_head"));
    TRY(integer(c, "vocab_size", 2, VOCAB_MAX, REQUIRED, &g->vocab));
    TRY(token_id(c, "bos_token_id", "eos_token_id", g->vocab, -1, &g->end_id));
    TRY(integer(c, "n_positions", 2, LENGTH_MAX, REQUIRED, &g->length));
    g->mask_id = -1;
    g->block = 1;
    g->causal = g->biased = true;
    return DID_OK;
}

static status read_config(geometry *out, const config *c)
{
    geometry g = {.rotary = true};
    TRY(read_family(&g, c));
    if (strcmp(g.family, "gpt2") == 0) {
        g.rotary = false;
        TRY(read_gpt2(&g, c));
        *out = g;
        return DID_OK;
    }
    TRY(refuse_unsupported(c));
    TRY(read_widths(&g, c));
    TRY(read_tokens(&g, c));
    TRY(read_lengths(&g, c));
    *out = g;
    return DID_OK;
}

status geometry_parse(geometry *g, const char *text, size_t size, const char *where)
{
    json_t *keys;
    TRY(jsontext_parse(&keys, text, size, where));
    status all = read_config(g, &(config){keys, where});
    json_decref(keys);
    return all;
}

status geometry_read(geometry *g, const char *dir)
{
    char *path;
    if (asprintf(&path, "%s/config.json", dir) < 0)
        return status_fail(DID_ENOMEM, "%s: out of memory", dir);
    json_t *keys;
    status  all = jsontext_read(&keys, path);
    if (all == DID_OK) all = read_config(g, &(config){keys, path});
    json_decref(keys);
    free(path);
    return all;
}
