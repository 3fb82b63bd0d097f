#include "jsonl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/test_jsonl.XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 ? 1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static jsonl *open_with(const char *text, size_t size)
{
    jsonl *j = NULL;
    FILE  *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(jsonl_open(&j, file), DID_OK);
    return j;
}

static void expect_line(jsonl *j, const char *expected, long number)
{
    char  *text;
    size_t size;
    assert_int_equal(jsonl_next(j, &text, &size), DID_OK);
    if (expected == NULL) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
    assert_int_equal(jsonl_number(j), number);
}

static void lines_of_all_kinds(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "first\r\n\nthird\n\xef\xbb\xbfx\nlast";
    jsonl            *j = open_with(text, sizeof text - 1);
    (void)state;
    expect_line(j, "first", 1);
    expect_line(j, "", 2);
    expect_line(j, "third", 3);
    expect_line(j, "\xef\xbb\xbfx", 4);
    expect_line(j, "last", 5);
    expect_line(j, NULL, 5);
    jsonl_close(&j);
    assert_null(j);
    j = open_with("", 0);
    expect_line(j, NULL, 0);
    jsonl_close(&j);
    j = open_with("\n", 1);
    expect_line(j, "", 1);
    expect_line(j, NULL, 1);
    jsonl_close(&j);
}

static void text_in_memory_has_the_same_lines(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "first\r\n\nlast";
    char             *line;
    size_t            size;
    jsonl            *j;
    (void)state;
    assert_int_equal(jsonl_open_text(&j, text, sizeof text), DID_OK);
    expect_line(j, "first", 1);
    expect_line(j, "", 2);
    assert_int_equal(jsonl_next(j, &line, &size), DID_OK);
    assert_int_equal(size, 5); /* a NUL is a byte like others */
    assert_memory_equal(line, "last", 5);
    expect_line(j, NULL, 3);
    jsonl_close(&j);
    assert_int_equal(jsonl_open_text(&j, text, 0), DID_OK);
    expect_line(j, NULL, 0);
    jsonl_close(&j);
}

static void the_longest_line_fits_and_one_more_byte_does_not(void **state)
{
    size_t size = (size_t)2 * JSONL_LINE_MAX + 8, got;
    char  *text = malloc(size), *line;
    (void)state;
    assert_non_null(text);
    memset(text, 'a', size);
    text[JSONL_LINE_MAX] = '\n';
    memcpy(text + size - 5, "\nend\n", 5);
    jsonl *j = open_with(text, size);
    free(text);
    assert_int_equal(jsonl_next(j, &line, &got), DID_OK);
    assert_int_equal(got, JSONL_LINE_MAX);
    assert_int_equal(jsonl_next(j, &line, &got), DID_EFORMAT);
    assert_string_equal(status_message(), "the line is longer than 16777216 bytes");
    assert_int_equal(jsonl_number(j), 2);
    expect_line(j, "end", 3);
    expect_line(j, NULL, 3);
    jsonl_close(&j);
}

static void what_cannot_be_read_is_said(void **state)
{
    jsonl *j = NULL;
    char  *line;
    size_t size;
    (void)state;
    assert_int_equal(jsonl_open(&j, "/no/such/file"), DID_EIO);
    assert_string_equal(status_message(), "cannot read /no/such/file: No such file or directory");
    assert_null(j);
    assert_int_equal(jsonl_open(&j, "/tmp"), DID_OK);
    assert_int_equal(jsonl_next(j, &line, &size), DID_EIO);
    assert_string_equal(status_message(), "Is a directory");
    jsonl_close(&j);
}

static void json_that_is_none(void **state)
{
    static const struct {
        const char *text, *part;
        int         column;
    } bad[] = {
        {"{\"a\": 1", "not JSON: '}' expected near end of file", 7},
        {"{\"a\": x}", "not JSON: invalid token near 'x'", 7},
        {"{\"a\":1} 2", "not JSON: end of file expected near '2'", 9},
        {"{\"a\":1,\"a\":2}", "not JSON: duplicate object key", 10},
        {"[1]", "found a JSON array, expected an object", 1},
        {"{\"a\": 99999999999999999999}", "not JSON: too big integer", 26},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *o;
        int     column;
        assert_int_equal(jsonl_parse(&o, bad[i].text, strlen(bad[i].text), &column), DID_EFORMAT);
        assert_null(o);
        if (!strstr(status_message(), bad[i].part))
            assert_string_equal(status_message(), bad[i].part);
        assert_int_equal(column, bad[i].column);
    }
    char    deep[6001];
    json_t *o;
    int     column;
    memset(deep, '[', 6000);
    deep[6000] = '\0';
    assert_int_equal(jsonl_parse(&o, deep, 6000, &column), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "maximum parsing depth"));
}

static void keys_are_found_where_they_stand(void **state)
{
    static const char text[] =
        "{\"\xc3\xa9\": \"\\\"seed\\\":\", \"x\":{\"seed\" : 1,\"y\":[{\"z\":2}]}"
        ", \"seed\":3}";
    int outer = jsonl_column(text, sizeof text - 1, "seed", 1);
    (void)state;
    assert_int_equal(outer, 52);
    assert_int_equal(jsonl_column(text, sizeof text - 1, "seed", 2), 25);
    assert_int_equal(jsonl_column(text, sizeof text - 1, "z", 4), 42);
    assert_int_equal(jsonl_column(text, sizeof text - 1, "z", 1), 0);
    assert_int_equal(jsonl_column(text, sizeof text - 1, "nothing", 1), 0);
    assert_int_equal(jsonl_column("{\"a\" \t\r:1}", 10, "a", 1), 2);
    assert_int_equal(jsonl_column_at("\xc3\xa9z", 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_all_kinds),
        cmocka_unit_test(text_in_memory_has_the_same_lines),
        cmocka_unit_test(the_longest_line_fits_and_one_more_byte_does_not),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(json_that_is_none),
        cmocka_unit_test(keys_are_found_where_they_stand),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
