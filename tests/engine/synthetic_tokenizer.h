/* synthetic_tokenizer.h - a tokenizer small enough to be changed at will: the 256 bytes, a handful
 * of merges and <|endoftext|>, as the JSON of a tokenizer.json. */
#ifndef DID_SYNTHETIC_TOKENIZER_H
#define DID_SYNTHETIC_TOKENIZER_H

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ids: byte b is 255 - b, so that nothing works by accident; then the merges, then the end. */
enum { SYNTHETIC_MERGES = 6, SYNTHETIC_END = 256 + SYNTHETIC_MERGES };

/* The letter of a byte as encoder.py counts it out, in UTF-8. */
static inline void synthetic_letter(int byte, char out[3])
{
    unsigned letter = 0x100;
    for (int b = 0; b < 256; b++) {
        int plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
        if (b == byte) {
            if (plain) letter = (unsigned)b;
            break;
        }
        if (!plain) letter++;
    }
    int n = 0;
    if (letter < 0x80) {
        out[n++] = (char)letter;
    } else {
        out[n++] = (char)(0xC0 | letter >> 6);
        out[n++] = (char)(0x80 | (letter & 0x3F));
    }
    out[n] = '\0';
}

static inline json_t *synthetic_json(void)
{
    static const char *const merge[SYNTHETIC_MERGES][2] = {
        {"h", "e"}, {"l", "l"}, {"he", "ll"}, {"hell", "o"}, {"\xC4\xA0", "hello"},
        {"!", "\xC3\xA1"} /* '!' and the byte 0xE1 */};
    json_t *vocab = json_object(), *merges = json_array();
    for (int b = 0; b < 256; b++) {
        char letter[3];
        synthetic_letter(b, letter);
        json_object_set_new(vocab, letter, json_integer(255 - b));
    }
    for (int i = 0; i < SYNTHETIC_MERGES; i++) {
        json_array_append_new(merges, json_sprintf("%s %s", merge[i][0], merge[i][1]));
        json_t *whole = json_sprintf("%s%s", merge[i][0], merge[i][1]);
        json_object_set_new(vocab, json_string_value(whole), json_integer(256 + i));
        json_decref(whole);
    }
    json_t *root = json_pack(
        "{s:s, s:[{s:i, s:s, s:b}], s:n, s:{s:s, s:b}, s:{s:s}, s:{s:s, s:o, s:o}}",
        "version", "1.0", "added_tokens", "id", SYNTHETIC_END, "content", "<|endoftext|>",
        "special", 1, "normalizer", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0,
        "decoder", "type", "ByteLevel", "model", "type", "BPE", "vocab", vocab, "merges", merges);
    assert(root);
    return root;
}

/* A fresh directory, and a file in it. */
static inline void synthetic_dir(char dir[64])
{
    strcpy(dir, "/tmp/did-tokenizer-XXXXXX");
    if (!mkdtemp(dir)) abort();
}

static inline void synthetic_write(const char *dir, const char *name, const char *bytes,
                                   size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) abort();
}

static inline void synthetic_write_json(const char *dir, const char *name, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    synthetic_write(dir, name, text, strlen(text));
    free(text);
}

/* Remove the files a test may have written, and the directory. */
static inline void synthetic_remove(const char *dir)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "merges.txt"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

#endif
