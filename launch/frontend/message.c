#include "message.h"

#include <string.h>

#include "jsontext.h"

static const char version[] = "did1";

static const char *const names[MESSAGE_TYPES] = {
#define X(name, text) [MESSAGE_##name] = text,
    MESSAGE_MAP(X)
#undef X
};

/* How many texts follow the body. */
static const struct {
    int min, max;
} parts[MESSAGE_TYPES] = {
    [MESSAGE_CHECKPOINT] = {1, 1},
    [MESSAGE_RESULT] = {1, 1},
    [MESSAGE_PUT_DOWN] = {1, 1},
    [MESSAGE_WORK] = {1, 2},
    [MESSAGE_SUBMIT] = {1, 1},
    [MESSAGE_RECORDS] = {1, 1},
};

const char *message_name(message_type type)
{
    return names[type];
}

const char *message_version(void)
{
    return version;
}

static bool says(const frame *f, const char *text)
{
    return f->size == strlen(text) && memcmp(f->data, text, f->size) == 0;
}

static int type_of(const frame *f)
{
    int type = 0;
    while (type < MESSAGE_TYPES && !says(f, names[type])) type++;
    return type;
}

bool message_known(const frame *word)
{
    return type_of(word) < MESSAGE_TYPES;
}

bool message_deep(const char *text, size_t size, int most)
{
    int  depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size && depth <= most; i++) {
        char c = text[i];
        if (quoted && c == '\\') i++;
        else if (c == '"') quoted = !quoted;
        else if (!quoted) depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    return depth > most;
}

static status check_body(const frame *f, const char *name)
{
    if (f->size > MESSAGE_BODY_MAX)
        return status_fail(DID_EFORMAT, "%s: found a body of %zu bytes, expected at most %d", name,
                           f->size, MESSAGE_BODY_MAX);
    if (!message_deep(f->data, f->size, MESSAGE_DEPTH_MAX)) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: the body nests deeper than %d", name, MESSAGE_DEPTH_MAX);
}

status message_read(message *out, const frame *frames, int n)
{
    *out = (message){0};
    if (n < 3)
        return status_fail(DID_EFORMAT, "found %d frames, expected version, type and body", n);
    if (!says(&frames[0], version))
        return status_fail(DID_EFORMAT, "the first frame is not the version \"%s\"", version);
    int type = type_of(&frames[1]);
    if (type == MESSAGE_TYPES)
        return status_fail(DID_EFORMAT, "the type of %zu bytes is not one of ours", frames[1].size);
    int extra = n - 3;
    if (extra < parts[type].min || extra > parts[type].max)
        return status_fail(DID_EFORMAT, "%s: found %d texts after the body, expected %d to %d",
                           names[type], extra, parts[type].min, parts[type].max);
    TRY(check_body(&frames[2], names[type]));
    TRY(jsontext_parse(&out->body, frames[2].data, frames[2].size, names[type]));
    out->type = (message_type)type;
    out->n_parts = extra;
    for (int i = 0; i < extra; i++) out->part[i] = frames[3 + i];
    return DID_OK;
}

void message_clear(message *m)
{
    json_decref(m->body);
    *m = (message){0};
}
