#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lexicon.h"
#include "synthetic_tokenizer.h"
#include "tokenizer.h"

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * below >> 32);
}

/* Put `value` (JSON; NULL: take away) where `path` says: keys and indices with '/' between. */
static void patch(json_t *root, const char *path, const char *value)
{
    char        key[64];
    const char *slash = NULL;
    json_t     *at = root;
    for (; (slash = strchr(path, '/')); path = slash + 1) {
        snprintf(key, sizeof key, "%.*s", (int)(slash - path), path);
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
        assert_non_null(at);
    }
    if (!value) {
        assert_int_equal(json_object_del(at, path), 0);
        return;
    }
    json_t *new = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(new);
    if (json_is_object(at))
        json_object_set_new(at, path, new);
    else if ((size_t)atoi(path) < json_array_size(at))
        json_array_set_new(at, (size_t)atoi(path), new);
    else
        json_array_append_new(at, new);
}

static void expect_refusal(const char *dir, status code, const char *sentence)
{
    lexicon l;
    assert_int_equal(lexicon_read(&l, dir), code);
    if (!strstr(status_message(), sentence) || !strstr(status_message(), dir))
        fail_msg("'%s' lacks '%s' or '%s'", status_message(), sentence, dir);
    assert_null(strchr(status_message(), '\n'));
    assert_null(l.pieces.piece);
    assert_null(l.added);
}

static void refuses_what_it_does_not_do(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *sentence;
    } cases[] = {
        {"model", "null", "the model is null, expected an object"},
        {"model/type", "\"WordPiece\"", "the type of the model is \"WordPiece\", expected \"BPE\""},
        {"model/dropout", "0.1", "the model sets dropout"},
        {"model/end_of_word_suffix", "\"</w>\"", "the model sets end_of_word_suffix"},
        {"model/continuing_subword_prefix", "\"##\"", "sets continuing_subword_prefix"},
        {"model/ignore_merges", "true", "the model sets ignore_merges"},
        {"model/vocab", NULL, "vocab of the model is missing, expected an object"},
        {"model/vocab", "[]", "vocab of the model is []"},
        {"model/vocab", "{}", "no piece for the byte 0x00"},
        {"model/merges", "{}", "merges of the model is {}, expected an array"},
        {"normalizer", "{\"type\":\"NFC\"}", "the normalizer is {\"type\":\"NFC\"}, expected none"},
        {"pre_tokenizer", "null", "the pre_tokenizer is null, expected type ByteLevel"},
        {"pre_tokenizer/type", "\"Metaspace\"", "Metaspace"},
        {"pre_tokenizer/add_prefix_space", "true", "add_prefix_space of the pre_tokenizer is true"},
        {"pre_tokenizer/add_prefix_space", NULL, "add_prefix_space of the pre_tokenizer is miss"},
        {"pre_tokenizer/use_regex", "false", "use_regex of the pre_tokenizer is false"},
        {"decoder", "{\"type\":\"WordPiece\"}", "the decoder is"},
        {"added_tokens", "3", "added_tokens is 3, expected an array"},
    };
    char dir[64];
    synthetic_dir(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root = synthetic_json();
        patch(root, cases[i].path, cases[i].value);
        synthetic_write_json(dir, "tokenizer.json", root);
        expect_refusal(dir, DID_EFORMAT, cases[i].sentence);
        json_decref(root);
    }
    synthetic_remove(dir);
}

