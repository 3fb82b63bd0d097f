#include "weightmap.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"
#include "tensor.h"

static status no_memory(const char *path)
{
    return status_fail(DID_ENOMEM, "%s: out of memory while reading the weight_map", path);
}

/* A file beside the index and nowhere else: no name leads out of the directory. */
static bool is_file_name(const char *name)
{
    if (!name || !*name || *name == '.' || strlen(name) > NAME_MAX) return false;
    while (*name >= ' ' && *name < 0x7f && *name != '/') name++;
    return *name == '\0';
}

static status read_entry(mapped *m, const char *key, const json_t *value, const char *path)
{
    TRY(tensor_name_read(&m->name, key, path));
    const char *file = json_string_value(value);
    if (!is_file_name(file)) {
        char shown[JSONTEXT_SHOWN];
        return status_fail(DID_EFORMAT,
                           "%s: tensor %s: its file is %s, expected the name of a file in "
                           "the same directory",
                           path, m->name, jsontext_show(shown, value));
    }
    m->file = strdup(file);
    return m->file ? DID_OK : no_memory(path);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const mapped *)left)->name, ((const mapped *)right)->name);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static status check_names(const weightmap *m, const char *path)
{
    for (int i = 1; i < m->n; i++) {
        if (strcmp(m->at[i - 1].name, m->at[i].name) == 0)
            return status_fail(DID_EFORMAT,
                               "%s: tensor %s: found twice (\"_orig_mod.\" not counted), "
                               "expected once",
                               path, m->at[i].name);
    }
    return DID_OK;
}

static status list_files(weightmap *m, const char *path)
{
    m->file = malloc((size_t)m->n * sizeof *m->file);
    if (!m->file) return no_memory(path);
    for (int i = 0; i < m->n; i++) m->file[i] = m->at[i].file;
    qsort(m->file, (size_t)m->n, sizeof *m->file, by_text);
    for (int i = 0; i < m->n; i++) {
        if (i == 0 || strcmp(m->file[i], m->file[i - 1]) != 0) m->file[m->n_files++] = m->file[i];
    }
    return DID_OK;
}

static status read_map(weightmap *m, const json_t *index, const char *path)
{
    const json_t *map = json_object_get(index, "weight_map");
    size_t        count = json_object_size(map);
    if (count == 0) {
        char shown[JSONTEXT_SHOWN];
        return status_fail(DID_EFORMAT, "%s: weight_map is %s, expected {tensor: file, ...}", path,
                           jsontext_show(shown, map));
    }
    assert(count <= INT_MAX);  /* jsontext bounds the file */
    m->at = calloc(count, sizeof *m->at);
    if (!m->at) return no_memory(path);

    const char *key;
    json_t     *value;
    json_object_foreach((json_t *)map, key, value) {
        TRY(read_entry(&m->at[m->n++], key, value, path));
    }
    qsort(m->at, count, sizeof *m->at, by_name);
    TRY(check_names(m, path));
    return list_files(m, path);
}

/* Takes the index over. */
static status take_index(weightmap *m, json_t *index, const char *where)
{
    status all = read_map(m, index, where);
    json_decref(index);
    if (all != DID_OK) weightmap_clear(m);
    return all;
}

status weightmap_read(weightmap *m, const char *path)
{
    *m = (weightmap){0};
    json_t *index;
    TRY(jsontext_read(&index, path));
    return take_index(m, index, path);
}

status weightmap_parse(weightmap *m, const char *text, size_t size, const char *where)
{
    *m = (weightmap){0};
    json_t *index;
    TRY(jsontext_parse(&index, text, size, where));
    return take_index(m, index, where);
}

void weightmap_clear(weightmap *m)
{
    for (int i = 0; i < m->n; i++) {
        free(m->at[i].name);
        free(m->at[i].file);
    }
    free(m->at);
    free(m->file);
    *m = (weightmap){0};
}
