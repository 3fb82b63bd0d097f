#include "field.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"

/* The sentence all checks end in. */
static status unlike(const json_t *found, const char *key, const char *expected)
{
    char shown[JSONTEXT_SHOWN];
    return status_fail(DID_EFORMAT, "%s: found %s, expected %s", key, jsontext_show(shown, found),
                       expected);
}

static status whole(const json_t *value, const char *key, int64_t low, int64_t high, int64_t *out)
{
    if (json_is_integer(value) && json_integer_value(value) >= low &&
        json_integer_value(value) <= high) {
        *out = json_integer_value(value);
        return DID_OK;
    }
    char expected[96];
    snprintf(expected, sizeof expected, "a whole number from %" PRId64 " to %" PRId64, low, high);
    return unlike(value, key, expected);
}

status field_number(const json_t *object, const char *key, int64_t low, int64_t high, int64_t *out)
{
    return whole(json_object_get(object, key), key, low, high, out);
}

status field_int(const json_t *object, const char *key, int low, int high, int *out)
{
    int64_t value = 0;
    TRY(field_number(object, key, low, high, &value));
    *out = (int)value;
    return DID_OK;
}

status field_real(const json_t *object, const char *key, double low, double high, double *out)
{
    const json_t *value = json_object_get(object, key);
    double        x = json_number_value(value);
    if (json_is_number(value) && x >= low && x <= high) {
        *out = x;
        return DID_OK;
    }
    char expected[96];
    snprintf(expected, sizeof expected, "a number from %g to %g", low, high);
    return unlike(value, key, expected);
}

status field_flag(const json_t *object, const char *key, bool *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value)) return unlike(value, key, "true or false");
    *out = json_is_true(value);
    return DID_OK;
}

status field_hex(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    const char   *text = json_string_value(value);
    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return unlike(value, key, "16 hexadecimal digits");
    *out = strtoull(text, NULL, 16);
    return DID_OK;
}

json_t *field_from_hex(uint64_t value)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_string(text);
}

status field_text(const json_t *object, const char *key, const char **out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return unlike(value, key, "a string");
    *out = json_string_value(value);
    return DID_OK;
}

static status sized(const json_t *value, const char *key, int n)
{
    if (!json_is_array(value)) return unlike(value, key, "an array");
    if (n < 0 || json_array_size(value) == (size_t)n) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: found %zu elements, expected %d", key,
                       json_array_size(value), n);
}

status field_array(const json_t *object, const char *key, int n, const json_t **out)
{
    *out = json_object_get(object, key);
    return sized(*out, key, n);
}

status field_word(const json_t *object, const char *key, const char *const *words, int n, int *out)
{
    const json_t *value = json_object_get(object, key);
    char          expected[200] = "";
    size_t        used = 0;
    for (int i = 0; i < n; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), words[i]) == 0) {
            *out = i;
            return DID_OK;
        }
        if (used < sizeof expected)
            used += (size_t)snprintf(expected + used, sizeof expected - used, "%s\"%s\"",
                                     i ? " or " : "", words[i]);
    }
    return unlike(value, key, expected);
}

status field_whole(const json_t *value, const char *name, int low, int high, int32_t *out)
{
    int64_t wide = 0;
    TRY(whole(value, name, low, high, &wide));
    *out = (int32_t)wide;
    return DID_OK;
}

status field_elements(const json_t *value, const char *name, int n, int low, int high, int32_t *out)
{
    TRY(sized(value, name, n));
    for (int i = 0; i < n; i++) {
        status s = field_whole(json_array_get(value, (size_t)i), name, low, high, &out[i]);
        if (s != DID_OK) return status_at(s, "element %d", i);
    }
    return DID_OK;
}

status field_ids(const json_t *object, const char *key, int n, int low, int high, int32_t *out)
{
    return field_elements(json_object_get(object, key), key, n, low, high, out);
}

json_t *field_from_ids(const int32_t *id, int n)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < n && !bad; i++) bad |= json_array_append_new(array, json_integer(id[i]));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}
