#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "synthetic_tokenizer.h"
#include "tokenizer.h"

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * below >> 32);
}

static tokenizer *open_or_fail(const char *dir)
{
    tokenizer *t = NULL;
    if (tokenizer_open(&t, dir) != DID_OK) fail_msg("%s", status_message());
    return t;
}

static tokenizer *open_json(const json_t *root)
{
    char dir[64];
    synthetic_dir(dir);
    synthetic_write_json(dir, "tokenizer.json", root);
    tokenizer *t = open_or_fail(dir);
    synthetic_remove(dir);
    return t;
}

static tokenizer *open_synthetic(void)
{
    json_t    *root = synthetic_json();
    tokenizer *t = open_json(root);
    json_decref(root);
    return t;
}

/* The ids of `text` are `expected[n]`. */
static void expect_ids(const tokenizer *t, const char *text, size_t size, bool specials,
                       const int32_t *expected, int n)
{
    int32_t *ids;
    int      found;
    assert_int_equal(tokenizer_encode(t, text, size, specials, &ids, &found), DID_OK);
    assert_int_equal(found, n);
    for (int i = 0; i < n; i++) assert_int_equal(ids[i], expected[i]);
    free(ids);
}

/* decode(encode(text)) == text, and every id is one of the vocabulary's. */
static void expect_round_trip(const tokenizer *t, const char *text, size_t size, bool specials)
{
    int32_t *ids;
    int      n;
    char    *back;
    size_t   back_size;
    if (tokenizer_encode(t, text, size, specials, &ids, &n) != DID_OK)
        fail_msg("%s", status_message());
    for (int i = 0; i < n; i++) assert_in_range(ids[i], 0, tokenizer_vocab(t) - 1);
    assert_int_equal(tokenizer_decode(t, ids, n, specials, &back, &back_size), DID_OK);
    assert_int_equal(back_size, size);
    assert_memory_equal(back, text, size);
    assert_int_equal(back[size], 0);
    free(back);
    free(ids);
}

/* Every line of a file of {"text", "ids"}. */
static void expect_conformance(const tokenizer *t, const char *path)
{
    FILE  *f = fopen(path, "r");
    char  *line = NULL;
    size_t cap = 0;
    int    lines = 0;
    assert_non_null(f);
    for (ssize_t len; (len = getline(&line, &cap, f)) > 0; lines++) {
        json_t       *root = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(root, "text"), *ids = json_object_get(root, "ids");
        assert_non_null(text);
        int      n = (int)json_array_size(ids);
        int32_t *expected = calloc((size_t)n + 1, sizeof *expected);
        for (int i = 0; i < n; i++)
            expected[i] = (int32_t)json_integer_value(json_array_get(ids, (size_t)i));
        expect_ids(t, json_string_value(text), json_string_length(text), false, expected, n);
        expect_round_trip(t, json_string_value(text), json_string_length(text), false);
        free(expected);
        json_decref(root);
    }
    assert_int_equal(lines, 200);
    free(line);
    fclose(f);
}

static void copy_file(const char *from_dir, const char *dir, const char *name)
{
    char  path[1024];
    snprintf(path, sizeof path, "%s/%s", from_dir, name);
    FILE  *f = fopen(path, "rb");
    size_t room = 1 << 20;
    char  *bytes = malloc(room);
    assert_non_null(f);
    size_t size = fread(bytes, 1, room, f);
    assert_true(size > 0 && size < room);
    synthetic_write(dir, name, bytes, size);
    free(bytes);
    fclose(f);
}

static void conforms_from_tokenizer_json(void **state)
{
    (void)state;
    tokenizer *t = open_or_fail(DID_TEST_MODELS "/did-tiny");
    assert_int_equal(tokenizer_vocab(t), 4096);
    assert_int_equal(tokenizer_end_id(t), 4095);
    expect_conformance(t, DID_TEST_MODELS "/did-tiny/tokenizer_conformance.jsonl");
    tokenizer_close(&t);
    assert_null(t);
    tokenizer_close(&t);
}

