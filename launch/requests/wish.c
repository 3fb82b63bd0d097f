#include "wish.h"

#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "utf8.h"

typedef enum {
    FIELD_TEXT,
    FIELD_NAME, /* text without a NUL */
    FIELD_PROMPT,
    FIELD_IDS,
    FIELD_COUNT,
    FIELD_SEED,
    FIELD_REAL,
    FIELD_FLAG,
    FIELD_STOP,
    FIELD_MESSAGES,
    FIELD_BODY,
    FIELD_LABEL,  /* means nothing to us */
    FIELD_NEUTRAL /* may only be absent, null, false, 0 or empty */
} field_kind;

typedef struct field {
    const char *name;
    field_kind  kind;
    double      min, max;
    size_t      offset;
} field;

enum { CUSTOM_ID_MAX = 512, SAMPLES = REQUEST_SAMPLES_MAX, LENGTH = REQUEST_LENGTH_MAX };

#define AT(member) offsetof(wish, member)

static const field own[] = {
    {"custom_id", FIELD_NAME, 0, 0, AT(custom_id)},
    {"prompt", FIELD_PROMPT, 0, 0, 0},
    {"prompt_ids", FIELD_IDS, 0, 0, 0},
    {"length", FIELD_COUNT, 2, LENGTH, AT(length)},
    {"seed", FIELD_SEED, 0, 0, 0},
    {"stages", FIELD_NAME, 0, 0, AT(stages)},
    {"n", FIELD_COUNT, 1, SAMPLES, AT(n)},
    {"stop", FIELD_STOP, 0, 0, 0},
    {"variable_length", FIELD_FLAG, 0, 0, AT(variable_length)},
};

static const field batch[] = {
    {"custom_id", FIELD_NAME, 0, 0, AT(custom_id)},
    {"method", FIELD_TEXT, 0, 0, 0},
    {"url", FIELD_TEXT, 0, 0, 0},
    {"body", FIELD_BODY, 0, 0, 0},
};

static const field body[] = {
    {"prompt", FIELD_PROMPT, 0, 0, 0},
    {"messages", FIELD_MESSAGES, 0, 0, 0},
    {"max_tokens", FIELD_COUNT, 1, LENGTH, AT(max_tokens)},
    {"max_completion_tokens", FIELD_COUNT, 1, LENGTH, AT(max_tokens)},
    {"temperature", FIELD_REAL, 0, 2, AT(temperature)},
    {"top_p", FIELD_REAL, 0, 1, AT(top_p)},
    {"seed", FIELD_SEED, 0, 0, 0},
    {"stop", FIELD_STOP, 0, 0, 0},
    {"n", FIELD_COUNT, 1, SAMPLES, AT(n)},
    {"model", FIELD_LABEL, 0, 0, 0},
    {"user", FIELD_LABEL, 0, 0, 0},
    {"stream", FIELD_NEUTRAL, 0, 0, 0},
    {"echo", FIELD_NEUTRAL, 0, 0, 0},
    {"suffix", FIELD_NEUTRAL, 0, 0, 0},
    {"logprobs", FIELD_NEUTRAL, 0, 0, 0},
    {"logit_bias", FIELD_NEUTRAL, 0, 0, 0},
    {"frequency_penalty", FIELD_NEUTRAL, 0, 0, 0},
    {"presence_penalty", FIELD_NEUTRAL, 0, 0, 0},
};

enum { FIELDS_MAX = 24 };
#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* "the number 12", "an array": what stands where something else was expected. */
static void found(const json_t *value, char *text, size_t size)
{
    char quoted[60];
    switch (json_typeof(value)) {
    case JSON_OBJECT: snprintf(text, size, "an object"); break;
    case JSON_ARRAY: snprintf(text, size, "an array of %zu", json_array_size(value)); break;
    case JSON_STRING:
        utf8_quote(quoted, sizeof quoted, json_string_value(value), json_string_length(value));
        snprintf(text, size, "the string \"%s\"", quoted);
        break;
    case JSON_INTEGER:
        snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL: snprintf(text, size, "%g", json_real_value(value)); break;
    case JSON_TRUE: snprintf(text, size, "true"); break;
    case JSON_FALSE: snprintf(text, size, "false"); break;
    case JSON_NULL: snprintf(text, size, "null"); break;
    }
}

