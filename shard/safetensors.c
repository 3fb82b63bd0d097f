#include "safetensors.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jsontext.h"

enum {
    LENGTH_BYTES = 8,
    HEADER_BYTES_MAX = 100000000,  /* the limit of the format's own library */
    READ_BYTES_MAX = 1 << 30,      /* the kernel cuts a longer read at 2 GiB anyway */
};

static status no_memory(const char *path)
{
    return status_fail(DID_ENOMEM, "%s: out of memory while reading the header", path);
}

/* Fill out[bytes] from byte `at` of the file. What is in memory does not get shorter: whoever asks
 * has compared with its size. */
static status read_exactly(const safetensors *f, int64_t at, void *out, size_t bytes)
{
    char *to = out;
    if (f->bytes) {
        memcpy(to, f->bytes + at, bytes);
        return DID_OK;
    }
    for (size_t done = 0; done < bytes;) {
        size_t  want = bytes - done < READ_BYTES_MAX ? bytes - done : READ_BYTES_MAX;
        ssize_t got = pread(f->fd, to + done, want, at + (int64_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return status_fail(DID_EIO, "%s: cannot read: %s", f->path, strerror(errno));
        if (got == 0)
            return status_fail(DID_EIO,
                               "%s: the file ends at byte %" PRId64 ", expected %zu bytes from "
                               "byte %" PRId64 ": was it cut while in use?",
                               f->path, at + (int64_t)done, bytes, at);
        done += (size_t)got;
    }
    return DID_OK;
}

static status refuse(const char *path, const char *name, const char *key, const json_t *found,
                     const char *expected)
{
    char shown[JSONTEXT_SHOWN];
    return status_fail(DID_EFORMAT, "%s: tensor %s: %s is %s, expected %s", path, name, key,
                       jsontext_show(shown, found), expected);
}

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static status read_dtype(tensor *t, const json_t *found, const char *path)
{
    const char *text = json_string_value(found);
    if (text && tensor_dtype_find(&t->type, text)) return DID_OK;
    return refuse(path, t->name, "dtype", found, "F32, BF16, F16, I32, U8, I64 or F64");
}

static status read_shape(tensor *t, const json_t *found, const char *path)
{
    if (!json_is_array(found) || json_array_size(found) > TENSOR_DIMS_MAX)
        return refuse(path, t->name, "shape", found, "an array of at most 4 dimensions");
    t->n_dims = (int)json_array_size(found);
    for (int i = 0; i < t->n_dims; i++) {
        const json_t *dim = json_array_get(found, (size_t)i);
        if (!is_count(dim))
            return refuse(path, t->name, "shape", found, "dimensions that are integers from 0 on");
        t->dim[i] = json_integer_value(dim);
    }
    if (tensor_bytes(t) < 0)
        return refuse(path, t->name, "shape", found, "a size in bytes below 2^63");
    return DID_OK;
}

/* `data` is where the data begins and `data_bytes` how much of it there is. */
static status read_offsets(place *p, const json_t *found, int64_t data, int64_t data_bytes,
                           const char *path)
{
    const char *name = p->what.name;
    if (json_array_size(found) != 2 || !is_count(json_array_get(found, 0)) ||
        !is_count(json_array_get(found, 1)))
        return refuse(path, name, "data_offsets", found, "[begin, end]");
    int64_t begin = json_integer_value(json_array_get(found, 0));
    int64_t end = json_integer_value(json_array_get(found, 1));
    if (begin > end) return refuse(path, name, "data_offsets", found, "begin <= end");

    int64_t bytes = tensor_bytes(&p->what);
    if (end - begin != bytes)
        return status_fail(DID_EFORMAT,
                           "%s: tensor %s: data_offsets [%" PRId64 ",%" PRId64 "] hold %" PRId64
                           " bytes, expected %" PRId64 " for its %s shape",
                           path, name, begin, end, end - begin, bytes,
                           tensor_dtype_name(p->what.type));
    if (end > data_bytes)
        return status_fail(DID_EFORMAT,
                           "%s: tensor %s: data_offsets end at %" PRId64 ", expected at most the "
                           "%" PRId64 " bytes of data that the file has: it was cut short",
                           path, name, end, data_bytes);
    p->first = data + begin;
    return DID_OK;
}

static status read_entry(place *p, const char *key, const json_t *entry, int64_t data,
                         int64_t data_bytes, const char *path)
{
    char *name;
    TRY(tensor_name_read(&name, key, path));
    p->what.name = name;
    if (!json_is_object(entry)) return refuse(path, name, "the entry", entry, "an object");

    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    const char *extra;
    json_t     *value;
    json_object_foreach((json_t *)entry, extra, value) {
        if (strcmp(extra, keys[0]) != 0 && strcmp(extra, keys[1]) != 0 &&
            strcmp(extra, keys[2]) != 0)
            return refuse(path, name, "the entry", entry, "dtype, shape and data_offsets alone");
    }
    TRY(read_dtype(&p->what, json_object_get(entry, keys[0]), path));
    TRY(read_shape(&p->what, json_object_get(entry, keys[1]), path));
    return read_offsets(p, json_object_get(entry, keys[2]), data, data_bytes, path);
}

static status check_metadata(const json_t *metadata, const char *path)
{
    const char *key;
    json_t     *value;
    char        shown[JSONTEXT_SHOWN];
    if (metadata && !json_is_object(metadata))
        return status_fail(DID_EFORMAT, "%s: __metadata__ is %s, expected an object", path,
                           jsontext_show(shown, metadata));
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value))
            return status_fail(DID_EFORMAT, "%s: __metadata__ holds %s, expected text alone", path,
                               jsontext_show(shown, value));
    }
    return DID_OK;
}

