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
    if (!name || (strcmp(name, "bd3lm") != 0 && strcmp(name, "mdlm") != 0))
        return refuse(c, "model_type", "\"bd3lm\" or \"mdlm\"");
    strcpy(g->family, name);
    return DID_OK;
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

static status read_widths(geometry *g, const config *c)
{
    TRY(integer(c, "hidden_dim", 2, WIDTH_MAX, REQUIRED, &g->d_model));
    TRY(integer(c, "n_blocks", 1, LAYERS_MAX, REQUIRED, &g->n_layers));
    TRY(integer(c, "n_heads", 1, WIDTH_MAX, REQUIRED, &g->n_heads));
    TRY(integer(c, "intermediate_size", 1, 4 * WIDTH_MAX, 4 * g->d_model, &g->d_mlp));
    TRY(boolean(c, "adaln", true, &g->adaln));
    TRY(integer(c, "cond_dim", 1, WIDTH_MAX, g->adaln ? REQUIRED : 0, &g->d_cond));

    if (g->d_model % g->n_heads != 0)
        return status_fail(DID_EFORMAT,
                           "%s: hidden_dim is %d and n_heads is %d, expected heads that divide it",
                           c->where, g->d_model, g->n_heads);
    g->head_size = g->d_model / g->n_heads;
    if (g->head_size % 2 != 0)
        return status_fail(DID_EFORMAT,
                           "%s: hidden_dim %d over n_heads %d is a head size of %d, expected an "
                           "even one: rotary positions turn pairs",
                           c->where, g->d_model, g->n_heads, g->head_size);
    return DID_OK;
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

static status read_config(geometry *out, const config *c)
{
    geometry g = {0};
    TRY(read_family(&g, c));
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
