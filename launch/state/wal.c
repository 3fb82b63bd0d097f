#include "wal.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 32, FRAME = 24, PAGE_MIN = 512, PAGE_MAX = 65536 };
static const uint32_t MAGIC = 0x377f0682, FORMAT = 3007000;

typedef struct sums {
    uint32_t a, b;
} sums;

static uint32_t big(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* The log's checksum, over words in the byte order that its magic number names. */
static sums sum_on(sums s, const unsigned char *p, size_t size, bool big_endian)
{
    for (size_t i = 0; i < size; i += 8) {
        s.a += (big_endian ? big(p + i) : little(p + i)) + s.b;
        s.b += (big_endian ? big(p + i + 4) : little(p + i + 4)) + s.a;
    }
    return s;
}

static bool sums_are(sums s, const unsigned char *p)
{
    return s.a == big(p) && s.b == big(p + 4);
}

/* Walk over the frames behind a sound header. */
static status walk(wal_report *r, FILE *file, const unsigned char *header)
{
    size_t         page = big(header + 8), got;
    bool           order = big(header) & 1, sound = true;
    sums           s = sum_on((sums){0, 0}, header, 24, order);
    unsigned char *frame = malloc(FRAME + page);
    if (!frame) return status_fail(DID_ENOMEM, "no memory for a page of %zu bytes", page);
    while ((got = fread(frame, 1, FRAME + page, file)) == FRAME + page) {
        bool ours = memcmp(frame + 8, header + 16, 8) == 0, commit = big(frame + 4) != 0;
        if (sound) {
            s = sum_on(sum_on(s, frame, 8, order), frame + FRAME, page, order);
            sound = ours && big(frame) != 0 && sums_are(s, frame + 16);
            if (!sound) r->cut = ours;
            else r->frames++, r->commits += commit;
        } else if (ours) {
            r->after++;
            r->lost += commit;
        }
    }
    r->cut = r->cut || (got > 0 && sound);
    free(frame);
    return DID_OK;
}

static bool header_is_sound(const unsigned char *h)
{
    uint32_t page = big(h + 8);
    return (big(h) & ~1u) == MAGIC && big(h + 4) == FORMAT && page >= PAGE_MIN &&
           page <= PAGE_MAX && (page & (page - 1)) == 0 &&
           sums_are(sum_on((sums){0, 0}, h, 24, big(h) & 1), h + 24);
}

status wal_examine(wal_report *out, const char *path)
{
    char          name[4096];
    unsigned char header[HEADER];
    *out = (wal_report){0};
    snprintf(name, sizeof name, "%s-wal", path);
    FILE *file = fopen(name, "r");
    if (!file && errno == ENOENT) return DID_OK;
    if (!file) return status_fail(DID_EIO, "cannot read %s: %s", name, strerror(errno));
    size_t got = fread(header, 1, HEADER, file);
    out->there = got > 0;
    out->header = got == HEADER && header_is_sound(header);
    status s = out->header ? walk(out, file, header) : DID_OK;
    /* Nothing follows the header of a log that was cut short while it was begun. */
    if (!out->header && got == HEADER && fgetc(file) == EOF) out->cut = true;
    if (!out->header && got < HEADER) out->cut = true;
    if (s == DID_OK && ferror(file))
        s = status_fail(DID_EIO, "cannot read %s: %s", name, strerror(errno));
    fclose(file);
    return s;
}

bool wal_damaged(const wal_report *r)
{
    return r->there && ((!r->header && !r->cut) || r->lost > 0);
}

const char *wal_describe(const wal_report *r, char sentence[WAL_SENTENCE])
{
    if (!r->there) snprintf(sentence, WAL_SENTENCE, "there is no write-ahead log");
    else if (!r->header && !r->cut)
        snprintf(sentence, WAL_SENTENCE,
                 "the header of the write-ahead log is damaged: nothing of the log is used, the "
                 "state is an earlier one");
    else if (r->lost > 0)
        snprintf(sentence, WAL_SENTENCE,
                 "the write-ahead log is damaged at frame %ld: the %ld frames after it, with %ld "
                 "commits, are not used, the state is an earlier one",
                 r->frames + 1, r->after, r->lost);
    else
        snprintf(sentence, WAL_SENTENCE, "the write-ahead log holds %ld commits in %ld frames%s",
                 r->commits, r->frames, r->cut ? "; a last one was cut short and counts for nothing"
                                               : "");
    return sentence;
}