static int by_place(const void *left, const void *right)
{
    const place *a = left, *b = right;
    int64_t a_end = a->first + tensor_bytes(&a->what), b_end = b->first + tensor_bytes(&b->what);
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return (a_end > b_end) - (a_end < b_end);
}

/* The tensors lie side by side from the first byte of the data to the last. */
static status check_places(const safetensors *f, int64_t data, int64_t data_bytes)
{
    int64_t at = data;
    for (int i = 0; i < f->n; i++) {
        const place *p = &f->at[i];
        if (p->first < at)
            return status_fail(DID_EFORMAT,
                               "%s: tensor %s: begins at byte %" PRId64 " of the data, expected "
                               "%" PRId64 ": it overlaps %s",
                               f->path, p->what.name, p->first - data, at - data, p[-1].what.name);
        if (p->first > at)
            return status_fail(DID_EFORMAT,
                               "%s: tensor %s: begins at byte %" PRId64 " of the data, expected "
                               "%" PRId64 ": a hole before it",
                               f->path, p->what.name, p->first - data, at - data);
        at = p->first + tensor_bytes(&p->what);
    }
    if (at - data != data_bytes)
        return status_fail(DID_EFORMAT,
                           "%s: tensor %s: the last one ends at byte %" PRId64 " of the data, "
                           "expected %" PRId64 ": bytes that belong to no tensor follow",
                           f->path, f->at[f->n - 1].what.name, at - data, data_bytes);
    return DID_OK;
}

static status read_entries(safetensors *f, const json_t *header, int64_t data, int64_t data_bytes)
{
    static const char metadata[] = "__metadata__";
    const json_t *about = json_object_get(header, metadata);
    TRY(check_metadata(about, f->path));
    size_t count = json_object_size(header) - (about != NULL);
    if (count == 0)
        return status_fail(DID_EFORMAT, "%s: holds no tensor, expected at least one", f->path);
    assert(count <= INT_MAX);  /* at ten bytes and more each, in a header of bounded size */
    f->at = calloc(count, sizeof *f->at);
    if (!f->at) return no_memory(f->path);

    const char *key;
    json_t     *entry;
    json_object_foreach((json_t *)header, key, entry) {
        if (strcmp(key, metadata) == 0) continue;
        place *p = &f->at[f->n++];
        p->file = f;
        TRY(read_entry(p, key, entry, data, data_bytes, f->path));
    }
    qsort(f->at, count, sizeof *f->at, by_place);
    return check_places(f, data, data_bytes);
}

