/* field.h - one value out of a JSON object, checked. Every function fails DID_EFORMAT with a
 * sentence that names the key, what was found and what was expected; the caller says where. All
 * are local. */
#ifndef DID_FIELD_H
#define DID_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

status field_number(const json_t *object, const char *key, int64_t low, int64_t high, int64_t *out);
status field_int(const json_t *object, const char *key, int low, int high, int *out);
status field_real(const json_t *object, const char *key, double low, double high, double *out);
status field_flag(const json_t *object, const char *key, bool *out);
status field_hex(const json_t *object, const char *key, uint64_t *out); /* 16 digits in a string */

/* A string, borrowed from the object. */
status field_text(const json_t *object, const char *key, const char **out);

/* An array of `n` elements, or of any number when n is -1; borrowed from the object. */
status field_array(const json_t *object, const char *key, int n, const json_t **out);

/* One of `words`; *out is its place. */
status field_word(const json_t *object, const char *key, const char *const *words, int n, int *out);

/* An array of `n` whole numbers, each in [low, high]. */
status field_ids(const json_t *object, const char *key, int n, int low, int high, int32_t *out);

/* The same from the value itself, which sentences call `name`. */
status field_elements(const json_t *value, const char *name, int n, int low, int high,
                      int32_t *out);
status field_whole(const json_t *value, const char *name, int low, int high, int32_t *out);

/* The way back: 16 hexadecimal digits in a string, an array of numbers. NULL when out of memory. */
json_t *field_from_hex(uint64_t value);
json_t *field_from_ids(const int32_t *id, int n);

#endif