static void conforms_from_vocab_and_merges(void **state)
{
    (void)state;
    char dir[64];
    synthetic_dir(dir);
    copy_file(DID_TEST_MODELS "/did-tiny", dir, "vocab.json");
    copy_file(DID_TEST_MODELS "/did-tiny", dir, "merges.txt");
    tokenizer *t = open_or_fail(dir);
    assert_int_equal(tokenizer_vocab(t), 4096);
    assert_int_equal(tokenizer_end_id(t), 4095);
    expect_conformance(t, DID_TEST_MODELS "/did-tiny/tokenizer_conformance.jsonl");
    tokenizer_close(&t);
    synthetic_remove(dir);
}

static void conforms_to_gpt2(void **state)
{
    (void)state;
    tokenizer *t = open_or_fail(DID_TEST_MODELS "/gpt2-tokenizer");
    assert_int_equal(tokenizer_vocab(t), 50257);
    assert_int_equal(tokenizer_end_id(t), 50256);
    expect_conformance(t, DID_TEST_MODELS "/gpt2-tokenizer/conformance.jsonl");
    tokenizer_close(&t);
}

static size_t put(char *out, uint32_t c)
{
    if (c < 0x80) return (size_t)(out[0] = (char)c, 1);
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF0 << (4 - n)) | c);
    return n;
}

/* Characters of all planes, NUL included, mixed with what the pattern treats specially. */
static size_t random_text(char *out, int n)
{
    static const char *const parts[] = {"'s", "'ll", " ", "  ", "\n", "\r\n", "\t", "\xC2\xA0",
                                        "\xC2\x85", "\xE3\x80\x80", " the", "'", "42",
                                        "<|endoftext|>", "\xE1\xA0\x8E", "\xCC\x81"};
    char *at = out;
    for (int i = 0; i < n; i++) {
        uint32_t c = draw(0x110000 - 0x800);
        switch (draw(5)) {
        case 0: c = draw(0x80); break;
        case 1: c = draw(0x800); break;
        case 2: c = draw(0xD800); break;
        case 3: c = c < 0xD800 ? c : c + 0x800; break;
        default: {
            const char *part = parts[draw(sizeof parts / sizeof *parts)];
            memcpy(at, part, strlen(part));
            at += strlen(part);
            continue;
        }
        }
        at += put(at, c);
    }
    return (size_t)(at - out);
}

static void round_trip_of_random_text(void **state)
{
    (void)state;
    static const char *const dirs[] = {DID_TEST_MODELS "/did-tiny",
                                       DID_TEST_MODELS "/gpt2-tokenizer"};
    char text[60 * 16];
    random_state = 7;
    for (int d = 0; d < 2; d++) {
        tokenizer *t = open_or_fail(dirs[d]);
        for (int i = 0; i < 4000; i++) {
            size_t size = random_text(text, (int)draw(60));
            char  *exact = malloc(size); /* nothing behind it may be read */
            memcpy(exact, text, size);
            expect_round_trip(t, exact, size, draw(2));
            free(exact);
        }
        tokenizer_close(&t);
    }
}

static void specials_stay_text_unless_wanted(void **state)
{
    (void)state;
    tokenizer *t = open_or_fail(DID_TEST_MODELS "/did-tiny");
    const char text[] = "one<|endoftext|>two<|endoftext|>";
    int32_t   *ids;
    int        n;
    char      *back;

    assert_int_equal(tokenizer_encode(t, text, strlen(text), false, &ids, &n), DID_OK);
    for (int i = 0; i < n; i++) assert_int_not_equal(ids[i], 4095);
    assert_int_equal(tokenizer_decode(t, ids, n, false, &back, NULL), DID_OK);
    assert_string_equal(back, text);
    free(back);
    free(ids);

    assert_int_equal(tokenizer_encode(t, text, strlen(text), true, &ids, &n), DID_OK);
    int ends = 0;
    for (int i = 0; i < n; i++) ends += ids[i] == 4095;
    assert_int_equal(ends, 2);
    assert_int_equal(ids[n - 1], 4095);
    assert_int_equal(tokenizer_decode(t, ids, n, true, &back, NULL), DID_OK);
    assert_string_equal(back, text);
    free(back);
    assert_int_equal(tokenizer_decode(t, ids, n, false, &back, NULL), DID_OK);
    assert_string_equal(back, "onetwo");
    free(back);
    free(ids);
    tokenizer_close(&t);
}