/* How long the header is, checked against the file before anybody makes room for it. */
static status read_length(const safetensors *f, int64_t file_bytes, int64_t *header_bytes)
{
    uint64_t claimed;
    if (file_bytes < LENGTH_BYTES)
        return status_fail(DID_EFORMAT,
                           "%s: has %" PRId64 " bytes, expected at least %d for the length of the "
                           "header",
                           f->path, file_bytes, LENGTH_BYTES);
    TRY(read_exactly(f, 0, &claimed, sizeof claimed));
    if (claimed > HEADER_BYTES_MAX)
        return status_fail(DID_EFORMAT,
                           "%s: claims a header of %" PRIu64 " bytes, expected at most %d",
                           f->path, claimed, HEADER_BYTES_MAX);
    if (claimed == 0)
        return status_fail(DID_EFORMAT, "%s: has an empty header, expected '{'", f->path);
    if ((int64_t)claimed > file_bytes - LENGTH_BYTES)
        return status_fail(DID_EFORMAT,
                           "%s: claims a header of %" PRIu64 " bytes, expected at most the %" PRId64
                           " that follow: it was cut short",
                           f->path, claimed, file_bytes - LENGTH_BYTES);
    *header_bytes = (int64_t)claimed;
    return DID_OK;
}

static status read_header(safetensors *f, int64_t file_bytes)
{
    int64_t bytes = 0;
    TRY(read_length(f, file_bytes, &bytes));
    char *text = malloc((size_t)bytes);
    if (!text) return no_memory(f->path);

    json_t *header = NULL;
    int64_t data = LENGTH_BYTES + bytes;
    status  all = read_exactly(f, LENGTH_BYTES, text, (size_t)bytes);
    if (all == DID_OK && text[0] != '{')
        all = status_fail(DID_EFORMAT, "%s: the header begins with byte 0x%02x, expected '{'",
                          f->path, (unsigned char)text[0]);
    if (all == DID_OK) all = jsontext_parse(&header, text, (size_t)bytes, f->path);
    free(text);
    if (all == DID_OK) all = read_entries(f, header, data, file_bytes - data);
    json_decref(header);
    return all;
}

static status open_file(safetensors *f)
{
    struct stat file;
    /* Without O_NONBLOCK a pipe of that name would wait for a writer. */
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &file) != 0)
        return status_fail(DID_EIO, "%s: cannot open: %s", f->path, strerror(errno));
    if (!S_ISREG(file.st_mode)) return status_fail(DID_EIO, "%s: is not a regular file", f->path);
    return read_header(f, file.st_size);
}

status safetensors_open(safetensors *f, const char *path)
{
    *f = (safetensors){.fd = -1, .path = strdup(path)};
    if (!f->path) return no_memory(path);
    status all = open_file(f);
    if (all != DID_OK) safetensors_close(f);
    return all;
}

status safetensors_open_bytes(safetensors *f, const void *bytes, size_t size, const char *where)
{
    *f = (safetensors){.fd = -1, .bytes = bytes, .path = strdup(where)};
    if (!f->path) return no_memory(where);
    status all = read_header(f, (int64_t)size);
    if (all != DID_OK) safetensors_close(f);
    return all;
}

void safetensors_close(safetensors *f)
{
    for (int i = 0; i < f->n; i++) free((char *)f->at[i].what.name);
    free(f->at);
    if (f->path && f->fd >= 0) close(f->fd);
    free(f->path);
    *f = (safetensors){.fd = -1};
}

status safetensors_read(const place *p, int64_t skip, void *out, size_t bytes)
{
    assert(skip >= 0 && skip + (int64_t)bytes <= tensor_bytes(&p->what));
    status all = read_exactly(p->file, p->first + skip, out, bytes);
    return all == DID_OK ? DID_OK : status_at(all, "tensor %s", p->what.name);
}