static void refuses_broken_tables(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *sentence;
    } cases[] = {
        {"model/vocab/h", "0.5", "vocabulary, 'h': the id is 0.5, expected an integer from 0"},
        {"model/vocab/h", "-1", "the id is -1"},
        {"model/vocab/h", "4194304", "the id is 4194304, expected an integer from 0 to 4194303"},
        {"model/vocab/h", "150", "id 150 is given to 'h' and to 'i', expected one piece"},
        {"model/vocab/h", NULL, "no piece has id 151 although '!\\xE1' has id 261"},
        {"model/vocab/hello", "4194303", "no piece has id 259 although 'hello' has id 4194303"},
        {"model/vocab/zz", "4000", "no piece has id 263"},
        {"model/vocab/h i", "263", "'h i' has a character that stands for no byte"},
        {"model/vocab/\xE2\x82\xAC", "263", "stands for no byte"},
        {"model/vocab/", "263", "the piece with id 263 has 0 bytes"},
        {"model/merges/0", "\"h\"", "merge 1: found 'h', expected two pieces and a space"},
        {"model/merges/0", "\"h e l\"", "merge 1: 'e l' is not in the vocabulary"},
        {"model/merges/0", "\" e\"", "merge 1: '' is not in the vocabulary"},
        {"model/merges/2", "\"\xE2\x82\xAC e\"", "merge 3: '\xE2\x82\xAC' is not in the vocab"},
        {"model/merges/0", "\"q q\"", "makes 'qq', which is not in the vocabulary"},
        {"model/merges/0", "[\"h\"]", "merge 1: it is [\"h\"], expected \"a b\" or [\"a\""},
        {"model/merges/0", "[\"h\", 1]", "expected \"a b\""},
        {"model/merges/0", "[\"h\", \"e\", \"l\"]", "expected \"a b\""},
        {"model/merges/0", "7", "merge 1: it is 7"},
        {"model/merges/1", "\"h e\"", "merge 2: the same pair as in merge 1"},
        {"model/merges/6", "\"<|endoftext|> h\"", "'<|endoftext|>' is not in the vocabulary"},
        {"added_tokens/0/id", "3", "id 3 is given to '<|endoftext|>' and to '\\xFC'"},
        {"added_tokens/0/id", "\"3\"", "added_tokens[0]: the id is \"3\""},
        {"added_tokens/0", "7", "added_tokens[0]: the id is missing"},
        {"added_tokens/0/content", "\"\"", "has 0 bytes"},
        {"added_tokens/0/content", "5", "the content is 5, expected a string"},
        {"added_tokens/0/lstrip", "true", "'<|endoftext|>' has lstrip: true"},
        {"added_tokens/1", "{\"id\": 400, \"content\": \"<|endoftext|>\"}", "has ids "},
        {"added_tokens/1", "{\"id\": 262, \"content\": \"<x>\"}", "id 262 is given to"},
        {"added_tokens/1", "{\"id\": 300, \"content\": \"hello\"}", "300, but 259 in the vocab"},
        /* The letter for 0xE9 taken as the text it looks like leaves that byte without a piece. */
        {"added_tokens/1", "{\"id\": 22, \"content\": \"\xC3\xA9\"}", "for the byte 0xE9"},
    };
    char dir[64];
    synthetic_dir(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root = synthetic_json();
        patch(root, cases[i].path, cases[i].value);
        synthetic_write_json(dir, "tokenizer.json", root);
        expect_refusal(dir, DID_EFORMAT, cases[i].sentence);
        json_decref(root);
    }
    synthetic_remove(dir);
}

static void refuses_files(void **state)
{
    (void)state;
    char dir[64], path[128];
    synthetic_dir(dir);
    expect_refusal(dir, DID_EIO, "found neither tokenizer.json nor vocab.json");
    synthetic_write(dir, "tokenizer.json", "{\"a\": 1, \"a\": 2}", 16);
    expect_refusal(dir, DID_EFORMAT, "duplicate");
    synthetic_write(dir, "tokenizer.json", "{\n", 2);
    expect_refusal(dir, DID_EFORMAT, "line 2");
    synthetic_write(dir, "tokenizer.json", "[]", 2);
    expect_refusal(dir, DID_EFORMAT, "expected a JSON object");
    synthetic_remove(dir);

    synthetic_dir(dir);
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refusal(dir, DID_EIO, "tokenizer.json");
    rmdir(path);

    json_t *root = synthetic_json();
    synthetic_write_json(dir, "vocab.json", json_object_get(json_object_get(root, "model"),
                                                            "vocab"));
    expect_refusal(dir, DID_EIO, "merges.txt");
    static const struct {
        const char *text, *sentence;
    } merges[] = {
        {"#version: 0.2\nh e\n\nl l\n", "merges.txt: line 3: found ''"},
        {"h e\n#version: 0.2\n", "line 2: '#version:' is not in the vocabulary"},
        {"h e\nl l\r\n", "line 2: 'l\\x0D' is not in the vocabulary"},
        {"h \xFF", "line 1: '\\xFF' is not in the vocabulary"},
        {"h e\nl l\nh e", "line 3: the same pair as in merge 1"},
    };
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        synthetic_write(dir, "merges.txt", merges[i].text, strlen(merges[i].text));
        expect_refusal(dir, DID_EFORMAT, merges[i].sentence);
    }
    char *lines = malloc(PIECE_IDS_MAX);
    memset(lines, '\n', PIECE_IDS_MAX);
    synthetic_write(dir, "merges.txt", lines, PIECE_IDS_MAX);
    expect_refusal(dir, DID_EFORMAT, "merges.txt: has 4194305 merges, expected at most 4194304");
    free(lines);
    snprintf(path, sizeof path, "%s/merges.txt", dir);
    assert_int_equal(truncate(path, (64 << 20) + 1), 0); /* sparse: it takes no room */
    expect_refusal(dir, DID_EFORMAT, "merges.txt: has 67108865 bytes, expected at most 67108864");
    json_decref(root);
    synthetic_remove(dir);

    char *long_dir = malloc(5000);
    lexicon l;
    memset(long_dir, 'x', 4999);
    long_dir[4999] = '\0';
    assert_int_equal(lexicon_read(&l, long_dir), DID_EINVAL);
    free(long_dir);
}

