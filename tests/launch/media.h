/* media.h - files that are cut at every class of length and have bits flipped in every region,
 * one at a time; each damage is tried and judged by the test. */
#ifndef DID_TESTS_MEDIA_H
#define DID_TESTS_MEDIA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "sample.h"

enum { MEDIA_FILES = 3, MEDIA_FLIPS = 60 /* in each file */ };

typedef struct media_bytes {
    char  *data;
    size_t size;
} media_bytes;

typedef struct media media;
struct media {
    const char   *path[MEDIA_FILES]; /* NULL: fewer */
    audit_subject of;                /* what is examined after each damage */
    media_bytes   sound[MEDIA_FILES];
    const void   *subject;
    void (*start)(media *m, audit_weight weight); /* a start, after what the audit found */
    char what[120];                               /* was done to them */
    int  refused, whole, again;
};

static inline media_bytes media_take(const char *path)
{
    media_bytes b = {NULL, 0};
    struct stat st;
    FILE       *file = path ? fopen(path, "r") : NULL;
    if (!file) return b;
    assert_int_equal(fstat(fileno(file), &st), 0);
    b.size = (size_t)st.st_size;
    b.data = malloc(b.size + 1);
    assert_int_equal(fread(b.data, 1, b.size, file), b.size);
    fclose(file);
    return b;
}

static inline void media_put(const char *path, const media_bytes *b)
{
    if (!path) return;
    if (!b->data) {
        unlink(path);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(b->data, 1, b->size, file), b->size);
    assert_int_equal(fclose(file), 0);
}

/* The files as they are now are the sound ones. */
static inline void media_begin(media *m)
{
    for (int i = 0; i < MEDIA_FILES; i++) m->sound[i] = media_take(m->path[i]);
}

static inline void media_end(media *m)
{
    print_message("%d refused, %d as before, %d from an earlier state\n", m->refused, m->whole,
                  m->again);
    for (int i = 0; i < MEDIA_FILES; i++) free(m->sound[i].data);
}

static inline void media_try(media *m, int file, const media_bytes *damaged)
{
    audit a;
    for (int i = 0; i < MEDIA_FILES; i++) media_put(m->path[i], i == file ? damaged : &m->sound[i]);
    if (audit_open(&a, &m->of) != DID_OK) fail_msg("%s: %s", m->what, status_message());
    audit_weight weight = a.weight;
    audit_close(&a);
    m->start(m, weight);
}

/* The start was refused, and the audit must have said so. */
static inline void media_refused(media *m, status s, audit_weight weight)
{
    m->refused++;
    if (s != DID_EINVAL && s != DID_EFORMAT) fail_msg("%s: %s", m->what, status_message());
    if (weight != AUDIT_BAD)
        fail_msg("%s: refused, but audit found no reason: %s", m->what, status_message());
    assert_true(strlen(status_message()) > 20);
}

static inline void media_is_sound(const media *m)
{
    audit a;
    assert_int_equal(audit_open(&a, &m->of), DID_OK);
    if (a.weight != AUDIT_SOUND)
        fail_msg("%s: not sound afterwards: %s", m->what, a.finding[0].sentence);
    audit_close(&a);
}

/* The borders of headers, frames and pages, one byte around each, and some lengths between. */
static inline int media_lengths(size_t size, size_t out[200])
{
    static const size_t borders[] = {0, 16, 24, 32, 56, 100, 512, 1024, 4096, 4152, 8192, 8304};
    uint64_t            seed = size;
    int                 n = 0;
    for (size_t i = 0; i < sizeof borders / sizeof borders[0]; i++)
        for (size_t j = 0; j < 3; j++)
            if (borders[i] + j > 0 && borders[i] + j - 1 < size) out[n++] = borders[i] + j - 1;
    for (int i = 0; i < 20; i++) out[n++] = (size_t)(sample_next(&seed) % size);
    for (size_t i = 1; i <= 8; i++)
        if (i < size) out[n++] = size - i;
    return n;
}

static inline void media_cut(media *m)
{
    for (int file = 0; file < MEDIA_FILES; file++) {
        size_t at[200], size = m->sound[file].size;
        int    n = size ? media_lengths(size, at) : 0;
        for (int i = 0; i < n; i++) {
            media_bytes shorter = {m->sound[file].data, at[i]};
            snprintf(m->what, sizeof m->what, "file %d cut to %zu of %zu", file, at[i], size);
            media_try(m, file, &shorter);
        }
    }
}

static inline void media_flip(media *m, uint64_t seed)
{
    for (int file = 0; file < MEDIA_FILES; file++) {
        media_bytes *b = &m->sound[file];
        for (int i = 0; i < MEDIA_FLIPS && b->size > 0; i++) {
            size_t region = b->size / MEDIA_FLIPS;
            size_t at = (size_t)i * region + (size_t)(sample_next(&seed) % (region ? region : 1));
            media_bytes changed = {malloc(b->size), b->size};
            memcpy(changed.data, b->data, b->size);
            changed.data[at] = (char)(b->data[at] ^ 1 << sample_below(&seed, 8));
            snprintf(m->what, sizeof m->what, "file %d: a bit of byte %zu of %zu", file, at,
                     b->size);
            media_try(m, file, &changed);
            free(changed.data);
        }
    }
}

#endif