/* Added tokens that are no specials are found in any text, the longest at the leftmost place, and
 * the words around them end there. */
static void added_text_is_matched_whole(void **state)
{
    (void)state;
    json_t *root = synthetic_json(), *added = json_object_get(root, "added_tokens");
    json_array_append_new(added, json_pack("{s:i, s:s}", "id", 300, "content", "  "));
    json_array_append_new(added, json_pack("{s:i, s:s}", "id", 301, "content", "    "));
    json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", 302, "content", " <x>",
                                           "special", 1));
    tokenizer *t = open_json(root);
    const int32_t plain[] = {255 - 'a', 301, 300, 255 - ' ', 255 - '<', 255 - 'x', 255 - '>'};
    const int32_t marked[] = {255 - 'a', 301, 300, 302};
    expect_ids(t, "a       <x>", 11, false, plain, 7);
    expect_ids(t, "a       <x>", 11, true, marked, 4);
    expect_round_trip(t, "a       <x>", 11, false);
    tokenizer_close(&t);
    json_decref(root);
}

static void words_are_those_of_gpt2(void **state)
{
    (void)state;
    tokenizer    *t = open_synthetic();
    const int32_t word[] = {260, 259};
    expect_ids(t, " hellohello", 11, false, word, 2);
    /* U+180E is no white space, so "!" and its first byte are in one word and merge. */
    const int32_t format[] = {261, 255 - 0xA0, 255 - 0x8E};
    expect_ids(t, "!\xE1\xA0\x8E", 4, false, format, 3);
    /* U+1680 is: it starts with the same byte but is another word. */
    const int32_t ogham[] = {255 - '!', 255 - 0xE1, 255 - 0x9A, 255 - 0x80};
    expect_ids(t, "!\xE1\x9A\x80", 4, false, ogham, 4);
    expect_ids(t, "", 0, false, NULL, 0);
    expect_ids(t, NULL, 0, true, NULL, 0);
    tokenizer_close(&t);
}

static void refuses_what_is_not_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"\xFF", "found 0xFF at byte offset 0"},
        {"abc\x80", "found 0x80 at byte offset 3"},
        {"a\xC3\xA9\xC3", "found 0xC3 at byte offset 3"},
        {"\xED\xA0\x80", "found 0xED at byte offset 0"},
        {"<|endoftext|>\xC0\xAF", "found 0xC0 at byte offset 13"},
        {"\xF4\x90\x80\x80", "found 0xF4 at byte offset 0"},
    };
    tokenizer *t = open_synthetic();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t *ids = (int32_t *)&ids;
        int      n = -1;
        assert_int_equal(tokenizer_encode(t, cases[i].text, strlen(cases[i].text), true, &ids, &n),
                         DID_EFORMAT);
        assert_null(ids);
        assert_int_equal(n, 0);
        assert_non_null(strstr(status_message(), cases[i].sentence));
    }
    tokenizer_close(&t);
}

static void refuses_what_it_cannot_count(void **state)
{
    (void)state;
    tokenizer *t = open_synthetic();
    int32_t   *ids;
    int        n;
    assert_int_equal(tokenizer_encode(t, "x", INT32_MAX, false, &ids, &n), DID_EINVAL);
    assert_null(ids);
    tokenizer_close(&t);
    assert_int_equal(tokenizer_open(&t, DID_TEST_MODELS "/no-such-model"), DID_EIO);
    assert_null(t);
}

