/* Text on its way to token ids and back, with the bundled vocabulary. */
#include <stdbool.h>

#include "fuzz.h"
#include "tokenizer.h"

static tokenizer *words;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    assert(tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") == DID_OK);
    return 0;
}

static void there_and_back(const char *text, size_t size, bool specials)
{
    int32_t *ids;
    char    *back;
    int      n;
    size_t   got;
    status   s = tokenizer_encode(words, text, size, specials, &ids, &n);
    if (utf8_check(text, size) < size) {
        fuzz_refused(s, DID_EFORMAT);
        assert(ids == NULL && n == 0);
        return;
    }
    assert(s == DID_OK && n >= 0 && (size_t)n <= size);
    for (int i = 0; i < n; i++) {
        assert(ids[i] >= 0 && ids[i] < tokenizer_vocab(words));
        assert(specials || ids[i] != tokenizer_end_id(words));
    }
    assert(tokenizer_decode(words, ids, n, true, &back, &got) == DID_OK);
    assert(got == size && !memcmp(back, text, size));
    free(back);
    free(ids);
}

/* A repaired text is well-formed, and a well-formed one is left alone. */
static void repair(const char *text, size_t size)
{
    char  *good;
    size_t got;
    assert(tokenizer_repair(text, size, &good, &got) == DID_OK);
    assert(utf8_check(good, got) == got && good[got] == '\0');
    if (utf8_check(text, size) == size) assert(got == size && !memcmp(good, text, size));
    free(good);
}

/* The same bytes as ids: any id may be drawn, in any order. */
static void spell(const uint8_t *data, size_t size)
{
    int32_t ids[256];
    int     n = 0;
    char   *text;
    size_t  got;
    for (; (size_t)(2 * n + 1) < size && n < 256; n++)
        ids[n] = (int16_t)(data[2 * n] | data[2 * n + 1] << 8);
    assert(tokenizer_decode(words, ids, n, false, &text, &got) == DID_OK && text[got] == '\0');
    repair(text, got);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char quoted[40];
    there_and_back((const char *)data, size, size % 2);
    repair((const char *)data, size);
    spell(data, size);
    if (size) fuzz_sentence(utf8_quote(quoted, sizeof quoted, (const char *)data, size));
    return 0;
}
