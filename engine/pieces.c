#include "pieces.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

status pieces_init(pieces *p, int count, size_t n_indexed, size_t size)
{
    size_t slots = 16;
    assert(count >= 0 && count <= PIECE_IDS_MAX && size <= UINT32_MAX);
    while (slots < 2 * n_indexed) slots *= 2;
    *p = (pieces){.count = count, .size = size, .mask = (uint32_t)(slots - 1)};
    p->piece = calloc((size_t)count + 1, sizeof *p->piece);
    p->pool = malloc(size + 1);
    p->slot = malloc(slots * sizeof *p->slot);
    if (!p->piece || !p->pool || !p->slot) {
        pieces_clear(p);
        return status_fail(DID_ENOMEM, "out of memory for %d pieces", count);
    }
    memset(p->slot, -1, slots * sizeof *p->slot);
    return DID_OK;
}

void pieces_clear(pieces *p)
{
    free(p->piece);
    free(p->pool);
    free(p->slot);
    *p = (pieces){0};
}

const char *pieces_bytes(const pieces *p, int32_t id)
{
    return p->pool + p->piece[id].at;
}

status pieces_add(pieces *p, int32_t id, piece_kind kind, const char *bytes, size_t len)
{
    char here[64], there[64];
    assert(id >= 0 && id < p->count && kind != PIECE_NONE);
    piece *q = &p->piece[id];
    if (len == 0 || len > PIECE_BYTES_MAX)
        return status_fail(DID_EFORMAT, "the piece with id %d has %zu bytes, expected 1 to %d", id,
                           len, PIECE_BYTES_MAX);
    if (q->kind != PIECE_NONE)
        return status_fail(DID_EFORMAT, "id %d is given to '%s' and to '%s', expected one piece",
                           id, utf8_quote(there, sizeof there, pieces_bytes(p, id), q->len),
                           utf8_quote(here, sizeof here, bytes, len));
    assert(p->used + len <= p->size);
    memcpy(p->pool + p->used, bytes, len);
    *q = (piece){(uint32_t)p->used, (uint16_t)len, (uint8_t)kind};
    p->used += len;
    return DID_OK;
}

/* The slot that holds the piece with these bytes, or the free one where it belongs. */
static uint32_t find(const pieces *p, const char *bytes, size_t len)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    uint32_t i = (uint32_t)(hash ^ hash >> 32) & p->mask;
    for (;; i = (i + 1) & p->mask) {
        int32_t id = p->slot[i];
        if (id < 0) return i;
        if (p->piece[id].len == len && memcmp(pieces_bytes(p, id), bytes, len) == 0) return i;
    }
}

void pieces_index(pieces *p, int32_t id)
{
    uint32_t i = find(p, pieces_bytes(p, id), p->piece[id].len);
    assert(p->slot[i] < 0);
    p->slot[i] = id;
}

int32_t pieces_find(const pieces *p, const char *bytes, size_t len)
{
    return p->slot[find(p, bytes, len)];
}

status pieces_check(const pieces *p, int32_t byte_id[256])
{
    int  top = p->count - 1;
    char quoted[64];
    while (top >= 0 && p->piece[top].kind != PIECE_TEXT) top--;
    for (int id = 0; id < top; id++)
        if (p->piece[id].kind == PIECE_NONE)
            return status_fail(DID_EFORMAT,
                               "no piece has id %d although '%s' has id %d, expected a gap only "
                               "in front of added tokens", id,
                               utf8_quote(quoted, sizeof quoted, pieces_bytes(p, top),
                                          p->piece[top].len), top);
    for (int b = 0; b < 256; b++) {
        char byte = (char)b;
        byte_id[b] = pieces_find(p, &byte, 1);
        if (byte_id[b] < 0)
            return status_fail(DID_EFORMAT, "the vocabulary has no piece for the byte 0x%02X, "
                               "expected one for each of the 256", (unsigned)b);
    }
    return DID_OK;
}

void pieces_seal(pieces *p)
{
    char *pool = realloc(p->pool, p->used + 1);
    if (pool) p->pool = pool;
    p->size = p->used;
    free(p->slot);
    p->slot = NULL;
}

/* Printable Latin-1 stands for itself ... */
static bool plain(unsigned byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD && byte <= 0xFF);
}

/* ... and the other 68 bytes are, in order, the characters from U+0100 on. */
static int byte_of(unsigned letter)
{
    if (letter < 0x100) return plain(letter) ? (int)letter : -1;
    if (letter <= 0x120) return (int)letter - 0x100;         /* 0x00 .. 0x20 */
    if (letter <= 0x142) return (int)letter - 0x121 + 0x7F;  /* 0x7F .. 0xA0 */
    return letter == 0x143 ? 0xAD : -1;
}

int pieces_spell(char *out, size_t cap, const char *letters, size_t len)
{
    size_t n = 0;
    bool   whole = true;
    for (size_t at = 0, step; at < len; at += step) {
        const unsigned char *s = (const unsigned char *)letters + at;
        step = utf8_step(letters + at, len - at, &whole);
        if (!whole || step > 2) return -1; /* all 256 letters lie below U+0800 */
        int byte = byte_of(step == 1 ? s[0] : (unsigned)(s[0] & 0x1F) << 6 | (s[1] & 0x3F));
        if (byte < 0 || n == cap) return -1;
        out[n++] = (char)byte;
    }
    return (int)n;
}
