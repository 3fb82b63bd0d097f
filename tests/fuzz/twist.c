#include "twist.h"

#include <assert.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

#include "fuzz.h"

enum { OBJECTS_MAX = 64, NODES_MAX = 4096 };

static uint64_t state;

static size_t below(size_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return n ? (size_t)(state >> 33) % n : 0;
}

/* ---- values ---- */

static json_t *new_integer(void)
{
    static const json_int_t edge[] = {
        0,         1,         -1,      2,       3,         4,         8,       16,
        63,        64,        127,     255,     256,       4095,      4096,    65536,
        131072,    131073,    INT_MAX, INT_MIN, 1LL << 31, 1LL << 32, 1 << 30, 1LL << 53,
        LLONG_MAX, LLONG_MIN, 1 << 24, 1 << 20, 4097,      512};
    return json_integer(edge[below(sizeof edge / sizeof *edge)]);
}

static json_t *new_real(void)
{
    static const double edge[] = {0.0,    -0.0, 0.5,     1.0,  1.00001, 0.9,  1e-45,
                                  1e-320, 1e39, 1.7e308, -1.5, 2.0,     100.0};
    return json_real(edge[below(sizeof edge / sizeof *edge)]);
}

static json_t *new_value(void)
{
    switch (below(10)) {
    case 0: return json_null();
    case 1: return json_true();
    case 2: return json_false();
    case 3: return json_array();
    case 4: return json_object();
    case 5: return json_string(below(2) ? "" : "\xC3\xA9\x1b[31m");
    case 6: return new_real();
    default: return new_integer();
    }
}

static json_t *nudged(const json_t *value)
{
    json_int_t x = json_integer_value(value);
    if (json_is_real(value)) return json_real(json_real_value(value) * (below(2) ? 2 : -1));
    if (!json_is_integer(value) || x > INT_MAX || x < INT_MIN) return new_value();
    switch (below(4)) {
    case 0: return json_integer(x + 1);
    case 1: return json_integer(x - 1);
    case 2: return json_integer(-x);
    default: return json_integer(2 * x);
    }
}

/* A string with other bytes, as long as they are characters. */
static json_t *respelt(const json_t *value)
{
    uint8_t text[256];
    size_t  size = json_string_length(value);
    if (size > sizeof text / 2) return new_value();
    memcpy(text, json_string_value(value), size);
    size = LLVMFuzzerMutate(text, size, sizeof text);
    json_t *string = json_stringn((const char *)text, size);
    return string ? string : new_value();
}

static json_t *changed(const json_t *value)
{
    if (below(4) == 0) return new_value();
    return json_is_string(value) ? respelt(value) : nudged(value);
}

/* ---- places ---- */

/* A value and where it hangs. */
typedef struct node {
    json_t     *parent;
    const char *key; /* NULL: in an array, at `index` */
    size_t      index;
    json_t     *value;
} node;

static node   nodes[NODES_MAX];
static size_t n_nodes;

static void collect(json_t *parent)
{
    const char *key;
    json_t     *value;
    size_t      i;
    json_object_foreach(parent, key, value)
    {
        if (n_nodes < NODES_MAX) nodes[n_nodes++] = (node){parent, key, 0, value};
        collect(value);
    }
    json_array_foreach(parent, i, value)
    {
        if (n_nodes < NODES_MAX) nodes[n_nodes++] = (node){parent, NULL, i, value};
        collect(value);
    }
}

static void put(const node *at, json_t *value)
{
    if (at->key) json_object_set_new(at->parent, at->key, value);
    else json_array_set_new(at->parent, at->index, value);
}

static void take_away(const node *at)
{
    if (at->key) json_object_del(at->parent, at->key);
    else json_array_remove(at->parent, at->index);
}

static void repeat(const node *at)
{
    char name[64];
    if (!at->key) {
        json_array_insert_new(at->parent, at->index, json_deep_copy(at->value));
        return;
    }
    snprintf(name, sizeof name, "%.40s%zu", at->key, below(10));
    json_object_set_new(at->parent, name, json_deep_copy(at->value));
}

/* The value gets a name that is in use elsewhere. */
static void rename_to(const node *at, const node *other)
{
    if (!at->key || !other->key) return;
    char *name = strdup(other->key);
    assert(name);
    json_incref(at->value);
    json_object_del(at->parent, at->key);
    json_object_set_new(at->parent, name, at->value);
    free(name);
}

static void twist(json_t *root)
{
    n_nodes = 0;
    collect(root);
    if (n_nodes == 0) {
        json_object_set_new(root, "a", new_value());
        return;
    }
    const node *at = &nodes[below(n_nodes)], *other = &nodes[below(n_nodes)];
    switch (below(8)) {
    case 0: take_away(at); break;
    case 1: repeat(at); break;
    case 2: rename_to(at, other); break;
    case 3: put(at, json_deep_copy(other->value)); break;
    default: put(at, changed(at->value));
    }
}

/* ---- text ---- */

/* Where objects begin in data[size]. */
static size_t find_objects(const uint8_t *data, size_t size, size_t at[OBJECTS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < size && n < OBJECTS_MAX; i++)
        if (data[i] == '{' && (i == 0 || i == 1 || i == 8 || data[i - 1] == '\n')) at[n++] = i;
    return n;
}

size_t twist_text(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    enum { FLAGS = JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL };
    json_error_t error;
    size_t       at[OBJECTS_MAX], n = find_objects(data, size, at);
    state = seed;
    below(1); /* neighbouring seeds part ways */
    if (n == 0) return 0;
    size_t  from = at[below(n)];
    json_t *root = json_loadb((const char *)data + from, size - from, FLAGS, &error);
    if (!root) return 0;
    size_t end = from + (size_t)error.position;
    for (size_t rounds = 1 + below(3); rounds > 0; rounds--) twist(root);
    char  *text = json_dumps(root, JSON_COMPACT);
    size_t len = text ? strlen(text) : 0, all = from + len + (size - end);
    if (text && all <= max) {
        memmove(data + from + len, data + end, size - end);
        memcpy(data + from, text, len);
    }
    free(text);
    json_decref(root);
    return text && all <= max ? all : 0;
}

/* Weak: a target whose input is not only lines has its own. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                                                     unsigned seed)
{
    size_t twisted = seed % 2 ? twist_text(data, size, max, seed / 2) : 0;
    return twisted ? twisted : LLVMFuzzerMutate(data, size, max);
}
