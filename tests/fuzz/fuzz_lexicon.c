/* A tokenizer.json. Every vocabulary holds the 256 bytes; here they may be written as "bytes":0,
 * which leaves the rest of a small input to what matters. */
#include <stdbool.h>
#include <stdio.h>

#include "fuzz.h"
#include "lexicon.h"

enum { TEXT_MAX = 1 << 14 };

static char   letters[TEXT_MAX]; /* "!":0,"\"":1, ... as a vocabulary has them */
static size_t letters_size;

/* Source: GPT-2, encoder.py: printable Latin-1 stands for itself, the others follow from U+0100. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    unsigned next = 0x100;
    (void)argc, (void)argv;
    for (unsigned b = 0; b < 256; b++) {
        bool     plain = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
        unsigned letter = plain ? b : next++;
        letters_size += (size_t)snprintf(letters + letters_size, sizeof letters - letters_size,
                                         "%s\"\\u%04x\":%u", b ? "," : "", letter, b);
    }
    return 0;
}

/* The input with the bytes filled in. */
static char *fill(const uint8_t *data, size_t size, size_t *filled)
{
    static const char word[] = "\"bytes\":0";
    const uint8_t    *at = memmem(data, size, word, sizeof word - 1);
    size_t            before = at ? (size_t)(at - data) : size, after = before + sizeof word - 1;
    char             *text = malloc(size + letters_size + 1);
    assert(text);
    memcpy(text, data, before);
    *filled = before;
    if (!at) return text;
    memcpy(text + before, letters, letters_size);
    memcpy(text + before + letters_size, data + after, size - after);
    *filled = before + letters_size + size - after;
    return text;
}

static void check_pieces(const lexicon *l)
{
    const pieces *p = &l->pieces;
    for (int id = 0; id < p->count; id++) {
        const piece *q = &p->piece[id];
        assert(q->kind <= PIECE_SPECIAL && q->len <= PIECE_BYTES_MAX);
        assert((q->kind == PIECE_NONE) == (q->len == 0));
        assert((size_t)q->at + q->len <= p->used);
    }
    for (int b = 0; b < 256; b++) {
        int32_t id = l->byte_id[b];
        assert(id >= 0 && id < p->count && p->piece[id].len == 1);
        assert((unsigned char)*pieces_bytes(p, id) == b);
    }
}

static void check_added(const lexicon *l)
{
    static const char end[] = "<|endoftext|>";
    const pieces     *p = &l->pieces;
    bool              found = false;
    for (int i = 0; i < l->n_added; i++) {
        int32_t      id = l->added[i];
        const piece *q = &p->piece[id];
        assert(id >= 0 && id < p->count && (q->kind == PIECE_ADDED || q->kind == PIECE_SPECIAL));
        assert(i == 0 || p->piece[l->added[i - 1]].len >= q->len);
        bool is_end = q->len == sizeof end - 1 && !memcmp(pieces_bytes(p, id), end, q->len);
        if (is_end) assert(id == l->end_id && q->kind == PIECE_SPECIAL);
        found = found || is_end;
    }
    assert(found == (l->end_id >= 0));
}

/* A merge puts bytes together and neither adds nor loses any. */
static void check_merges(const lexicon *l)
{
    const pieces *p = &l->pieces;
    for (int i = 0; i < l->bpe.n_rules; i++) {
        bpe_rule r = l->bpe.rule[i];
        assert(r.left >= 0 && r.left < p->count && r.right >= 0 && r.right < p->count);
        assert(r.whole >= 0 && r.whole < p->count && bpe_rank(&l->bpe, r.left, r.right) == i);
        size_t left = p->piece[r.left].len, right = p->piece[r.right].len;
        assert(p->piece[r.whole].len == left + right);
        assert(!memcmp(pieces_bytes(p, r.whole), pieces_bytes(p, r.left), left));
        assert(!memcmp(pieces_bytes(p, r.whole) + left, pieces_bytes(p, r.right), right));
    }
}

/* Words of all kinds of pieces keep their bytes when they are merged. */
static void merge(const lexicon *l, const uint8_t *data, size_t size)
{
    int32_t     ids[64];
    bpe_scratch scratch = {0};
    int         n = size < 64 ? (int)size : 64;
    size_t      at = 0;
    for (int i = 0; i < n; i++) ids[i] = l->byte_id[data[i]];
    assert(bpe_merge(&l->bpe, &scratch, ids, &n) == DID_OK);
    for (int i = 0; i < n; i++) {
        const piece *q = &l->pieces.piece[ids[i]];
        assert(!memcmp(pieces_bytes(&l->pieces, ids[i]), data + at, q->len));
        assert(i == 0 || bpe_rank(&l->bpe, ids[i - 1], ids[i]) < 0);
        at += q->len;
    }
    assert(at == (size < 64 ? size : 64));
    bpe_scratch_clear(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lexicon l;
    size_t  filled;
    char   *text = fill(data, size, &filled);
    status  s = lexicon_parse(&l, text, filled, "tokenizer");
    if (s == DID_OK) {
        check_pieces(&l);
        check_added(&l);
        check_merges(&l);
        merge(&l, data, size);
        if (size > 64) merge(&l, data + size - 64, 64);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(!l.pieces.piece && !l.bpe.rule && !l.added);
    }
    lexicon_clear(&l);
    free(text);
    return 0;
}
