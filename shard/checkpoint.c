#include "checkpoint.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "safetensors.h"
#include "weightmap.h"

/* A system call costs about as much as copying WASTE_BYTES_MAX that nobody asked for. */
enum { SCRATCH_BYTES = 64 << 10, WASTE_BYTES_MAX = 4096 };

struct checkpoint {
    int          n_files;
    safetensors *file;  /* [n_files], each checked whole */
    int          n;
    place       *at;    /* [n] of all files, by name */
};

static status no_memory(const char *where)
{
    return status_fail(DID_ENOMEM, "%s: out of memory while opening", where);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const place *)left)->what.name, ((const place *)right)->what.name);
}

/* All tensors of all files in one list by name; a name is there once. */
static status gather(checkpoint *c)
{
    int64_t total = 0;
    for (int i = 0; i < c->n_files; i++) total += c->file[i].n;
    if (total > INT_MAX)
        return status_fail(DID_EFORMAT,
                           "%s: found %" PRId64 " tensors in all files, expected at most %d",
                           c->file[0].path, total, INT_MAX);
    c->at = malloc((size_t)total * sizeof *c->at);
    if (!c->at) return no_memory(c->file[0].path);
    for (int i = 0; i < c->n_files; i++) {
        memcpy(c->at + c->n, c->file[i].at, (size_t)c->file[i].n * sizeof *c->at);
        c->n += c->file[i].n;
    }
    qsort(c->at, (size_t)c->n, sizeof *c->at, by_name);

    for (int i = 1; i < c->n; i++) {
        const place *a = &c->at[i - 1], *b = &c->at[i];
        if (strcmp(a->what.name, b->what.name) == 0)
            return status_fail(DID_EFORMAT,
                               "%s: tensor %s: found also in %s (\"_orig_mod.\" not counted), "
                               "expected once",
                               b->file->path, b->what.name, a->file->path);
    }
    return DID_OK;
}

static status join(char **path, const char *dir, const char *name)
{
    if (asprintf(path, "%s/%s", dir, name) >= 0) return DID_OK;
    *path = NULL;
    return no_memory(dir);
}

/* The files `name[n]` of a directory; without one, the names are whole paths. */
static status open_files(checkpoint *c, const char *dir, const char *const *name, int n)
{
    c->file = calloc((size_t)n, sizeof *c->file);
    if (!c->file) return no_memory(dir ? dir : name[0]);
    while (c->n_files < n) {
        char *path = NULL;
        if (dir) TRY(join(&path, dir, name[c->n_files]));
        status opened = safetensors_open(&c->file[c->n_files], path ? path : name[c->n_files]);
        free(path);
        if (opened != DID_OK) return opened;
        c->n_files++;
    }
    return gather(c);
}

/* The index and the files say the same. Both are in order of the names. */
static status check_index(const checkpoint *c, const weightmap *m, const char *path)
{
    for (int i = 0, k = 0; i < c->n || k < m->n; i++, k++) {
        const place  *p = i < c->n ? &c->at[i] : NULL;
        const mapped *e = k < m->n ? &m->at[k] : NULL;
        int order = !p ? 1 : !e ? -1 : strcmp(p->what.name, e->name);
        if (order < 0)
            return status_fail(DID_EFORMAT, "%s: tensor %s: found in the file, expected also in %s",
                               p->file->path, p->what.name, path);
        if (order > 0)
            return status_fail(DID_EFORMAT, "%s: tensor %s: expected in %s, found in no file", path,
                               e->name, e->file);
        const char *file = strrchr(p->file->path, '/') + 1;
        if (strcmp(file, e->file) != 0)
            return status_fail(DID_EFORMAT, "%s: tensor %s: expected in %s, found in %s", path,
                               e->name, e->file, file);
    }
    return DID_OK;
}

static status open_index(checkpoint *c, const char *dir, const char *path)
{
    weightmap m;
    TRY(weightmap_read(&m, path));
    status all = open_files(c, dir, m.file, m.n_files);
    if (all == DID_OK) all = check_index(c, &m, path);
    weightmap_clear(&m);
    return all;
}

/* Broken links count: opening them says what is wrong. */
static bool is_there(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 || errno != ENOENT;
}

static status open_directory(checkpoint *c, const char *dir)
{
    static const char *const single = "model.safetensors", *const index = "model.safetensors."
                                                                          "index.json";
    char  *one, *many = NULL;
    status all = join(&one, dir, single);
    if (all == DID_OK) all = join(&many, dir, index);
    if (all == DID_OK) {
        if (is_there(one)) all = open_files(c, dir, &single, 1);
        else if (is_there(many)) all = open_index(c, dir, many);
        else all = status_fail(DID_EIO, "%s: found neither %s nor %s", dir, single, index);
    }
    free(one);
    free(many);
    return all;
}

static status create(checkpoint **out, const char *where)
{
    *out = calloc(1, sizeof **out);
    return *out ? DID_OK : no_memory(where);
}

status checkpoint_open(checkpoint **out, const char *dir)
{
    TRY(create(out, dir));
    status all = open_directory(*out, dir);
    if (all != DID_OK) checkpoint_close(out);
    return all;
}

status checkpoint_open_file(checkpoint **out, const char *path)
{
    TRY(create(out, path));
    status all = open_files(*out, NULL, &path, 1);
    if (all != DID_OK) checkpoint_close(out);
    return all;
}

void checkpoint_close(checkpoint **c)
{
    if (!*c) return;
    for (int i = 0; i < (*c)->n_files; i++) safetensors_close(&(*c)->file[i]);
    free((*c)->file);
    free((*c)->at);
    free(*c);
    *c = NULL;
}

int checkpoint_count(const checkpoint *c)
{
    return c->n;
}

