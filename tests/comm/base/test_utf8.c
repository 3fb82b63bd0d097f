#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "utf8.h"

/* Straight from the definition of the encoding forms, surrogates included. */
static size_t encode(char *out, unsigned c)
{
    if (c < 0x80) return (size_t)(out[0] = (char)c, 1);
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF0 << (4 - n)) | c);
    return n;
}

static void every_code_point(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x120000; c++) {
        char   bytes[4];
        bool   whole = false;
        size_t n = encode(bytes, c);
        size_t step = utf8_step(bytes, n, &whole);
        if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
            assert_false(whole);
            assert_int_equal(step, 1);
        } else {
            assert_true(whole);
            assert_int_equal(step, n);
        }
    }
}

/* The examples of the Unicode Standard, section 3.9, tables 3-8 to 3-11, and cut characters. */
static void maximal_subparts(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *steps; /* one digit per sequence */
    } cases[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "111111111"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "111111111"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "111111111"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "21321"},
        {"\xC3", "1"},
        {"\xE2\x82", "2"},
        {"\xF0\x9F\x98", "3"},
        {"\xF8\x88\x80\x80\x80", "11111"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = 0, size = strlen(cases[i].bytes);
        char  *exact = malloc(size); /* no NUL behind it: reading on is caught */
        memcpy(exact, cases[i].bytes, size);
        for (const char *s = cases[i].steps; *s; s++) {
            bool whole;
            assert_int_equal(utf8_step(exact + at, size - at, &whole), *s - '0');
            assert_int_equal(whole, (unsigned char)exact[at] < 0x80);
            at += (size_t)(*s - '0');
        }
        assert_int_equal(at, size);
        free(exact);
    }
}

static void check_finds_the_first(void **state)
{
    (void)state;
    assert_int_equal(utf8_check("", 0), 0);
    assert_int_equal(utf8_check("a\xC3\xA9z", 4), 4);
    assert_int_equal(utf8_check("a\xC3\xA9\xC3", 4), 3);
    assert_int_equal(utf8_check("a\0\xFF\xFF", 4), 2);
}

static void quoting(void **state)
{
    (void)state;
    char out[16];
    assert_string_equal(utf8_quote(out, sizeof out, "a\n\x7F", 3), "a\\x0A\\x7F");
    assert_string_equal(utf8_quote(out, sizeof out, "\xC3\xA9\xC3", 3), "\xC3\xA9\\xC3");
    assert_string_equal(utf8_quote(out, sizeof out, "0123456789abcdef", 16), "012345678...");
    /* At no length does a cut split a character or leave the buffer. */
    char euros[3 * 20];
    for (int i = 0; i < 20; i++) memcpy(euros + 3 * i, "\xE2\x82\xAC", 3);
    for (size_t size = 0; size <= sizeof euros; size += 3) {
        utf8_quote(out, sizeof out, euros, size);
        assert_true(strlen(out) < sizeof out);
        assert_int_equal(utf8_check(out, strlen(out)), strlen(out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(maximal_subparts),
        cmocka_unit_test(check_finds_the_first),
        cmocka_unit_test(quoting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
