#include "tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "lexicon.h"
#include "utf8.h"

/* GPT-2's pattern. What it calls \s is Unicode's White_Space, spelt out here because PCRE2's own \s
 * also takes U+180E, which is a format character. */
#define SPACE "\\t-\\r\\x{85}\\p{Z}"
#define PATTERN                                       \
    "'s|'t|'re|'ve|'m|'ll|'d"                         \
    "| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE "\\p{L}\\p{N}]+" \
    "|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+"

struct tokenizer {
    lexicon     lexicon;
    pcre2_code *pattern;
    bool        starts[256]; /* some added token starts with this byte */
};

/* One text on its way to ids. */
typedef struct encoding {
    const tokenizer  *t;
    pcre2_match_data *match;
    bpe_scratch       scratch;
    int32_t          *ids; /* as many as bytes: no piece is empty */
    int               n;
} encoding;

static status compile(pcre2_code **pattern)
{
    PCRE2_UCHAR why[128];
    PCRE2_SIZE  at = 0;
    int         error = 0;
    *pattern = pcre2_compile((PCRE2_SPTR)PATTERN, PCRE2_ZERO_TERMINATED,
                             PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &at, NULL);
    if (!*pattern) {
        pcre2_get_error_message(error, why, sizeof why);
        return status_fail(DID_ENOMEM, "PCRE2 does not compile the word pattern: %s", (char *)why);
    }
    /* Where there is no JIT the interpreter finds the same words. */
    (void)pcre2_jit_compile(*pattern, PCRE2_JIT_COMPLETE);
    return DID_OK;
}

status tokenizer_open(tokenizer **out, const char *dir)
{
    *out = NULL;
    tokenizer *t = calloc(1, sizeof *t);
    if (!t) return status_fail(DID_ENOMEM, "out of memory for a tokenizer");
    status s = lexicon_read(&t->lexicon, dir);
    if (s == DID_OK) s = compile(&t->pattern);
    if (s != DID_OK) {
        tokenizer_close(&t);
        return s;
    }
    const lexicon *l = &t->lexicon;
    for (int i = 0; i < l->n_added; i++)
        t->starts[(unsigned char)*pieces_bytes(&l->pieces, l->added[i])] = true;
    *out = t;
    return DID_OK;
}

void tokenizer_close(tokenizer **t)
{
    if (!*t) return;
    lexicon_clear(&(*t)->lexicon);
    pcre2_code_free((*t)->pattern);
    free(*t);
    *t = NULL;
}

int tokenizer_vocab(const tokenizer *t)
{
    return t->lexicon.pieces.count;
}

int tokenizer_end_id(const tokenizer *t)
{
    return t->lexicon.end_id;
}

/* Words, then bytes, then merges. */
static status encode_text(encoding *e, const char *text, size_t size)
{
    const lexicon *l = &e->t->lexicon;
    for (size_t at = 0; at < size;) {
        /* The text was checked once; to have PCRE2 check it for each word would be quadratic. */
        int rc = pcre2_match(e->t->pattern, (PCRE2_SPTR)text, size, at, PCRE2_NO_UTF_CHECK,
                             e->match, NULL);
        if (rc < 0)
            return status_fail(DID_ENOMEM, "PCRE2 gave up on the word at byte %zu (error %d)", at,
                               rc);
        size_t end = pcre2_get_ovector_pointer(e->match)[1];
        assert(end > at && end <= size);
        int32_t *ids = e->ids + e->n;
        int      n = 0;
        for (; at < end; at++) ids[n++] = l->byte_id[(unsigned char)text[at]];
        TRY(bpe_merge(&l->bpe, &e->scratch, ids, &n));
        e->n += n;
    }
    return DID_OK;
}

/* The longest added token at the front of the text; -1 when there is none. */
static int32_t added_at(const tokenizer *t, const char *text, size_t size, bool specials)
{
    const lexicon *l = &t->lexicon;
    if (!t->starts[(unsigned char)*text]) return -1;
    for (int i = 0; i < l->n_added; i++) {
        const piece *p = &l->pieces.piece[l->added[i]];
        if ((specials || p->kind != PIECE_SPECIAL) && p->len <= size &&
            memcmp(pieces_bytes(&l->pieces, l->added[i]), text, p->len) == 0)
            return l->added[i];
    }
    return -1;
}

