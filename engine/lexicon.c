#include "lexicon.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "jsontext.h"
#include "utf8.h"

#define END "<|endoftext|>"

enum { PATH_BYTES_MAX = 4096 };

static status refuse(const char *what, const json_t *found, const char *expected)
{
    char shown[JSONTEXT_SHOWN];
    return status_fail(DID_EFORMAT, "%s is %s, expected %s", what, jsontext_show(shown, found),
                       expected);
}

static status take_id(const json_t *value, int32_t *id)
{
    char       shown[JSONTEXT_SHOWN];
    json_int_t found = json_integer_value(value);
    if (!json_is_integer(value) || found < 0 || found >= PIECE_IDS_MAX)
        return status_fail(DID_EFORMAT, "the id is %s, expected an integer from 0 to %d",
                           jsontext_show(shown, value), PIECE_IDS_MAX - 1);
    *id = (int32_t)found;
    return DID_OK;
}

/* One element of added_tokens. `vocab` may list it too, under the same id. */
static status take_added(lexicon *l, const json_t *token, const json_t *vocab)
{
    static const char *const strict[] = {"lstrip", "rstrip", "single_word"};
    char          quoted[64];
    int32_t       id = -1, listed_id = -1;
    const json_t *content = json_object_get(token, "content");
    if (!json_is_string(content)) return refuse("the content", content, "a string");
    TRY(take_id(json_object_get(token, "id"), &id));

    const char *bytes = json_string_value(content);
    size_t      len = json_string_length(content);
    utf8_quote(quoted, sizeof quoted, bytes, len);
    for (size_t i = 0; i < sizeof strict / sizeof *strict; i++)
        if (json_is_true(json_object_get(token, strict[i])))
            return status_fail(DID_EFORMAT, "'%s' has %s: true, expected false: it would change "
                               "the text around the token", quoted, strict[i]);
    const json_t *listed = json_object_get(vocab, bytes);
    if (listed) {
        TRY(take_id(listed, &listed_id));
        if (listed_id != id)
            return status_fail(DID_EFORMAT, "'%s' has id %d, but %d in the vocabulary, expected "
                               "the same", quoted, id, listed_id);
    }
    bool end = strcmp(bytes, END) == 0;
    bool special = end || json_is_true(json_object_get(token, "special"));
    TRY(pieces_add(&l->pieces, id, special ? PIECE_SPECIAL : PIECE_ADDED, bytes, len));
    l->added[l->n_added++] = id;
    if (end) l->end_id = id;
    return DID_OK;
}

/* One entry of the vocabulary. A piece that is an added token too spells itself as it stands; only
 * where that is also what its letters say can merges arrive at it. */
static status take_piece(lexicon *l, const char *key, const json_t *value)
{
    char    spelt[PIECE_BYTES_MAX], quoted[64];
    int32_t id = -1;
    size_t  len = strlen(key);
    int     n = pieces_spell(spelt, sizeof spelt, key, len);
    TRY(take_id(value, &id));

    const piece *q = &l->pieces.piece[id];
    if ((q->kind == PIECE_ADDED || q->kind == PIECE_SPECIAL) && q->len == len &&
        memcmp(pieces_bytes(&l->pieces, id), key, len) == 0) {
        if (q->kind == PIECE_ADDED && n == (int)len && memcmp(spelt, key, len) == 0)
            pieces_index(&l->pieces, id);
        return DID_OK;
    }
    if (strcmp(key, END) == 0) { /* special even where no list of added tokens says so */
        TRY(pieces_add(&l->pieces, id, PIECE_SPECIAL, key, len));
        l->added[l->n_added++] = id;
        l->end_id = id;
        return DID_OK;
    }
    if (n < 0)
        return status_fail(DID_EFORMAT, "'%s' has a character that stands for no byte, or more "
                           "than %d of them", utf8_quote(quoted, sizeof quoted, key, len),
                           PIECE_BYTES_MAX);
    TRY(pieces_add(&l->pieces, id, PIECE_TEXT, spelt, (size_t)n));
    pieces_index(&l->pieces, id);
    return DID_OK;
}

/* The longest first, and equal contents side by side. */
static int by_length(const void *a, const void *b, void *of)
{
    const pieces *p = of;
    int32_t       i = *(const int32_t *)a, j = *(const int32_t *)b;
    if (p->piece[i].len != p->piece[j].len) return p->piece[i].len < p->piece[j].len ? 1 : -1;
    return memcmp(pieces_bytes(p, i), pieces_bytes(p, j), p->piece[i].len);
}

