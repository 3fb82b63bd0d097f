/* crafted.h - files written by tests, right and wrong, in a directory of their own. */
#ifndef CRAFTED_H
#define CRAFTED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

static inline int crafted_remove_one(const char *path, const struct stat *s, int kind,
                                     struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

/* The setup and teardown of a group: *state is the path of a new directory. */
static inline int crafted_begin(void **state)
{
    char *dir = strdup("/tmp/did-test-XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static inline int crafted_end(void **state)
{
    int all = nftw(*state, crafted_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return all;
}

/* DIR/NAME, to be freed. */
static inline char *crafted_path(const char *dir, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

static inline void crafted_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The bytes of a safetensors file, to be freed. */
static inline char *crafted_bytes(const char *header, const void *data, size_t data_size,
                                  size_t *size)
{
    uint64_t length = strlen(header);
    *size = sizeof length + length + data_size;
    char *bytes = malloc(*size);
    assert_non_null(bytes);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, length);
    if (data_size) memcpy(bytes + sizeof length + length, data, data_size);
    return bytes;
}

static inline void crafted_safetensors(const char *path, const char *header, const void *data,
                                       size_t data_size)
{
    size_t size;
    char  *bytes = crafted_bytes(header, data, data_size, &size);
    crafted_write(path, bytes, size);
    free(bytes);
}

/* The failure is of the kind `expected` and its sentence is one printable line with all of the
 * fragments, separated by '|'. */
static inline void crafted_refused(status found, status expected, const char *fragments)
{
    const char *said = status_message();
    if (found != expected)
        fail_msg("status %s (%s), expected %s", status_text(found), said, status_text(expected));
    for (const char *c = said; *c; c++) {
        if (*c < ' ' || *c > '~') fail_msg("byte 0x%02x in '%s'", (unsigned char)*c, said);
    }
    for (const char *at = fragments; *at;) {
        char   part[256];
        size_t len = strcspn(at, "|");
        snprintf(part, sizeof part, "%.*s", (int)len, at);
        if (!strstr(said, part)) fail_msg("'%s' does not say '%s'", said, part);
        at += len + (at[len] == '|');
    }
}

#endif