static status wrong(const field *f, const json_t *value, const char *expected)
{
    char what[80];
    found(value, what, sizeof what);
    return status_fail(DID_EFORMAT, "%s: found %s, expected %s", f->name, what, expected);
}

static status name_read(const field *f, const json_t *value, const char **to)
{
    if (!json_is_string(value)) return wrong(f, value, "a string");
    *to = json_string_value(value);
    size_t size = json_string_length(value);
    if (size == 0) return status_fail(DID_EFORMAT, "%s: found an empty string", f->name);
    if (strlen(*to) < size)
        return status_fail(DID_EFORMAT, "%s: found a NUL character inside", f->name);
    return DID_OK;
}

static status number_read(const field *f, const json_t *value, void *to)
{
    char   expected[80];
    bool   count = f->kind == FIELD_COUNT;
    bool   good = count ? json_is_integer(value) : json_is_number(value);
    double x = json_number_value(value);
    if (good && x >= f->min && x <= f->max) {
        if (count) *(int *)to = (int)x;
        else *(double *)to = x;
        return DID_OK;
    }
    snprintf(expected, sizeof expected, "a %snumber from %.0f to %.0f", count ? "whole " : "",
             f->min, f->max);
    return wrong(f, value, expected);
}

static status stop_read(wish *w, const field *f, const json_t *value)
{
    if (json_is_string(value)) {
        w->n_stop = 1;
        return name_read(f, value, &w->stop[0]);
    }
    if (!json_is_array(value) || json_array_size(value) > REQUEST_STOPS_MAX)
        return wrong(f, value, "a string or an array of at most 16 strings");
    for (size_t i = 0; i < json_array_size(value); i++)
        TRY(name_read(f, json_array_get(value, i), &w->stop[i]));
    w->n_stop = (int)json_array_size(value);
    return DID_OK;
}

static status prompt_read(wish *w, const field *f, const json_t *value)
{
    if (!json_is_string(value)) return wrong(f, value, "a string");
    w->prompt = json_string_value(value);
    w->prompt_size = json_string_length(value);
    return DID_OK;
}

/* The model completes plain text; a conversation has no agreed form in it. */
static status messages_read(wish *w, const field *f, const json_t *value)
{
    if (!json_is_array(value)) return wrong(f, value, "an array");
    if (json_array_size(value) != 1)
        return status_fail(DID_EFORMAT,
                           "messages: found %zu messages; the model knows no conversations, only "
                           "a single message can be taken as the prompt",
                           json_array_size(value));
    const json_t *content = json_object_get(json_array_get(value, 0), "content");
    if (!json_is_string(content))
        return status_fail(DID_EFORMAT, "messages: the message has no \"content\" string");
    return prompt_read(w, f, content);
}

static status ids_read(wish *w, const field *f, const json_t *value)
{
    if (!json_is_array(value)) return wrong(f, value, "an array of token ids");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *id = json_array_get(value, i);
        char          what[80];
        if (json_is_integer(id)) continue;
        found(id, what, sizeof what);
        return status_fail(DID_EFORMAT, "prompt_ids[%zu]: found %s, expected a token id or -1", i,
                           what);
    }
    w->prompt_ids = value;
    return DID_OK;
}

