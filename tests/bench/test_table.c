#include "table.h"

#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const column columns[] = {{"op", "op", -6, 0},
                                 {"rows", "rows", 4, 0},
                                 {"gflops", "GFLOP/s", 8, 1},
                                 {"gbs", "GB/s", 6, 1}};

static char directory[] = "/tmp/test_table.XXXXXX", file[64];

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory)) return 1;
    snprintf(file, sizeof file, "%s/lines", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(directory);
}

static json_t *right_line(void)
{
    return json_pack("{s:s, s:i, s:b, s:f}", "op", "norm", "rows", 16, "valid", 1, "gbs", 12.34);
}

static json_t *wrong_line(void)
{
    return json_pack("{s:s, s:i, s:b, s:s}", "op", "gelu", "rows", 4, "valid", 0, "why",
                     "an element is 3, expected 2");
}

/* What people see of a table with a right and a wrong line. */
static char *shown(const char *json)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *people = open_memstream(&text, &size);
    table *t = NULL;
    assert_int_equal(table_open(&t, people, json), DID_OK);
    table_begin(t, "a title", columns, 4);
    table_line(t, right_line());
    table_line(t, wrong_line());
    assert_int_equal(table_invalid(t), 1);
    assert_int_equal(table_close(&t), DID_OK);
    assert_null(t);
    fclose(people);
    return text;
}

static void people_see_columns(void **state)
{
    (void)state;
    char *text = shown(NULL);
    assert_string_equal(text, "\na title\n"
                              "op      rows   GFLOP/s    GB/s\n"
                              "norm      16         -    12.3\n"
                              "gelu       4  INVALID: an element is 3, expected 2\n"
                              "\n1 INVALID\n");
    free(text);
}

static void programs_see_objects(void **state)
{
    (void)state;
    char  line[256];
    char *text = shown(file);
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    for (int i = 0; i < 2; i++) {
        assert_non_null(fgets(line, sizeof line, f));
        json_t *got = json_loads(line, 0, NULL), *want = i ? wrong_line() : right_line();
        assert_true(json_equal(got, want));
        json_decref(got);
        json_decref(want);
    }
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    free(text);
}

static void times_have_units(void **state)
{
    (void)state;
    json_t  *line = json_object();
    measured m = {.min = 0.001,
                  .median = 0.002,
                  .max = 0.5,
                  .slowest = 3,
                  .host = "north",
                  .samples = 5,
                  .calls = 7};
    table_times(line, &m);
    assert_true(json_real_value(json_object_get(line, "ms_min")) == 1);
    assert_true(json_real_value(json_object_get(line, "ms_median")) == 2);
    assert_true(json_real_value(json_object_get(line, "ms_max")) == 500);
    assert_string_equal(json_string_value(json_object_get(line, "slowest")), "r3 north");
    json_decref(line);
}

static void without_a_table_nothing_happens(void **state)
{
    (void)state;
    table *none = NULL;
    table_begin(none, "a title", columns, 4);
    table_line(none, right_line());
    table_remark(none, "nothing");
    assert_int_equal(table_invalid(none), 0);
    assert_int_equal(table_close(&none), DID_OK);
}

static void a_bad_place_is_named(void **state)
{
    (void)state;
    table *t = NULL;
    assert_int_equal(table_open(&t, stdout, "/nowhere/at/all"), DID_EIO);
    assert_non_null(strstr(status_message(), "/nowhere/at/all"));
    assert_null(t);
}

static void a_full_disk_is_noticed(void **state)
{
    (void)state;
    table *t = NULL;
    char  *text = NULL;
    size_t size = 0;
    FILE  *people = open_memstream(&text, &size);
    if (table_open(&t, people, "/dev/full") != DID_OK) skip();
    table_line(t, right_line());
    assert_int_equal(table_close(&t), DID_EIO);
    fclose(people);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_see_columns),   cmocka_unit_test(programs_see_objects),
        cmocka_unit_test(times_have_units),     cmocka_unit_test(without_a_table_nothing_happens),
        cmocka_unit_test(a_bad_place_is_named), cmocka_unit_test(a_full_disk_is_noticed)};
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