const tensor *checkpoint_tensor(const checkpoint *c, int i)
{
    assert(i >= 0 && i < c->n);
    return &c->at[i].what;
}

const tensor *checkpoint_find(const checkpoint *c, const char *name)
{
    const place  key = {.what.name = name};
    const place *found = bsearch(&key, c->at, (size_t)c->n, sizeof *c->at, by_name);
    return found ? &found->what : NULL;
}

static const place *place_of(const checkpoint *c, const tensor *t)
{
    const place *p = (const place *)t;
    assert(p >= c->at && p < c->at + c->n);
    (void)c;
    return p;
}

/* `n` elements that lie side by side. Narrow ones are read into the end of `out` and widened upward
 * from there, which needs no second buffer. */
static status read_run(const place *p, int64_t skip, float *out, size_t n)
{
    size_t bytes = n * tensor_dtype_width(p->what.type);
    char  *raw = (char *)(out + n) - bytes;
    TRY(safetensors_read(p, skip, raw, bytes));
    if (p->what.type != DTYPE_F32) tensor_widen(out, raw, p->what.type, n);
    return DID_OK;
}

/* Columns whose rows lie `pitch` bytes apart: several whole rows at a time, and pick. */
static status read_picked(const place *p, int64_t skip, size_t pitch, int64_t rows, size_t cols,
                          float *out)
{
    unsigned char scratch[SCRATCH_BYTES];
    size_t  take = cols * tensor_dtype_width(p->what.type);
    int64_t rows_max = 1 + (int64_t)((sizeof scratch - take) / pitch);
    for (int64_t done = 0; done < rows;) {
        int64_t count = rows - done < rows_max ? rows - done : rows_max;
        TRY(safetensors_read(p, skip + done * (int64_t)pitch, scratch,
                             (size_t)(count - 1) * pitch + take));
        for (int64_t r = 0; r < count; r++, done++)
            tensor_widen(out + (size_t)done * cols, scratch + (size_t)r * pitch, p->what.type,
                         cols);
    }
    return DID_OK;
}

status checkpoint_read(const checkpoint *c, const tensor *t, int64_t row0, int64_t rows,
                       int64_t col0, int64_t cols, float *out)
{
    const place *p = place_of(c, t);
    int64_t      all_cols = tensor_cols(t);
    assert(row0 >= 0 && rows >= 0 && rows <= tensor_rows(t) - row0);
    assert(col0 >= 0 && cols >= 0 && cols <= all_cols - col0);
    if (!tensor_dtype_widens(t->type))
        return status_fail(DID_EFORMAT, "%s: tensor %s: its type is %s, expected F32, BF16 or F16",
                           p->file->path, t->name, tensor_dtype_name(t->type));
    if (rows == 0 || cols == 0) return DID_OK;

    int64_t width = (int64_t)tensor_dtype_width(t->type);
    int64_t pitch = all_cols * width, skip = row0 * pitch + col0 * width;
    if (cols == all_cols) return read_run(p, skip, out, (size_t)(rows * cols));
    if ((all_cols - cols) * width <= WASTE_BYTES_MAX && 4 * pitch <= SCRATCH_BYTES)
        return read_picked(p, skip, (size_t)pitch, rows, (size_t)cols, out);
    for (int64_t r = 0; r < rows; r++)
        TRY(read_run(p, skip + r * pitch, out + (size_t)(r * cols), (size_t)cols));
    return DID_OK;
}

status checkpoint_read_raw(const checkpoint *c, const tensor *t, void *out, size_t bytes)
{
    const place *p = place_of(c, t);
    if ((size_t)tensor_bytes(t) != bytes)
        return status_fail(DID_EFORMAT, "%s: tensor %s: found %" PRId64 " bytes, expected %zu",
                           p->file->path, t->name, tensor_bytes(t), bytes);
    return safetensors_read(p, 0, out, bytes);
}

/* Each word changes the whole of the hash in a way that can be undone: two models that differ in
 * one word never meet, and others meet by chance alone. A last part of a word is filled with
 * zeros. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, at + done, size - done < sizeof word ? size - done : sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return h;
}

static uint64_t hash_number(uint64_t h, int64_t number)
{
    return hash_bytes(h, &number, sizeof number);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
    size_t len = strlen(text);
    return hash_bytes(hash_number(h, (int64_t)len), text, len);
}

static status hash_tensor(uint64_t *h, const place *p, void *buffer, int64_t buffer_bytes)
{
    const tensor *t = &p->what;
    *h = hash_text(*h, t->name);
    *h = hash_text(*h, tensor_dtype_name(t->type));
    *h = hash_number(*h, t->n_dims);
    for (int i = 0; i < t->n_dims; i++) *h = hash_number(*h, t->dim[i]);
    for (int64_t done = 0, all = tensor_bytes(t); done < all;) {
        int64_t take = all - done < buffer_bytes ? all - done : buffer_bytes;
        TRY(safetensors_read(p, done, buffer, (size_t)take));
        *h = hash_bytes(*h, buffer, (size_t)take);
        done += take;
    }
    return DID_OK;
}

status checkpoint_hash(const checkpoint *c, uint64_t *hash)
{
    enum { BUFFER = 1 << 20 };  /* whole words, so that the cut leaves no trace */
    void *buffer = malloc(BUFFER);
    if (!buffer) return status_fail(DID_ENOMEM, "%s: cannot get %d bytes", c->file[0].path, BUFFER);
    uint64_t h = 0;
    status   all = DID_OK;
    for (int i = 0; i < c->n && all == DID_OK; i++)
        all = hash_tensor(&h, &c->at[i], buffer, BUFFER);
    free(buffer);
    if (all == DID_OK) *hash = h;
    return all;
}
