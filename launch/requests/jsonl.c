#include "jsonl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct jsonl {
    FILE  *file;
    char  *line;
    size_t room;
    long   number;
};

/* Takes the file over. */
static status open_file(jsonl **out, FILE *file)
{
    *out = calloc(1, sizeof **out);
    if (*out) (*out)->file = file;
    else if (file != stdin) fclose(file);
    return *out ? DID_OK : status_fail(DID_ENOMEM, "no memory to read lines");
}

status jsonl_open(jsonl **out, const char *path)
{
    *out = NULL;
    FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
    if (file == NULL) return status_fail(DID_EIO, "cannot read %s: %s", path, strerror(errno));
    return open_file(out, file);
}

status jsonl_open_text(jsonl **out, const char *text, size_t size)
{
    *out = NULL;
    FILE *file = fmemopen((void *)text, size, "r");
    if (file == NULL) return status_fail(DID_ENOMEM, "no memory to read %zu bytes", size);
    return open_file(out, file);
}

void jsonl_close(jsonl **j)
{
    if (*j == NULL) return;
    if ((*j)->file != stdin) fclose((*j)->file);
    free((*j)->line);
    free(*j);
    *j = NULL;
}

long jsonl_number(const jsonl *j)
{
    return j->number;
}

static status grow(jsonl *j)
{
    size_t room = j->room ? 2 * j->room : 4096;
    char  *line = realloc(j->line, room);
    if (line == NULL) return status_fail(DID_ENOMEM, "no memory for a line of %zu bytes", room);
    j->line = line;
    j->room = room;
    return DID_OK;
}

static void skip_line(jsonl *j)
{
    int c;
    do c = getc_unlocked(j->file);
    while (c != '\n' && c != EOF);
}

status jsonl_next(jsonl *j, char **text, size_t *size)
{
    size_t n = 0;
    int    c;
    *text = NULL;
    while ((c = getc_unlocked(j->file)) != EOF && c != '\n') {
        if (n == JSONL_LINE_MAX) {
            skip_line(j);
            j->number++;
            return status_fail(DID_EFORMAT, "the line is longer than %d bytes", JSONL_LINE_MAX);
        }
        if (n + 2 > j->room) TRY(grow(j));
        j->line[n++] = (char)c;
    }
    if (c == EOF && ferror(j->file)) return status_fail(DID_EIO, "%s", strerror(errno));
    if (c == EOF && n == 0) return DID_OK;
    if (j->room == 0) TRY(grow(j));
    if (n > 0 && j->line[n - 1] == '\r') n--;
    j->line[n] = '\0';
    *text = j->line;
    if (j->number++ == 0 && n >= 3 && memcmp(j->line, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        n -= 3;
    }
    *size = n;
    return DID_OK;
}

status jsonl_parse(json_t **out, const char *text, size_t size, int *column)
{
    json_error_t error;
    *column = 0;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (*out == NULL) {
        *column = error.column > 0 ? error.column : 0;
        return status_fail(DID_EFORMAT, "not JSON: %s", error.text);
    }
    if (json_is_object(*out)) return DID_OK;
    json_decref(*out);
    *out = NULL;
    *column = 1;
    return status_fail(DID_EFORMAT, "found a JSON array, expected an object");
}

/* Columns count characters: every byte that does not continue one. */
int jsonl_column_at(const char *text, size_t at)
{
    int column = 1;
    for (size_t i = 0; i < at; i++) column += (text[i] & 0xc0) != 0x80;
    return column;
}

int jsonl_column(const char *text, size_t size, const char *name, int depth)
{
    size_t len = strlen(name);
    int    deep = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '{' || text[i] == '[') deep++;
        if (text[i] == '}' || text[i] == ']') deep--;
        if (text[i] != '"') continue;
        size_t open = i++;
        while (i < size && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
        size_t after = i + 1;
        while (after < size && memchr(" \t\r", text[after], 3)) after++;
        if (deep == depth && after < size && text[after] == ':' && i - open - 1 == len &&
            memcmp(text + open + 1, name, len) == 0)
            return jsonl_column_at(text, open);
    }
    return 0;
}