static void decodes_unknown_ids(void **state)
{
    (void)state;
    tokenizer    *t = open_synthetic();
    const int32_t ids[] = {SYNTHETIC_END, 255 - 'a', SYNTHETIC_END + 1, -1, INT32_MAX, INT32_MIN,
                           255 - 0, 255 - 0xC3};
    char  *text;
    size_t size;
    assert_int_equal(tokenizer_decode(t, ids, 8, false, &text, &size), DID_OK);
    assert_int_equal(size, 1 + 4 * 3 + 2);
    assert_memory_equal(text, "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\0\xC3", size);
    free(text);
    assert_int_equal(tokenizer_decode(t, ids, 2, true, &text, &size), DID_OK);
    assert_string_equal(text, "<|endoftext|>a");
    free(text);
    assert_int_equal(tokenizer_decode(t, NULL, 0, true, &text, &size), DID_OK);
    assert_int_equal(size, 0);
    free(text);
    tokenizer_close(&t);
}

#define R "\xEF\xBF\xBD"

static void repairs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"plain \xC3\xA9 \xF0\x9F\x98\x80", "plain \xC3\xA9 \xF0\x9F\x98\x80"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", R R R R "A"},
        {"\xED\xA0\x80", R R R},
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", R R R R R R R R "A"},
        {"\xF0\x9F\x98", R},
        {R, R},
    };
    char  *out;
    size_t size;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(tokenizer_repair(cases[i].text, strlen(cases[i].text), &out, &size),
                         DID_OK);
        assert_int_equal(size, strlen(cases[i].expected));
        assert_string_equal(out, cases[i].expected);
        free(out);
    }
    assert_int_equal(tokenizer_repair("a\0\xFF", 3, &out, &size), DID_OK);
    assert_int_equal(size, 5);
    assert_memory_equal(out, "a\0" R, 6);
    free(out);
}

/* What is repaired is UTF-8, and UTF-8 is left alone. */
static void repairs_random_bytes(void **state)
{
    (void)state;
    tokenizer *t = open_synthetic();
    random_state = 3;
    for (int i = 0; i < 3000; i++) {
        char   bytes[40], *once, *twice;
        size_t n = draw(sizeof bytes), size, again;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)(draw(3) ? 0x80 + draw(0x80) : draw(0x100));
        assert_int_equal(tokenizer_repair(bytes, n, &once, &size), DID_OK);
        assert_int_equal(tokenizer_repair(once, size, &twice, &again), DID_OK);
        assert_int_equal(size, again);
        assert_memory_equal(once, twice, size + 1);
        expect_round_trip(t, once, size, false);
        free(once);
        free(twice);
    }
    tokenizer_close(&t);
}

/* Quadratic work on any of these would take minutes. */
static void long_words(void **state)
{
    (void)state;
    enum { LENGTH = 200000 };
    static const char *const of[] = {"a", "hello", "\xE4\xB8\xAD\xE6\x96\x87", " ", "\n", "!?",
                                     "0123456789", "<", "hello ", " \n"};
    tokenizer *t = open_or_fail(DID_TEST_MODELS "/gpt2-tokenizer");
    char      *text = malloc(LENGTH + 1);
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        size_t part = strlen(of[i]), size = LENGTH / part * part;
        for (size_t k = 0; k < size; k++) text[k] = of[i][k % part];
        expect_round_trip(t, text, size, true);
        text[size] = 'z'; /* white space that something follows is cut differently */
        expect_round_trip(t, text, size + 1, true);
    }
    random_state = 5;
    for (size_t k = 0; k < LENGTH; k++) text[k] = (char)('a' + draw(26));
    expect_round_trip(t, text, LENGTH, true);
    free(text);
    tokenizer_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conforms_from_tokenizer_json),
        cmocka_unit_test(conforms_from_vocab_and_merges),
        cmocka_unit_test(conforms_to_gpt2),
        cmocka_unit_test(round_trip_of_random_text),
        cmocka_unit_test(specials_stay_text_unless_wanted),
        cmocka_unit_test(added_text_is_matched_whole),
        cmocka_unit_test(words_are_those_of_gpt2),
        cmocka_unit_test(refuses_what_is_not_utf8),
        cmocka_unit_test(refuses_what_it_cannot_count),
        cmocka_unit_test(decodes_unknown_ids),
        cmocka_unit_test(repairs),
        cmocka_unit_test(repairs_random_bytes),
        cmocka_unit_test(long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
