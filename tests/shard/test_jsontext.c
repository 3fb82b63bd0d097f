#include "crafted.h"

#include <sys/stat.h>
#include <unistd.h>

#include "jsontext.h"

static status parse(json_t **out, const char *text)
{
    return jsontext_parse(out, text, strlen(text), "here");
}

static void parses_an_object(void **state)
{
    (void)state;
    json_t *object;
    assert_int_equal(parse(&object, " {\"a\": [1, 2.5], \"b\": null}\n "), DID_OK);
    assert_int_equal(json_object_size(object), 2);
    json_decref(object);
}

static void refuses_what_is_not_one(void **state)
{
    (void)state;
    json_t *object;
    crafted_refused(parse(&object, ""), DID_EFORMAT, "here: not JSON|line 1");
    assert_null(object);
    crafted_refused(parse(&object, "{\n\n \"alpha\": 1,,"), DID_EFORMAT, "line 3|\"alpha\": 1,,");
    crafted_refused(parse(&object, "{} {}"), DID_EFORMAT, "here: not JSON|end of file expected");
    crafted_refused(parse(&object, "[1,\"x\"]"), DID_EFORMAT,
                    "found [1,\"x\"], expected a JSON object");
    crafted_refused(parse(&object, "true"), DID_EFORMAT, "found true, expected");
    crafted_refused(parse(&object, "{\"n\": 9223372036854775808}"), DID_EFORMAT, "too big integer");
    crafted_refused(parse(&object, "{\"n\": 1e999}"), DID_EFORMAT, "not JSON");
    crafted_refused(parse(&object, "{\"n\\u0000m\": 1}"), DID_EFORMAT, "here: not JSON");
    crafted_refused(parse(&object, "{\"n\xff\": 1}"), DID_EFORMAT, "here: not JSON");
    crafted_refused(parse(&object, "{\x01\x02}"), DID_EFORMAT, "here: not JSON");
    crafted_refused(jsontext_parse(&object, "{}\0{}", 5, "here"), DID_EFORMAT, "here: not JSON");
}

static void refuses_keys_that_occur_twice(void **state)
{
    (void)state;
    json_t *object;
    crafted_refused(parse(&object, "{\"a\": 1, \"b\": 2, \"a\": 1}"), DID_EFORMAT,
                    "duplicate object key|\"a\"|column");
    crafted_refused(parse(&object, "{\"a\": {\"b\": 1, \"b\": 2}}"), DID_EFORMAT,
                    "duplicate object key|\"b\"");
}

/* Deep nesting must not use up the stack. */
static void refuses_the_abyss(void **state)
{
    (void)state;
    enum { DEEP = 1 << 20 };
    char *text = malloc(DEEP);
    memset(text, '[', DEEP);
    json_t *object;
    crafted_refused(jsontext_parse(&object, text, DEEP, "here"), DID_EFORMAT, "depth");
    free(text);
}

static void reads_files(void **state)
{
    char   *path = crafted_path(*state, "some.json");
    json_t *object;
    crafted_write(path, "{\"k\": 3}", 8);
    assert_int_equal(jsontext_read(&object, path), DID_OK);
    assert_int_equal(json_integer_value(json_object_get(object, "k")), 3);
    json_decref(object);

    crafted_write(path, "{\"k\": 3", 7);
    crafted_refused(jsontext_read(&object, path), DID_EFORMAT, "some.json: not JSON");
    assert_null(object);
    crafted_write(path, "", 0);
    crafted_refused(jsontext_read(&object, path), DID_EFORMAT, "some.json: not JSON");

    assert_int_equal(truncate(path, (off_t)JSONTEXT_FILE_BYTES_MAX + 1), 0);
    crafted_refused(jsontext_read(&object, path), DID_EFORMAT,
                    "some.json: has 67108865 bytes|67108864");
    assert_int_equal(remove(path), 0);
    crafted_refused(jsontext_read(&object, path), DID_EIO, "some.json: cannot open: No such file");
    crafted_refused(jsontext_read(&object, *state), DID_EIO, "not a regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    crafted_refused(jsontext_read(&object, path), DID_EIO, "some.json: is not a regular file");
    free(path);
}

static void expect_shown(const char *text, const char *expected)
{
    char    shown[JSONTEXT_SHOWN];
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    assert_string_equal(jsontext_show(shown, value), expected);
    assert_ptr_equal(jsontext_show(shown, value), shown);
    json_decref(value);
}

static void shows_values_in_one_line(void **state)
{
    (void)state;
    char shown[JSONTEXT_SHOWN];
    assert_string_equal(jsontext_show(shown, NULL), "missing");
    expect_shown("7", "7");
    expect_shown("null", "null");
    expect_shown("[1, {\"a\": false}]", "[1,{\"a\":false}]");
    expect_shown("\"two\\nlines \\u007f\\u00e9\"", "\"two\\nlines ?\\u00E9\"");

    char text[300] = "\"";
    memset(text + 1, 'x', 298);
    text[298] = '"';
    text[299] = '\0';
    char expected[JSONTEXT_SHOWN];
    memset(expected, 'x', sizeof expected);
    expected[0] = '"';
    strcpy(expected + sizeof expected - 4, "...");
    expect_shown(text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_an_object),
        cmocka_unit_test(refuses_what_is_not_one),
        cmocka_unit_test(refuses_keys_that_occur_twice),
        cmocka_unit_test(refuses_the_abyss),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(shows_values_in_one_line),
    };
    return cmocka_run_group_tests(tests, crafted_begin, crafted_end);
}
