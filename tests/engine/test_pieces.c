#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pieces.h"
#include "synthetic_tokenizer.h"

static void letters_spell_all_bytes(void **state)
{
    (void)state;
    char letters[3 * 256] = "", out[256];
    for (int b = 0; b < 256; b++) {
        char letter[3];
        synthetic_letter(b, letter);
        strcat(letters, letter);
    }
    assert_int_equal(pieces_spell(out, sizeof out, letters, strlen(letters)), 256);
    for (int b = 0; b < 256; b++) assert_int_equal((unsigned char)out[b], b);
    assert_int_equal(pieces_spell(out, 255, letters, strlen(letters)), -1);
    assert_int_equal(pieces_spell(out, sizeof out, "", 0), 0);
}

static void other_characters_spell_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {" ", "\x7F", "a\n", "\xC2\xA0", "\xC2\xAD", "\xC5\x84",
                                        "\xDF\xBF", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    char out[16];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(pieces_spell(out, sizeof out, wrong[i], strlen(wrong[i])), -1);
}

/* The 256 bytes as ids 0 .. 255, but for `without`. */
static void take_bytes(pieces *p, int count, int without)
{
    assert_int_equal(pieces_init(p, count, 300, 8192), DID_OK);
    for (int b = 0; b < 256; b++) {
        char byte = (char)b;
        if (b == without) continue;
        assert_int_equal(pieces_add(p, b, PIECE_TEXT, &byte, 1), DID_OK);
        pieces_index(p, b);
    }
}

static void finds_what_was_indexed(void **state)
{
    (void)state;
    pieces  p;
    int32_t byte_id[256];
    take_bytes(&p, 300, -1);
    assert_int_equal(pieces_add(&p, 256, PIECE_TEXT, "ab\0c", 4), DID_OK);
    pieces_index(&p, 256);
    assert_int_equal(pieces_add(&p, 299, PIECE_SPECIAL, "<x>", 3), DID_OK);
    assert_int_equal(pieces_check(&p, byte_id), DID_OK); /* 257 .. 298 are a gap before a special */
    for (int b = 0; b < 256; b++) assert_int_equal(byte_id[b], b);
    assert_int_equal(pieces_find(&p, "ab\0c", 4), 256);
    assert_int_equal(pieces_find(&p, "ab\0d", 4), -1);
    assert_int_equal(pieces_find(&p, "ab", 2), -1);
    assert_int_equal(pieces_find(&p, "<x>", 3), -1);
    pieces_seal(&p);
    assert_memory_equal(pieces_bytes(&p, 299), "<x>", 3);
    pieces_clear(&p);
}

static void refusals(void **state)
{
    (void)state;
    pieces  p;
    int32_t byte_id[256];
    char    big[PIECE_BYTES_MAX + 1];
    memset(big, 'x', sizeof big);

    take_bytes(&p, 300, -1);
    assert_int_equal(pieces_add(&p, 65, PIECE_TEXT, "zz\n", 3), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "id 65 is given to 'A' and to 'zz\\x0A'"));
    assert_int_equal(pieces_add(&p, 256, PIECE_TEXT, "", 0), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "id 256 has 0 bytes"));
    assert_int_equal(pieces_add(&p, 256, PIECE_TEXT, big, sizeof big), DID_EFORMAT);
    assert_int_equal(pieces_add(&p, 256, PIECE_TEXT, big, sizeof big - 1), DID_OK);
    assert_int_equal(pieces_add(&p, 258, PIECE_TEXT, "yy", 2), DID_OK);
    assert_int_equal(pieces_check(&p, byte_id), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "no piece has id 257 although 'yy' has id 258"));
    pieces_clear(&p);

    take_bytes(&p, 257, 0xE9);
    assert_int_equal(pieces_add(&p, 0xE9, PIECE_TEXT, "yy", 2), DID_OK);
    assert_int_equal(pieces_check(&p, byte_id), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "no piece for the byte 0xE9"));
    pieces_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_spell_all_bytes),
        cmocka_unit_test(other_characters_spell_nothing),
        cmocka_unit_test(finds_what_was_indexed),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
