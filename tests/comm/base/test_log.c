/* Who speaks, and in what shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static FILE *caught;
static int   stderr_before;
static char  text[8192];

static int catch_stderr(void **state)
{
    (void)state;
    caught = tmpfile();
    if (!caught) return 1;
    stderr_before = dup(STDERR_FILENO);
    return stderr_before < 0 || dup2(fileno(caught), STDERR_FILENO) < 0;
}

/* What went to stderr since catch_stderr. */
static const char *told(void)
{
    fflush(stderr);
    rewind(caught);
    text[fread(text, 1, sizeof text - 1, caught)] = '\0';
    return text;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    return fclose(caught);
}

static void test_shape(void **state)
{
    (void)state;
    double when = -1;
    int    end = 0;
    log_identity(0, 1, 0);
    log_say("draft", "%d blocks", 256);
    assert_int_equal(sscanf(told(), "%lf r0 draft: 256 blocks%n", &when, &end), 1);
    assert_true(when >= 0);
    assert_string_equal(text + end, "\n");
}

static void test_rank_0_speaks(void **state)
{
    (void)state;
    log_identity(3, 12, 0);
    log_say("draft", "not heard");
    log_warn("comm", "careful");
    assert_null(strstr(told(), "not heard"));
    assert_non_null(strstr(text, " r03 comm: warning: careful\n"));
}

static void test_width(void **state)
{
    (void)state;
    log_identity(0, 10, 0);
    log_say("a", "ten");
    log_identity(0, 11, 0);
    log_say("a", "eleven");
    log_identity(0, 1001, 0);
    log_say("a", "many");
    told();
    assert_non_null(strstr(text, " r0 a: ten\n"));
    assert_non_null(strstr(text, " r00 a: eleven\n"));
    assert_non_null(strstr(text, " r0000 a: many\n"));
}

static void test_quiet(void **state)
{
    (void)state;
    log_identity(0, 1, 1);
    log_say("draft", "not heard");
    log_warn("draft", "heard");
    assert_null(strstr(told(), "not heard"));
    assert_non_null(strstr(text, "warning: heard\n"));
    log_identity(0, 1, 0);
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    log_identity(0, 1, 0);
    log_say("draft", "%04000d", 0);
    log_say("draft", "next");
    told();
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text >= 2000 && end - text < 2048);
    assert_non_null(strstr(end, "draft: next\n"));
}

/* Last, for there is no way back. */
static void test_json(void **state)
{
    int rank, year, end = 0;
    (void)state;
    log_identity(0, 1, 0);
    log_as_json();
    log_warn("draft", "a \"b\"\n\xC2\x9B c\\d");
    assert_int_equal(sscanf(told(), "{\"time\": \"%d-%*d-%*dT%*d:%*d:%*fZ\", \"s\": %*f, \"rank\": %d, %n",
                            &year, &rank, &end), 2);
    assert_true(year > 2000 && rank == 0);
    assert_string_equal(text + end, "\"level\": \"warning\", \"room\": \"draft\", \"text\":"
                                    " \"a \\\"b\\\"??? c\\\\d\"}\n");
}

int main(void)
{
#define CAUGHT(test) cmocka_unit_test_setup_teardown(test, catch_stderr, release_stderr)
    const struct CMUnitTest tests[] = {
        CAUGHT(test_shape), CAUGHT(test_rank_0_speaks),    CAUGHT(test_width),
        CAUGHT(test_quiet), CAUGHT(test_long_line_is_cut), CAUGHT(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