static status sort_added(lexicon *l)
{
    char quoted[64];
    if (l->n_added == 0) return DID_OK;
    qsort_r(l->added, (size_t)l->n_added, sizeof *l->added, by_length, &l->pieces);
    for (int i = 1; i < l->n_added; i++)
        if (by_length(&l->added[i - 1], &l->added[i], &l->pieces) == 0)
            return status_fail(DID_EFORMAT, "the added token '%s' has ids %d and %d, expected one",
                               utf8_quote(quoted, sizeof quoted,
                                          pieces_bytes(&l->pieces, l->added[i]),
                                          l->pieces.piece[l->added[i]].len),
                               l->added[i - 1], l->added[i]);
    return DID_OK;
}

/* What there is room to be made for: the largest id plus one, and the bytes of all strings. */
typedef struct extent {
    int    count;
    size_t bytes;
} extent;

static status extend(extent *e, const json_t *value, size_t len)
{
    int32_t id = -1;
    TRY(take_id(value, &id));
    if (id >= e->count) e->count = id + 1;
    e->bytes += len;
    return DID_OK;
}

static status measure(extent *e, json_t *vocab, const json_t *added)
{
    const char *key;
    char        quoted[64];
    json_t     *value;
    size_t      i;
    *e = (extent){0};
    json_object_foreach(vocab, key, value) {
        status s = extend(e, value, strlen(key));
        if (s != DID_OK)
            return status_at(s, "vocabulary, '%s'",
                             utf8_quote(quoted, sizeof quoted, key, strlen(key)));
    }
    json_array_foreach(added, i, value) {
        size_t len = json_string_length(json_object_get(value, "content"));
        status s = extend(e, json_object_get(value, "id"), len);
        if (s != DID_OK) return status_at(s, "added_tokens[%zu]", i);
    }
    return DID_OK;
}

/* Pieces from a vocabulary and a list of added tokens (NULL: none). */
static status take_vocabulary(lexicon *l, json_t *vocab, const json_t *added)
{
    const char *key;
    json_t     *value;
    size_t      i;
    extent      e;
    TRY(measure(&e, vocab, added));
    TRY(pieces_init(&l->pieces, e.count, json_object_size(vocab), e.bytes));
    l->added = malloc((json_array_size(added) + 1) * sizeof *l->added);
    if (!l->added) return status_fail(DID_ENOMEM, "out of memory for the added tokens");

    json_array_foreach(added, i, value) {
        status s = take_added(l, value, vocab);
        if (s != DID_OK) return status_at(s, "added_tokens[%zu]", i);
    }
    json_object_foreach(vocab, key, value) {
        status s = take_piece(l, key, value);
        if (s != DID_OK) return status_at(s, "vocabulary");
    }
    TRY(pieces_check(&l->pieces, l->byte_id));
    return sort_added(l);
}

/* The merge of the next rank, of two pieces as letters. */
static status take_merge(lexicon *l, const char *left, size_t left_len, const char *right,
                         size_t right_len)
{
    char spelt[2 * PIECE_BYTES_MAX], quoted[64];
    int  a = pieces_spell(spelt, PIECE_BYTES_MAX, left, left_len);
    int  b = a < 0 ? -1 : pieces_spell(spelt + a, PIECE_BYTES_MAX, right, right_len);
    bpe_rule rule = {
        .left = a < 0 ? -1 : pieces_find(&l->pieces, spelt, (size_t)a),
        .right = b < 0 ? -1 : pieces_find(&l->pieces, spelt + a, (size_t)b),
        .whole = b < 0 ? -1 : pieces_find(&l->pieces, spelt, (size_t)(a + b)),
    };
    if (rule.left < 0)
        return status_fail(DID_EFORMAT, "'%s' is not in the vocabulary",
                           utf8_quote(quoted, sizeof quoted, left, left_len));
    if (rule.right < 0)
        return status_fail(DID_EFORMAT, "'%s' is not in the vocabulary",
                           utf8_quote(quoted, sizeof quoted, right, right_len));
    if (rule.whole < 0)
        return status_fail(DID_EFORMAT, "makes '%s', which is not in the vocabulary",
                           utf8_quote(quoted, sizeof quoted, spelt, (size_t)(a + b)));
    return bpe_add(&l->bpe, rule);
}

