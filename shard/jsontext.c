#include "jsontext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Sentences hold no newline, and terminals are not to be steered by a file's content. */
static void make_printable(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) text[i] = '?';
    }
}

static status parse_fail(const json_error_t *e, const char *text, size_t size, const char *where)
{
    enum { BEFORE = 48 };
    if (json_error_code(e) == json_error_out_of_memory)
        return status_fail(DID_ENOMEM, "%s: out of memory in %zu bytes of JSON", where, size);

    char   before[BEFORE + 1] = "", reason[JSON_ERROR_TEXT_LENGTH];
    size_t end = e->position < 0 ? 0 : (size_t)e->position;
    if (end > size) end = size;
    size_t len = end < BEFORE ? end : BEFORE;
    memcpy(before, text + end - len, len);
    make_printable(before, len);
    snprintf(reason, sizeof reason, "%s", e->text);
    make_printable(reason, strlen(reason));
    return status_fail(DID_EFORMAT, "%s: not JSON: %s, at line %d column %d, after '%s'", where,
                       reason, e->line, e->column, before);
}

status jsontext_parse(json_t **out, const char *text, size_t size, const char *where)
{
    json_error_t error;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!*out) return parse_fail(&error, text, size, where);
    if (json_is_object(*out)) return DID_OK;

    char shown[JSONTEXT_SHOWN];
    jsontext_show(shown, *out);
    json_decref(*out);
    *out = NULL;
    return status_fail(DID_EFORMAT, "%s: found %s, expected a JSON object", where, shown);
}

static status read_all(char *text, size_t size, const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (!file) return status_fail(DID_EIO, "%s: cannot open: %s", path, strerror(errno));
    size_t got = fread(text, 1, size, file);
    fclose(file);
    if (got != size)
        return status_fail(DID_EIO, "%s: read %zu bytes, expected %zu", path, got, size);
    return DID_OK;
}

status jsontext_read(json_t **out, const char *path)
{
    *out = NULL;
    struct stat file;
    if (stat(path, &file) != 0)
        return status_fail(DID_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(file.st_mode)) return status_fail(DID_EIO, "%s: is not a regular file", path);
    if (file.st_size > JSONTEXT_FILE_BYTES_MAX)
        return status_fail(DID_EFORMAT, "%s: has %lld bytes, expected at most %d", path,
                           (long long)file.st_size, JSONTEXT_FILE_BYTES_MAX);

    size_t size = (size_t)file.st_size;
    char  *text = malloc(size + 1);
    if (!text) return status_fail(DID_ENOMEM, "%s: cannot get %zu bytes", path, size);
    status all = read_all(text, size, path);
    if (all == DID_OK) all = jsontext_parse(out, text, size, path);
    free(text);
    return all;
}

typedef struct line {
    char  *text;
    size_t len;
} line;

/* Stops the dump when the line is full, so a huge value costs no more than a small one. */
static int append(const char *piece, size_t size, void *context)
{
    line  *to = context;
    size_t room = JSONTEXT_SHOWN - sizeof "..." - to->len;
    size_t take = size < room ? size : room;
    memcpy(to->text + to->len, piece, take);
    to->len += take;
    return take < size ? -1 : 0;
}

const char *jsontext_show(char shown[JSONTEXT_SHOWN], const json_t *value)
{
    if (!value) return strcpy(shown, "missing");
    line to = {.text = shown};
    int  cut = json_dump_callback(value, append, &to,
                                  JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT);
    make_printable(shown, to.len);
    strcpy(shown + to.len, cut ? "..." : "");
    return shown;
}