static bool says_nothing(const json_t *value)
{
    return json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static status seed_read(wish *w, const field *f, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong(f, value, "a whole number from 0 to 9223372036854775807");
    w->has_seed = true;
    w->seed = (uint64_t)json_integer_value(value);
    return DID_OK;
}

static status field_read(wish *w, const field *f, const json_t *value)
{
    void *to = (char *)w + f->offset;
    if (json_is_null(value) && f->kind != FIELD_BODY && f->kind != FIELD_TEXT) return DID_OK;
    switch (f->kind) {
    case FIELD_TEXT: return json_is_string(value) ? DID_OK : wrong(f, value, "a string");
    case FIELD_NAME: return name_read(f, value, to);
    case FIELD_PROMPT: return prompt_read(w, f, value);
    case FIELD_IDS: return ids_read(w, f, value);
    case FIELD_COUNT:
    case FIELD_REAL: return number_read(f, value, to);
    case FIELD_SEED: return seed_read(w, f, value);
    case FIELD_FLAG:
        *(int *)to = json_is_true(value);
        return json_is_boolean(value) ? DID_OK : wrong(f, value, "true or false");
    case FIELD_STOP: return stop_read(w, f, value);
    case FIELD_MESSAGES: return messages_read(w, f, value);
    case FIELD_BODY: return json_is_object(value) ? DID_OK : wrong(f, value, "an object");
    case FIELD_LABEL: return DID_OK;
    case FIELD_NEUTRAL:
        if (says_nothing(value)) return DID_OK;
        return status_fail(DID_EFORMAT, "%s is not supported", f->name);
    }
    return DID_OK;
}

static status object_read(wish *w, const json_t *object, const field *fields, int n)
{
    const char *names[FIELDS_MAX], *key;
    json_t     *value;
    char        quoted[80];
    for (int i = 0; i < n; i++) names[i] = fields[i].name;
    json_object_foreach((json_t *)object, key, value)
    {
        int i = 0;
        while (i < n && strcmp(names[i], key)) i++;
        w->key = key;
        if (i < n) {
            TRY(field_read(w, &fields[i], value));
            continue;
        }
        const char *near = nearest_name(key, names, n);
        utf8_quote(quoted, sizeof quoted, key, strlen(key));
        if (near == NULL) return status_fail(DID_EFORMAT, "unknown key \"%s\"", quoted);
        return status_fail(DID_EFORMAT, "unknown key \"%s\": did you mean \"%s\"?", quoted, near);
    }
    w->key = NULL;
    return DID_OK;
}

/* Where a batch line says how it would be sent, it must be to where completions are made. `other`
 * may be NULL. */
static status address_check(wish *w, const json_t *line, const char *key, const char *one,
                            const char *other)
{
    const json_t *value = json_object_get(line, key);
    const char   *text = json_string_value(value);
    char          what[80];
    w->key = key;
    if (text == NULL || !strcmp(text, one) || (other && !strcmp(text, other))) return DID_OK;
    found(value, what, sizeof what);
    if (other == NULL)
        return status_fail(DID_EFORMAT, "%s: found %s, expected \"%s\"", key, what, one);
    return status_fail(DID_EFORMAT, "%s: found %s, expected \"%s\" or \"%s\"", key, what, one,
                       other);
}

static status batch_read(wish *w, const json_t *line)
{
    TRY(object_read(w, line, batch, COUNT_OF(batch)));
    TRY(address_check(w, line, "method", "POST", NULL));
    TRY(address_check(w, line, "url", "/v1/completions", "/v1/chat/completions"));
    const json_t *inner = json_object_get(line, "body");
    w->depth = 2;
    TRY(object_read(w, inner, body, COUNT_OF(body)));
    if (json_object_get(inner, "prompt") && json_object_get(inner, "messages"))
        return status_fail(DID_EFORMAT, "found both \"prompt\" and \"messages\"");
    w->key = "top_p";
    if (w->top_p == 0) return status_fail(DID_EFORMAT, "top_p: found 0, expected a number above 0");
    return DID_OK;
}

void wish_init(wish *w)
{
    *w =
        (wish){.max_tokens = -1, .variable_length = -1, .temperature = -1, .top_p = -1, .depth = 1};
}

status wish_read(wish *w, const json_t *line)
{
    wish_init(w);
    if (json_object_get(line, "body")) TRY(batch_read(w, line));
    else TRY(object_read(w, line, own, COUNT_OF(own)));
    w->depth = 1;
    w->key = NULL;
    if (w->custom_id == NULL) return status_fail(DID_EFORMAT, "custom_id is missing");
    w->key = "custom_id";
    if (strlen(w->custom_id) > CUSTOM_ID_MAX)
        return status_fail(DID_EFORMAT, "custom_id: found %zu bytes, expected at most %d",
                           strlen(w->custom_id), CUSTOM_ID_MAX);
    w->key = "prompt";
    if (w->prompt && w->prompt_ids)
        return status_fail(DID_EFORMAT, "found both \"prompt\" and \"prompt_ids\"");
    w->key = NULL;
    return DID_OK;
}
