#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "results.h"

typedef struct fixture {
    char folder[64], path[96];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-results-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->path, sizeof f->path, "%s/out", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static void fill(const fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    fputs(text, file);
    fclose(file);
}

static void holds(const fixture *f, const char *text)
{
    char   found[200] = "";
    FILE  *file = fopen(f->path, "r");
    size_t n = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    found[n] = '\0';
    assert_string_equal(found, text);
}

static status remember(void *context, const char *line, size_t size)
{
    char *seen = context;
    sprintf(seen + strlen(seen), "<%.*s>", (int)size, line);
    return DID_OK;
}

static status refuse(void *context, const char *line, size_t size)
{
    (void)context, (void)size;
    return status_fail(DID_EINVAL, "no %s", line);
}

static void a_new_file(void **state)
{
    fixture *f = *state;
    results *r;
    char     seen[200] = "";
    assert_int_equal(results_open(&r, f->path), DID_OK);
    assert_int_equal(results_resume(r, remember, seen), DID_OK);
    assert_string_equal(seen, "");
    assert_int_equal(results_append(r, "one"), DID_OK);
    holds(f, "one\n");
    assert_int_equal(results_append(r, ""), DID_OK);
    assert_int_equal(results_sync(r), DID_OK);
    assert_int_equal(results_close(&r), DID_OK);
    assert_null(r);
    holds(f, "one\n\n");
}

static void a_torn_line(void **state)
{
    fixture *f = *state;
    results *r;
    char     seen[200] = "";
    fill(f, "one\ntwo\nthr");
    assert_int_equal(results_open(&r, f->path), DID_OK);
    assert_int_equal(results_resume(r, remember, seen), DID_OK);
    assert_string_equal(seen, "<one><two>");
    holds(f, "one\ntwo\n");
    assert_int_equal(results_append(r, "three"), DID_OK);
    assert_int_equal(results_close(&r), DID_OK);
    holds(f, "one\ntwo\nthree\n");
}

/* A refused line changes nothing, the torn end neither. */
static void a_refused_line(void **state)
{
    fixture *f = *state;
    results *r;
    fill(f, "one\ntwo\nthr");
    assert_int_equal(results_open(&r, f->path), DID_OK);
    assert_int_equal(results_resume(r, refuse, NULL), DID_EINVAL);
    assert_string_equal(status_message(), "no one");
    assert_int_equal(results_close(&r), DID_OK);
    holds(f, "one\ntwo\nthr");
}

static void one_writer(void **state)
{
    fixture *f = *state;
    results *r, *other;
    assert_int_equal(results_open(&r, f->path), DID_OK);
    assert_int_equal(results_open(&other, f->path), DID_EIO);
    assert_non_null(strstr(status_message(), "being written by another process"));
    assert_int_equal(results_close(&r), DID_OK);
}

static void no_room(void **state)
{
    (void)state;
    results *r;
    assert_int_equal(results_open(&r, "/dev/full"), DID_OK);
    assert_int_equal(results_append(r, "one"), DID_EFULL);
    assert_non_null(strstr(status_message(), "/dev/full"));
    assert_int_equal(results_close(&r), DID_OK);
    assert_int_equal(results_open(&r, "/nowhere/out"), DID_EIO);
    assert_null(r);
    assert_non_null(strstr(status_message(), "/nowhere/out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_writer, set_up, tear_down),
        cmocka_unit_test(no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