static void check_synthetic(const lexicon *l, int end_id)
{
    assert_int_equal(l->pieces.count, (end_id < 0 ? SYNTHETIC_END : end_id + 1));
    assert_int_equal(l->end_id, end_id);
    for (int b = 0; b < 256; b++) assert_int_equal(l->byte_id[b], 255 - b);
    assert_int_equal(l->bpe.n_rules, SYNTHETIC_MERGES);
    assert_int_equal(bpe_rank(&l->bpe, 258, 255 - 'o'), 3);
    assert_int_equal(l->bpe.rule[4].whole, 260);
    assert_int_equal(l->pieces.piece[260].len, 6);
    assert_memory_equal(pieces_bytes(&l->pieces, 260), " hello", 6);
}

static void reads_what_is_equal(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value;
    } cases[] = {
        {"version", "\"1.0\""},
        {"model/type", NULL},
        {"model/dropout", "0.0"},
        {"model/unk_token", "\"<|endoftext|>\""},
        {"model/end_of_word_suffix", "\"\""},
        {"model/merges/2", "[\"he\", \"ll\"]"},
        {"model/vocab/<|endoftext|>", "262"},
        {"decoder", NULL},
        {"normalizer", NULL},
        {"pre_tokenizer/use_regex", "true"},
        {"post_processor", "{\"type\": \"TemplateProcessing\"}"},
        {"added_tokens/0/special", "false"}, /* the end is special whatever the file says */
    };
    char    dir[64];
    lexicon l;
    synthetic_dir(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root = synthetic_json();
        patch(root, cases[i].path, cases[i].value);
        synthetic_write_json(dir, "tokenizer.json", root);
        if (lexicon_read(&l, dir) != DID_OK) fail_msg("%s", status_message());
        check_synthetic(&l, SYNTHETIC_END);
        assert_int_equal(l.pieces.piece[SYNTHETIC_END].kind, PIECE_SPECIAL);
        lexicon_clear(&l);
        json_decref(root);
    }
    synthetic_remove(dir);
}

static void reads_text_in_memory(void **state)
{
    (void)state;
    json_t *root = synthetic_json();
    char   *text = json_dumps(root, JSON_COMPACT);
    lexicon l;
    assert_int_equal(lexicon_parse(&l, text, strlen(text), "memory"), DID_OK);
    check_synthetic(&l, SYNTHETIC_END);
    lexicon_clear(&l);
    patch(root, "model/type", "\"WordPiece\"");
    free(text);
    text = json_dumps(root, JSON_COMPACT);
    assert_int_equal(lexicon_parse(&l, text, strlen(text), "memory"), DID_EFORMAT);
    assert_string_equal(status_message(),
                        "memory: the type of the model is \"WordPiece\", expected \"BPE\"");
    assert_null(l.pieces.piece);
    free(text);
    json_decref(root);
}

