/* What a machine can do, written and read back; and every way in which the file may be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "calibration.h"
#include "machine.h"

static char dir[] = "/tmp/did-test-calibration-XXXXXX", path[128];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return 1;
    snprintf(path, sizeof path, "%s/a/b/calibration.json", dir);
    return 0;
}

static int tear_down(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static char *slurp(size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(1 << 16);
    assert_non_null(f);
    assert_non_null(text);
    *size = fread(text, 1, 1 << 16, f);
    fclose(f);
    return text;
}

static void spill(const char *text, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    fclose(f);
}

static void refused(const char *words)
{
    calibration c = {.cpus = 77};
    assert_int_not_equal(calibration_read(&c, path), DID_OK);
    if (!strstr(status_message(), words)) fail_msg("\"%s\" lacks \"%s\"", status_message(), words);
    assert_null(strchr(status_message(), '\n'));
    assert_int_equal(c.cpus, 77); /* nothing is half read */
}

static void what_is_written_is_read(void **state)
{
    calibration c = machine_made(), back;
    (void)state;
    c.link.measured = true;
    c.level[1].linear[1][0][2][3] = 1.0 / 3;
    assert_int_equal(calibration_write(&c, path), DID_OK); /* and makes its directories */
    assert_int_equal(calibration_read(&back, path), DID_OK);
    assert_string_equal(back.machine, "book");
    assert_string_equal(back.set[1], "plain16");
    assert_int_equal(back.level[1].ranks, 2);
    assert_true(back.link.measured);
    double third = back.level[1].linear[1][0][2][3];
    assert_true(third > 0.3333333 && third < 0.3333334);
    assert_true(back.sums.messages[5] > 0);
    assert_int_equal(calibration_write(&back, path), DID_OK); /* once more is the same */
    assert_int_equal(calibration_read(&c, path), DID_OK);
}

/* A digit, a key or a tail that is lost: one sentence, whatever it was. */
static void what_is_damaged_is_refused(void **state)
{
    calibration c = machine_made();
    size_t      size;
    (void)state;
    assert_int_equal(calibration_write(&c, path), DID_OK);
    char *text = slurp(&size);
    for (size_t at = 0; at < size; at += 37) {
        if (text[at] < '1' || text[at] > '8') continue;
        text[at]++;
        spill(text, size);
        calibration got;
        assert_int_not_equal(calibration_read(&got, path), DID_OK);
        text[at]--;
    }
    spill(text, size / 2);
    refused("not JSON");
    spill(text, 0);
    refused("not JSON");
    spill("{}", 2);
    refused("is no calibration");
    spill("{\"calibration\": 99}", 19);
    refused("format 99, expected 2");
    spill("{\"calibration\": 2}", 18);
    refused("damaged: its hash is missing");
    spill("[1]", 3);
    refused("expected a JSON object");
    char *near = strstr(text, "\"near\"");
    assert_null(near);
    char *held = strstr(text, "\"held\"");
    assert_non_null(held);
    memcpy(held, "\"hold\"", 6);
    spill(text, size);
    refused("is damaged");
    unlink(path);
    refused("cannot open");
    free(text);
}

static void another_machine_is_refused(void **state)
{
    calibration c = machine_made();
    (void)state;
    assert_int_equal(calibration_match(&c, "f", "1.2.3", "book", 2), DID_OK);
    assert_int_equal(calibration_match(&c, "f", "1.2.4", "book", 2), DID_EINVAL);
    assert_non_null(strstr(status_message(), "f is of did 1.2.3, this is 1.2.4"));
    assert_int_equal(calibration_match(&c, "f", "1.2.3", "shelf", 2), DID_EINVAL);
    assert_non_null(strstr(status_message(), "another machine (book, 2 processors)"));
    assert_int_equal(calibration_match(&c, "f", "1.2.3", "book", 4), DID_EINVAL);
}

static void where_it_is_kept(void **state)
{
    char place[64], small[4];
    (void)state;
    setenv("DID_CALIBRATION", "/a/b.json", 1);
    assert_int_equal(calibration_path(place, sizeof place), DID_OK);
    assert_string_equal(place, "/a/b.json");
    assert_int_equal(calibration_path(small, sizeof small), DID_EINVAL);
    unsetenv("DID_CALIBRATION");
    setenv("XDG_CONFIG_HOME", "/c", 1);
    assert_int_equal(calibration_path(place, sizeof place), DID_OK);
    assert_string_equal(place, "/c/did/calibration.json");
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", "/h", 1);
    assert_int_equal(calibration_path(place, sizeof place), DID_OK);
    assert_string_equal(place, "/h/.config/did/calibration.json");
    unsetenv("HOME");
    assert_int_equal(calibration_path(place, sizeof place), DID_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_damaged_is_refused),
        cmocka_unit_test(another_machine_is_refused),
        cmocka_unit_test(where_it_is_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
