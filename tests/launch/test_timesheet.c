/* Times of documents, and of those they went on from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "timesheet.h"

static const char text[] = "length = 8\ndocuments = 5\nseeds = 1\n[draft]\nstages = 4\n";

static double seconds_of(const harvest *h, int document)
{
    return h->setting[0].document[document].seconds;
}

static void what_is_shared_counts_in_each(void **state)
{
    char       path[] = "/tmp/did-timesheet-XXXXXX";
    timesheet *t;
    spec       s;
    harvest    h;
    int        file = mkstemp(path);
    (void)state;
    close(file);
    assert_int_equal(timesheet_open(&t, path), DID_OK);
    timesheet_note(t, "draft/1/000000", 0.5, "two");
    timesheet_note(t, "draft/1/000001", 0.25, NULL);
    timesheet_note(t, "one", 4, NULL);
    timesheet_note(t, "two", 2, "one");
    timesheet_note(t, "draft/1/000002", 0.125, "one");
    timesheet_note(t, "draft/1/000003", 1, "nobody");
    timesheet_note(t, "draft/1/000004", 1, "draft/1/000004"); /* no end to that */
    assert_int_equal(timesheet_close(&t), DID_OK);
    assert_int_equal(spec_parse(&s, text, "spec", NULL), DID_OK);
    assert_int_equal(harvest_open(&h, &s, 99), DID_OK);
    assert_int_equal(timesheet_read(&h, path), DID_OK);
    assert_true(seconds_of(&h, 0) == 6.5);
    assert_true(seconds_of(&h, 1) == 0.25);
    assert_true(seconds_of(&h, 2) == 4.125);
    assert_true(isnan(seconds_of(&h, 3)));
    assert_true(isnan(seconds_of(&h, 4)));
    harvest_close(&h);
    spec_clear(&s);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_shared_counts_in_each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