static void added_tokens_may_lie_beyond_a_gap(void **state)
{
    (void)state;
    char    dir[64];
    lexicon l;
    json_t *root = synthetic_json();
    synthetic_dir(dir);
    patch(root, "added_tokens/0/id", "900");
    patch(root, "added_tokens/1", "{\"id\": 800, \"content\": \"<|end\", \"special\": true}");
    patch(root, "added_tokens/2", "{\"id\": 259, \"content\": \"hello\"}");
    patch(root, "added_tokens/3", "{\"id\": 700, \"content\": \"\xE2\x96\x81\xE2\x96\x81\"}");
    synthetic_write_json(dir, "tokenizer.json", root);
    if (lexicon_read(&l, dir) != DID_OK) fail_msg("%s", status_message());
    check_synthetic(&l, 900);
    assert_int_equal(l.pieces.piece[899].kind, PIECE_NONE);
    assert_int_equal(l.pieces.piece[800].kind, PIECE_SPECIAL);
    assert_int_equal(l.pieces.piece[259].kind, PIECE_ADDED);
    assert_int_equal(l.n_added, 4);
    const int longest_first[] = {900, 700, 800, 259};
    for (int i = 0; i < 4; i++) assert_int_equal(l.added[i], longest_first[i]);
    lexicon_clear(&l);
    json_decref(root);
    synthetic_remove(dir);
}

static void reads_vocab_and_merges(void **state)
{
    (void)state;
    const char *const merges[] = {
        "#version: 0.2\nh e\nl l\nhe ll\nhell o\n\xC4\xA0 hello\n! \xC3\xA1\n",
        "h e\nl l\nhe ll\nhell o\n\xC4\xA0 hello\n! \xC3\xA1",
    };
    char    dir[64];
    lexicon l;
    json_t *root = synthetic_json();
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    synthetic_dir(dir);
    for (int with_end = 0; with_end < 2; with_end++) {
        if (with_end) json_object_set_new(vocab, "<|endoftext|>", json_integer(SYNTHETIC_END));
        synthetic_write_json(dir, "vocab.json", vocab);
        for (int i = 0; i < 2; i++) {
            synthetic_write(dir, "merges.txt", merges[i], strlen(merges[i]));
            if (lexicon_read(&l, dir) != DID_OK) fail_msg("%s", status_message());
            check_synthetic(&l, with_end ? SYNTHETIC_END : -1);
            assert_int_equal(l.n_added, with_end);
            lexicon_clear(&l);
        }
    }
    json_decref(root);
    synthetic_remove(dir);
}

/* One to three random changes: a bit, a byte, a digit, a stretch taken out, doubled or moved. */
static size_t mutate_text(char *text, size_t size)
{
    for (uint32_t n = 1 + draw(3); n > 0; n--) {
        size_t at = draw((uint32_t)size), len = 1 + draw(24);
        if (at + len > size) len = size - at;
        switch (draw(6)) {
        case 0: text[at] ^= (char)(1 << draw(8)); break;
        case 1: text[at] = (char)draw(256); break;
        case 2:
            while (at < size - 1 && (text[at] < '0' || text[at] > '9')) at++;
            text[at] = (char)('0' + draw(10));
            break;
        case 3:
            memmove(text + at, text + at + len, size - at - len);
            size -= len;
            break;
        case 4:
            memmove(text + at + len, text + at, size - at);
            size += len;
            break;
        default: memmove(text + draw((uint32_t)(size - len + 1)), text + at, len); break;
        }
    }
    return size;
}

static void change(json_t *at);

static json_t *random_value(void)
{
    static const char *const values[] = {
        "null", "true", "0", "3", "-1", "261", "262", "263", "4000", "4194304", "1e30", "\"\"",
        "\"h\"", "\"h e\"", "\"q q\"", "\"BPE\"", "\"ByteLevel\"", "[]", "{}", "[\"l\", \"l\"]",
        "{\"id\": 259, \"content\": \"hello\"}", "{\"id\": 500, \"content\": \"h\"}"};
    return json_loads(values[draw(sizeof values / sizeof *values)], JSON_DECODE_ANY, NULL);
}

/* Mostly the change is made further in, as long as there is something. */
static bool go_deeper(json_t *child)
{
    return json_array_size(child) + json_object_size(child) > 0 && draw(8) > 0;
}

/* An element is replaced, or the list grows. */
static void change_list(json_t *list)
{
    size_t  i = draw((uint32_t)json_array_size(list));
    json_t *child = json_array_get(list, i);
    if (go_deeper(child))
        change(child);
    else if (draw(2))
        json_array_append_new(list, random_value());
    else
        json_array_set_new(list, i, random_value());
}