static status encode(encoding *e, const char *text, size_t size, bool specials)
{
    size_t from = 0;
    for (size_t at = 0; at < size;) {
        int32_t id = added_at(e->t, text + at, size - at, specials);
        if (id < 0) {
            at++;
            continue;
        }
        TRY(encode_text(e, text + from, at - from));
        e->ids[e->n++] = id;
        at += e->t->lexicon.pieces.piece[id].len;
        from = at;
    }
    return from < size ? encode_text(e, text + from, size - from) : DID_OK;
}

status tokenizer_encode(const tokenizer *t, const char *text, size_t size, bool specials,
                        int32_t **ids, int *n)
{
    *ids = NULL;
    *n = 0;
    if (size >= INT32_MAX)
        return status_fail(DID_EINVAL, "a text of %zu bytes, expected fewer than %d", size,
                           INT32_MAX);
    size_t bad = utf8_check(text, size);
    if (bad < size)
        return status_fail(DID_EFORMAT, "the text is not UTF-8: found 0x%02X at byte offset %zu, "
                           "expected a whole character", (unsigned)(unsigned char)text[bad], bad);

    encoding e = {.t = t};
    e.ids = malloc((size + 1) * sizeof *e.ids);
    e.match = pcre2_match_data_create_from_pattern(t->pattern, NULL);
    status s = e.ids && e.match
                   ? encode(&e, text, size, specials)
                   : status_fail(DID_ENOMEM, "out of memory for a text of %zu bytes", size);
    pcre2_match_data_free(e.match);
    bpe_scratch_clear(&e.scratch);
    if (s != DID_OK) {
        free(e.ids);
        return s;
    }
    int32_t *fitting = realloc(e.ids, ((size_t)e.n + 1) * sizeof *e.ids);
    *ids = fitting ? fitting : e.ids;
    *n = e.n;
    return DID_OK;
}

/* What an id is written as, and how long that is. */
static const char *written(const tokenizer *t, int32_t id, bool specials, size_t *len)
{
    const pieces *p = &t->lexicon.pieces;
    if (id < 0 || id >= p->count || p->piece[id].kind == PIECE_NONE) {
        *len = strlen(UTF8_REPLACEMENT);
        return UTF8_REPLACEMENT;
    }
    *len = p->piece[id].kind == PIECE_SPECIAL && !specials ? 0 : p->piece[id].len;
    return pieces_bytes(p, id);
}

status tokenizer_decode(const tokenizer *t, const int32_t *ids, int n, bool specials, char **text,
                        size_t *size)
{
    size_t len = 0, total = 0;
    *text = NULL;
    for (int i = 0; i < n; i++) {
        written(t, ids[i], specials, &len);
        total += len;
    }
    char *end = *text = malloc(total + 1);
    if (!end) return status_fail(DID_ENOMEM, "out of memory for a text of %zu bytes", total);
    for (int i = 0; i < n; i++) {
        const char *bytes = written(t, ids[i], specials, &len);
        memcpy(end, bytes, len);
        end += len;
    }
    *end = '\0';
    if (size) *size = total;
    return DID_OK;
}

status tokenizer_repair(const char *text, size_t size, char **out, size_t *out_size)
{
    /* At worst every byte becomes the three of U+FFFD. */
    bool   whole = true;
    char  *end = *out = malloc(3 * size + 1);
    if (!end) return status_fail(DID_ENOMEM, "out of memory for a text of %zu bytes", size);
    for (size_t at = 0, step; at < size; at += step) {
        step = utf8_step(text + at, size - at, &whole);
        size_t len = whole ? step : strlen(UTF8_REPLACEMENT);
        memcpy(end, whole ? text + at : UTF8_REPLACEMENT, len);
        end += len;
    }
    *end = '\0';
    if (out_size) *out_size = (size_t)(end - *out);
    char *fitting = realloc(*out, (size_t)(end - *out) + 1);
    if (fitting) *out = fitting;
    return DID_OK;
}
