/* Events: what is counted, and what the journal tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "events.h"

static char text[32768];

/* The journal as text; small enough for a pipe to hold. */
static int dump(void)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    errno = 77;
    event_dump(fd[1]);
    assert_int_equal(errno, 77);
    close(fd[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(fd[0], text + len, sizeof text - 1 - len)) > 0;) len += (size_t)n;
    text[len] = '\0';
    close(fd[0]);
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
    return lines;
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(dump(), 0);
    assert_int_equal(event_totals(EV_PLAN).count, 0);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(event_name(EV_SETUP), "setup");
    assert_string_equal(event_name(EV_SUM_ATTENTION), "attention");
    assert_string_equal(event_name(EV_BENCH), "bench");
}

static void test_open_event(void **state)
{
    (void)state;
    assert_int_equal(event_inside().number, -1);
    event_begin(EV_SUM_MLP, 12);
    event_open first = event_inside();
    assert_int_equal(first.e, EV_SUM_MLP);
    assert_int_equal(first.bytes, 12);
    event_end(EV_SUM_MLP);
    assert_int_equal(event_inside().number, -1);
    event_begin(EV_SUM_MLP, 12);
    assert_int_not_equal(event_inside().number, first.number);
    event_end(EV_SUM_MLP);
}

static void test_totals(void **state)
{
    (void)state;
    event_begin(EV_DRAW, 100);
    clock_sleep(0.01);
    event_end(EV_DRAW);
    event_begin(EV_DRAW, 28);
    event_end(EV_DRAW);
    event_total t = event_totals(EV_DRAW);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.bytes, 128);
    assert_true(t.seconds >= 0.0099 && t.seconds < 5);
    assert_int_equal(event_totals(EV_STATUS).count, 0);
}

static void test_inside(void **state)
{
    (void)state;
    event_begin(EV_SUM_MLP, 4096);
    clock_sleep(0.002);
    int lines = dump();
    event_end(EV_SUM_MLP);
    assert_int_equal(lines, 3);
    assert_non_null(strstr(text, ": draw, 100 bytes, took 0.01"));
    const char *open = strstr(text, ": mlp, 4096 bytes, still inside after 0.");
    assert_non_null(open);
    assert_int_equal(strncmp(strrchr(open, 's'), "s\n", 3), 0);
    dump();
    assert_null(strstr(text, "still inside"));
}

static void test_ring(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        event_begin(EV_REPORT, i);
        event_end(EV_REPORT);
    }
    assert_int_equal(dump(), 64);
    const char *at = text;
    for (int i = 936; i < 1000; i++) {
        int    number = 0, bytes = 0;
        double when = 0, took = 0;
        assert_int_equal(sscanf(at, "event %d at %lf s: report, %d bytes, took %lf s", &number,
                                &when, &bytes, &took), 4);
        assert_int_equal(bytes, i);
        assert_int_equal(number, i + 4);  /* three events of the tests above came first */
        at = strchr(at, '\n') + 1;
    }
}

static void test_broken_pipe_is_survived(void **state)
{
    (void)state;
    event_dump(-1);
}

int main(void)
{
    clock_seconds();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_names),
        cmocka_unit_test(test_totals), cmocka_unit_test(test_inside),
        cmocka_unit_test(test_ring), cmocka_unit_test(test_broken_pipe_is_survived),
        cmocka_unit_test(test_open_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