/* The same from one string "left right". */
static status take_merge_pair(lexicon *l, const char *pair, size_t len)
{
    char        quoted[64];
    const char *space = memchr(pair, ' ', len);
    if (!space)
        return status_fail(DID_EFORMAT, "found '%s', expected two pieces and a space between them",
                           utf8_quote(quoted, sizeof quoted, pair, len));
    return take_merge(l, pair, (size_t)(space - pair), space + 1,
                      len - (size_t)(space + 1 - pair));
}

static status take_merge_json(lexicon *l, const json_t *value)
{
    const json_t *left = json_array_get(value, 0), *right = json_array_get(value, 1);
    if (json_is_string(value))
        return take_merge_pair(l, json_string_value(value), json_string_length(value));
    if (json_array_size(value) == 2 && json_is_string(left) && json_is_string(right))
        return take_merge(l, json_string_value(left), json_string_length(left),
                          json_string_value(right), json_string_length(right));
    return refuse("it", value, "\"a b\" or [\"a\", \"b\"]");
}

static status begin_merges(lexicon *l, size_t n)
{
    if (n > PIECE_IDS_MAX)
        return status_fail(DID_EFORMAT, "has %zu merges, expected at most %d", n, PIECE_IDS_MAX);
    return bpe_init(&l->bpe, (int)n);
}

static status take_merges_json(lexicon *l, const json_t *merges)
{
    TRY(begin_merges(l, json_array_size(merges)));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        status s = take_merge_json(l, json_array_get(merges, i));
        if (s != DID_OK) return status_at(s, "merge %zu", i + 1);
    }
    return DID_OK;
}

typedef struct text {
    char  *bytes;
    size_t size;
} text;

static status text_read(text *t, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return status_fail(DID_EIO, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode)) return status_fail(DID_EIO, "found no regular file");
    if (st.st_size > JSONTEXT_FILE_BYTES_MAX)
        return status_fail(DID_EFORMAT, "has %lld bytes, expected at most %d",
                           (long long)st.st_size, JSONTEXT_FILE_BYTES_MAX);
    FILE *f = fopen(path, "rbe");
    if (!f) return status_fail(DID_EIO, "%s", strerror(errno));
    t->size = (size_t)st.st_size;
    t->bytes = malloc(t->size + 1); /* the caller frees, whatever comes of it */
    size_t got = t->bytes ? fread(t->bytes, 1, t->size, f) : 0;
    fclose(f);
    if (!t->bytes) return status_fail(DID_ENOMEM, "out of memory for %zu bytes", t->size);
    if (got != t->size)
        return status_fail(DID_EIO, "gave %zu bytes, expected %zu", got, t->size);
    return DID_OK;
}

static status take_merges_text(lexicon *l, const text *t)
{
    size_t lines = 1, line = 0;
    for (size_t i = 0; i < t->size; i++) lines += t->bytes[i] == '\n';
    TRY(begin_merges(l, lines));

    for (size_t at = 0; at < t->size;) {
        const char *from = t->bytes + at, *end = memchr(from, '\n', t->size - at);
        size_t      len = end ? (size_t)(end - from) : t->size - at;
        at += len + 1;
        line++;
        if (line == 1 && len >= 8 && memcmp(from, "#version", 8) == 0) continue;
        status s = take_merge_pair(l, from, len);
        if (s != DID_OK) return status_at(s, "line %zu", line);
    }
    return DID_OK;
}

static bool of_type(const json_t *part, const char *type)
{
    const char *found = json_string_value(json_object_get(part, "type"));
    return found && strcmp(found, type) == 0;
}

static bool unset(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_number(value) && json_number_value(value) == 0);
}