static void *random_member(json_t *object)
{
    void *member = json_object_iter(object);
    for (uint32_t i = draw((uint32_t)json_object_size(object)); i > 0; i--)
        member = json_object_iter_next(object, member);
    return member;
}

/* A value is replaced, or two change places. */
static void change_object(json_t *object)
{
    void   *member = random_member(object), *other = random_member(object);
    json_t *child = json_object_iter_value(member);
    if (go_deeper(child)) {
        change(child);
    } else if (draw(2)) {
        json_object_iter_set_new(object, member, random_value());
    } else {
        json_incref(child);
        json_object_iter_set(object, member, json_object_iter_value(other));
        json_object_iter_set_new(object, other, child);
    }
}

/* One value somewhere in the tree. */
static void change(json_t *at)
{
    if (json_is_array(at) && json_array_size(at) > 0) change_list(at);
    if (json_is_object(at) && json_object_size(at) > 0) change_object(at);
}

/* Whatever a file holds, it is refused with a sentence or it makes a tokenizer that loses nothing.
 * Returns whether it is a tokenizer. */
static bool survive(const char *dir, const char *name)
{
    static const char sample[] = "hello hello!\xE1\xA0\x8E <|endoftext|> h\xC3\xA9llo\n\0\t'll 42";
    enum { SIZE = sizeof sample - 1 };
    tokenizer *t = NULL;
    status     s = tokenizer_open(&t, dir);
    if (s != DID_OK) {
        assert_int_equal(s, DID_EFORMAT);
        assert_null(t);
        assert_non_null(strstr(status_message(), name));
        assert_null(strchr(status_message(), '\n'));
        return false;
    }
    for (int specials = 0; specials < 2; specials++) {
        int32_t *ids;
        int      n;
        char    *back;
        size_t   size;
        assert_int_equal(tokenizer_encode(t, sample, SIZE, specials, &ids, &n), DID_OK);
        assert_int_equal(tokenizer_decode(t, ids, n, specials, &back, &size), DID_OK);
        assert_int_equal(size, SIZE);
        assert_memory_equal(back, sample, SIZE);
        free(back);
        free(ids);
    }
    tokenizer_close(&t);
    return true;
}

static int survive_mutated_text(const char *dir, const char *name, const char *good, int rounds)
{
    size_t size = strlen(good);
    char  *bad = malloc(size + 3 * 24);
    int    opened = 0;
    for (int i = 0; i < rounds; i++) {
        memcpy(bad, good, size);
        synthetic_write(dir, name, bad, mutate_text(bad, size));
        opened += survive(dir, name);
    }
    free(bad);
    return opened;
}

static void survives_mutated_files(void **state)
{
    (void)state;
    static const char merges[] =
        "#version: 0.2\nh e\nl l\nhe ll\nhell o\n\xC4\xA0 hello\n! \xC3\xA1\n";
    char    dir[64];
    json_t *root = synthetic_json();
    char   *good = json_dumps(root, JSON_COMPACT);
    synthetic_dir(dir);
    random_state = 11;
    assert_in_range(survive_mutated_text(dir, "tokenizer.json", good, 2500), 10, 1250);

    int opened = 0;
    for (int i = 0; i < 1500; i++) {
        json_t *bad = json_deep_copy(root);
        for (uint32_t n = 1 + draw(3); n > 0; n--) change(bad);
        synthetic_write_json(dir, "tokenizer.json", bad);
        opened += survive(dir, "tokenizer.json");
        json_decref(bad);
    }
    assert_in_range(opened, 100, 1400);
    synthetic_remove(dir);

    synthetic_dir(dir);
    synthetic_write_json(dir, "vocab.json",
                         json_object_get(json_object_get(root, "model"), "vocab"));
    assert_in_range(survive_mutated_text(dir, "merges.txt", merges, 1000), 50, 900);
    synthetic_remove(dir);
    free(good);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_it_does_not_do),
        cmocka_unit_test(refuses_broken_tables),
        cmocka_unit_test(refuses_files),
        cmocka_unit_test(reads_what_is_equal),
        cmocka_unit_test(reads_text_in_memory),
        cmocka_unit_test(added_tokens_may_lie_beyond_a_gap),
        cmocka_unit_test(reads_vocab_and_merges),
        cmocka_unit_test(survives_mutated_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
