#include "excerpt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "jsonl.h"
#include "jsontext.h"
#include "request.h"
#include "utf8.h"

enum { NAME_MADE = 32 }; /* bytes of a name that we make */

/* What is needed while reading and no longer afterwards. */
typedef struct reading {
    excerpt_visit *visit;
    void          *context;
    json_t        *names; /* "sample custom_id" -> line it was first seen on */
    long           line;
    int           *left_out;
    bool           decided, json;
} reading;

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the texts");
}

/* ---- one line ---- */

static bool has(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);
    return value && !json_is_null(value);
}

/* A number is written into made[NAME_MADE]. */
static status name_read(excerpt *e, char *made, const json_t *line)
{
    char          shown[JSONTEXT_SHOWN];
    const char   *key = has(line, "custom_id") ? "custom_id" : "id";
    const json_t *name = json_object_get(line, key);
    if (has(line, "sample")) TRY(field_int(line, "sample", 0, REQUEST_SAMPLES_MAX, &e->sample));
    if (!has(line, key)) return DID_OK;
    if (json_is_integer(name)) {
        snprintf(made, NAME_MADE, "%lld", (long long)json_integer_value(name));
        return DID_OK;
    }
    e->custom_id = json_string_value(name);
    if (e->custom_id && strlen(e->custom_id) == json_string_length(name)) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: found %s, expected a string or a whole number", key,
                       jsontext_show(shown, name));
}

/* No two texts of one name, or nobody could tell their numbers apart. */
static status name_claim(reading *r, const excerpt *e)
{
    char *key, quoted[80];
    if (asprintf(&key, "%d %s", e->sample, e->custom_id) < 0) return no_memory();
    const json_t *before = json_object_get(r->names, key);
    if (!before && json_object_set_new(r->names, key, json_integer(r->line))) {
        free(key);
        return no_memory();
    }
    free(key);
    if (!before) return DID_OK;
    return status_fail(DID_EFORMAT, "custom_id: \"%s\" sample %d was used on line %lld already",
                       utf8_quote(quoted, sizeof quoted, e->custom_id, strlen(e->custom_id)),
                       e->sample, (long long)json_integer_value(before));
}

static bool unfinished(const json_t *line)
{
    const char *reason = json_string_value(json_object_get(line, "finish_reason"));
    return reason && (!strcmp(reason, "failed") || !strcmp(reason, "rejected"));
}

static status content_read(excerpt *e, const json_t *line)
{
    e->line = line;
    e->trace = json_object_get(line, "trace");
    if (!has(e->trace, "left")) e->trace = NULL; /* somebody else's word */
    if (has(line, "ids")) TRY(field_array(line, "ids", -1, &e->ids));
    if (e->trace) TRY(field_array(e->trace, "ids", -1, &e->ids));
    if (has(line, "text")) {
        TRY(field_text(line, "text", &e->text));
        e->text_size = json_string_length(json_object_get(line, "text"));
    }
    if (e->ids || e->text) return DID_OK;
    return status_fail(DID_EFORMAT, "found neither \"text\" nor \"ids\"");
}

static status object_read(reading *r, excerpt *e, const json_t *line)
{
    char made[NAME_MADE];
    snprintf(made, sizeof made, "line-%ld", r->line);
    e->custom_id = made;
    if (unfinished(line)) {
        ++*r->left_out;
        return DID_OK;
    }
    TRY(name_read(e, made, line));
    TRY(content_read(e, line));
    TRY(name_claim(r, e));
    return r->visit(r->context, e);
}

static status json_read(reading *r, const char *text, size_t size)
{
    excerpt e = {0};
    int     column = 0;
    json_t *line = NULL;
    status  s = jsonl_parse(&line, text, size, &column);
    if (s != DID_OK) return column > 0 ? status_at(s, "column %d", column) : s;
    s = object_read(r, &e, line);
    json_decref(line);
    return s;
}

static status plain_read(reading *r, const char *text, size_t size)
{
    char    made[NAME_MADE];
    excerpt e = {.custom_id = made, .text = text, .text_size = size};
    snprintf(made, sizeof made, "line-%ld", r->line);
    return r->visit(r->context, &e);
}

static status line_read(reading *r, const char *text, size_t size)
{
    size_t blank = strspn(text, " \t\r"), good = utf8_check(text, size);
    if (blank == size) return DID_OK;
    if (!r->decided) r->json = text[blank] == '{';
    r->decided = true;
    if (good < size)
        return status_fail(DID_EFORMAT, "column %d: not UTF-8: byte 0x%02x",
                           jsonl_column_at(text, good), (unsigned char)text[good]);
    return r->json ? json_read(r, text, size) : plain_read(r, text, size);
}

static status lines_read(reading *r, jsonl *file, const char *path)
{
    char  *text;
    size_t size;
    for (;;) {
        status s = jsonl_next(file, &text, &size);
        if (s == DID_EIO) return status_at(s, "%s", path);
        r->line = jsonl_number(file);
        if (s == DID_OK && text == NULL) return DID_OK;
        if (s == DID_OK) s = line_read(r, text, size);
        if (s != DID_OK) return status_at(s, "%s:%ld", path, r->line);
    }
}

/* Takes the file over. */
static status file_read(jsonl *file, const char *path, excerpt_visit *visit, void *context,
                        int *left_out)
{
    reading r = {.visit = visit, .context = context, .left_out = left_out};
    r.names = json_object();
    status s = r.names ? lines_read(&r, file, path) : no_memory();
    jsonl_close(&file);
    json_decref(r.names);
    return s;
}

status excerpt_each(const char *path, excerpt_visit *visit, void *context, int *left_out)
{
    jsonl *file;
    *left_out = 0;
    TRY(jsonl_open(&file, path));
    return file_read(file, path, visit, context, left_out);
}

status excerpt_each_of(const char *text, size_t size, const char *where, excerpt_visit *visit,
                       void *context, int *left_out)
{
    jsonl *file;
    *left_out = 0;
    TRY(jsonl_open_text(&file, text, size));
    return file_read(file, where, visit, context, left_out);
}

/* ---- ids ---- */

static status id_check(const json_t *value, size_t place, const char *name, const geometry *g)
{
    char       shown[JSONTEXT_SHOWN];
    json_int_t id = json_integer_value(value);
    if (json_is_integer(value) && id == g->mask_id)
        return status_fail(DID_EFORMAT, "%s: element %zu is the mask: the text is not finished",
                           name, place);
    if (json_is_integer(value) && id >= 0 && id < g->vocab) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: element %zu is %s, expected an id from 0 to %d", name,
                       place, jsontext_show(shown, value), g->vocab - 1);
}

status excerpt_ids(int32_t **out, int *n, const json_t *array, const char *name, const geometry *g,
                   int32_t end_id)
{
    size_t   given = json_array_size(array);
    bool     ended = given > 0 && json_integer_value(json_array_get(array, 0)) == end_id;
    int32_t *id;
    *out = NULL;
    if (given > REQUEST_LENGTH_MAX)
        return status_fail(DID_EFORMAT, "%s: found %zu ids, expected at most %d", name, given,
                           REQUEST_LENGTH_MAX);
    for (size_t i = 0; i < given; i++) TRY(id_check(json_array_get(array, i), i, name, g));
    id = malloc((given + 1) * sizeof *id);
    if (!id) return no_memory();
    *n = 0;
    if (!ended) id[(*n)++] = end_id;
    for (size_t i = 0; i < given; i++)
        id[(*n)++] = (int32_t)json_integer_value(json_array_get(array, i));
    *out = id;
    return DID_OK;
}