/* Everything of tokenizer.json but pieces and merges. */
static status check_parts(const json_t *root)
{
    static const char *const others[] = {"dropout", "continuing_subword_prefix",
                                         "end_of_word_suffix", "ignore_merges"};
    const json_t *normalizer = json_object_get(root, "normalizer");
    if (!unset(normalizer)) return refuse("the normalizer", normalizer, "none");

    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const json_t *space = json_object_get(pre, "add_prefix_space");
    const json_t *regex = json_object_get(pre, "use_regex");
    if (!of_type(pre, "ByteLevel")) return refuse("the pre_tokenizer", pre, "type ByteLevel");
    if (!json_is_false(space)) /* a space in front that decoding could not take away again */
        return refuse("add_prefix_space of the pre_tokenizer", space, "false");
    if (regex && !json_is_true(regex))
        return refuse("use_regex of the pre_tokenizer", regex, "true: the pattern of GPT-2");

    const json_t *decoder = json_object_get(root, "decoder");
    if (!unset(decoder) && !of_type(decoder, "ByteLevel"))
        return refuse("the decoder", decoder, "none or type ByteLevel");

    /* GPT-2's own tokenizer.json is older than the model's "type". */
    const json_t *model = json_object_get(root, "model");
    if (!json_is_object(model)) return refuse("the model", model, "an object");
    if (json_object_get(model, "type") && !of_type(model, "BPE"))
        return refuse("the type of the model", json_object_get(model, "type"), "\"BPE\"");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!unset(json_object_get(model, others[i])))
            return status_fail(DID_EFORMAT, "the model sets %s, expected it unset", others[i]);
    return DID_OK;
}

static status take_tokenizer(lexicon *l, const json_t *root)
{
    TRY(check_parts(root));
    const json_t *model = json_object_get(root, "model");
    const json_t *merges = json_object_get(model, "merges");
    const json_t *added = json_object_get(root, "added_tokens");
    json_t       *vocab = json_object_get(model, "vocab");
    if (!json_is_object(vocab)) return refuse("vocab of the model", vocab, "an object");
    if (!json_is_array(merges)) return refuse("merges of the model", merges, "an array");
    if (added && !json_is_array(added)) return refuse("added_tokens", added, "an array");
    TRY(take_vocabulary(l, vocab, added));
    return take_merges_json(l, merges);
}

static status read_tokenizer(lexicon *l, const char *path)
{
    json_t *root = NULL;
    TRY(jsontext_read(&root, path));
    status s = take_tokenizer(l, root);
    json_decref(root);
    return s == DID_OK ? s : status_at(s, "%s", path);
}

static status read_vocab(lexicon *l, const char *path)
{
    json_t *vocab = NULL;
    TRY(jsontext_read(&vocab, path));
    status s = take_vocabulary(l, vocab, NULL);
    json_decref(vocab);
    return s == DID_OK ? s : status_at(s, "%s", path);
}

static status read_merges(lexicon *l, const char *path)
{
    text   t = {0};
    status s = text_read(&t, path);
    if (s == DID_OK) s = take_merges_text(l, &t);
    free(t.bytes);
    return s == DID_OK ? s : status_at(s, "%s", path);
}

/* Everything was read, or nothing is kept. */
static status finish(lexicon *l, status s)
{
    if (s == DID_OK)
        pieces_seal(&l->pieces);
    else
        lexicon_clear(l);
    return s;
}

status lexicon_read(lexicon *l, const char *dir)
{
    char        path[PATH_BYTES_MAX];
    struct stat st;
    *l = (lexicon){.end_id = -1};
    if (strlen(dir) > sizeof path - 32)
        return status_fail(DID_EINVAL, "the path of the tokenizer has %zu bytes, expected at "
                           "most %zu", strlen(dir), sizeof path - 32);

    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    status s = DID_OK;
    if (stat(path, &st) == 0 || errno != ENOENT) {
        s = read_tokenizer(l, path);
    } else {
        snprintf(path, sizeof path, "%s/vocab.json", dir);
        s = stat(path, &st) == 0 || errno != ENOENT
                ? read_vocab(l, path)
                : status_fail(DID_EIO, "%s: found neither tokenizer.json nor vocab.json", dir);
        snprintf(path, sizeof path, "%s/merges.txt", dir);
        if (s == DID_OK) s = read_merges(l, path);
    }
    return finish(l, s);
}

status lexicon_parse(lexicon *l, const char *json, size_t size, const char *where)
{
    json_t *root = NULL;
    *l = (lexicon){.end_id = -1};
    TRY(jsontext_parse(&root, json, size, where));
    status s = take_tokenizer(l, root);
    json_decref(root);
    return finish(l, s == DID_OK ? s : status_at(s, "%s", where));
}

void lexicon_clear(lexicon *l)
{
    pieces_clear(&l->pieces);
    bpe_clear(&l->bpe);
    free(l->added);
    *l = (lexicon){.end_id = -1};
}
