#include "expanse.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { POSITION_BYTES = 4 };

int64_t expanse_of(const wish *w, size_t size, int length)
{
    int64_t positions = w->length ? w->length : length;
    if (w->max_tokens > positions) positions = w->max_tokens;
    return (int64_t)size + POSITION_BYTES * positions;
}

int64_t expanse_of_line(const char *line, int length)
{
    size_t  size = strlen(line);
    wish    w;
    json_t *o = json_loadb(line, size, JSON_ALLOW_NUL, NULL);
    wish_init(&w);
    if (o && wish_read(&w, o) != DID_OK) wish_init(&w);
    int64_t bytes = expanse_of(&w, size, length);
    json_decref(o);
    return bytes;
}

int expanse_length(const char *terms)
{
    json_t     *o = json_loads(terms, 0, NULL);
    const char *text = json_string_value(json_object_get(o, "length"));
    long        n = text ? strtol(text, NULL, 10) : 0;
    json_decref(o);
    return n > 0 && n <= REQUEST_LENGTH_MAX ? (int)n : EXPANSE_LENGTH;
}
