/* What the leaders of worlds say of themselves: the first line is a hello, the others progress. */
#include <math.h>
#include <stdbool.h>

#include "fuzz.h"
#include "muster.h"

static const frame id = {"leader", 6};

static json_t *next_line(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *from = *at, *stop = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
    size_t         size = (size_t)((stop ? stop : end) - from);
    *at = stop ? stop + 1 : end;
    return json_loadb((const char *)from, size, JSON_REJECT_DUPLICATES, NULL);
}

/* What is told of a leader can be written, and its numbers are numbers. */
static void check(const muster *m)
{
    json_t *told = muster_tell(m, 100), *w = json_array_get(told, 0);
    char   *text = json_dumps(told, 0);
    assert(text && json_array_size(told) == (size_t)m->n);
    const char *key;
    json_t     *value;
    json_object_foreach(w, key, value)
        assert(!json_is_number(value) || (isfinite(json_number_value(value)) &&
                                          json_number_value(value) >= 0));
    free(text);
    json_decref(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *at = data, *end = data + size;
    muster         m = {0};
    double         now = 1;
    json_t        *hello = next_line(&at, end);
    status         s = muster_greet(&m, &id, hello, now);
    json_decref(hello);
    if (s != DID_OK) {
        fuzz_refused(s, DID_EFORMAT);
        assert(m.n == 0);
    }
    for (; s == DID_OK && at < end && now < 50; now += 0.5) {
        json_t *said = next_line(&at, end);
        status  noted = muster_note(muster_find(&m, &id), said, now);
        if (noted != DID_OK) fuzz_refused(noted, DID_EFORMAT);
        json_decref(said);
        check(&m);
    }
    muster_clear(&m);
    return 0;
}
