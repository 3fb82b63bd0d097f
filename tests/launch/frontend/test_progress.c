#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "progress.h"

static char  *text;
static size_t size;

/* What a terminal of one line shows after `bytes`: \r and ESC [ K obeyed, nothing else expected. */
static void show_line(const char *bytes, char *line, size_t room)
{
    size_t column = 0;
    memset(line, 0, room);
    for (const char *at = bytes; *at; at++) {
        if (*at == '\r') {
            column = 0;
        } else if (*at == '\033') {
            assert_true(strncmp(at, "\033[K", 3) == 0);
            memset(line + column, 0, room - column);
            at += 2;
        } else if (*at != '\n') {
            assert_true(column < room - 1);
            line[column++] = *at;
        }
    }
}

static void a_bar(void **state)
{
    (void)state;
    progress     p;
    progress_now now = {.documents = 100, .drafting = 8};
    FILE        *terminal = open_memstream(&text, &size);
    char         line[200];
    progress_init(&p, terminal, 0.5);
    progress_show(&p, &now, 10);
    show_line(text, line, sizeof line);
    assert_string_equal(
        line, "[....................] 0/100  0 tokens/s  8 drafting 0 refining  ETA --:--:--");

    size_t drawn = size;
    now.done = 50;
    progress_show(&p, &now, 10.4);
    fflush(terminal);
    assert_int_equal(size, drawn); /* too early */

    now.drawn = 2000;
    now.share = 0;
    now.refining = 3;
    progress_show(&p, &now, 20);
    show_line(text, line, sizeof line);
    assert_string_equal(
        line, "[#########..........] 50/100  200 tokens/s  8 drafting 3 refining  ETA 00:00:10");
    now.done = 100;
    now.failed = 2;
    now.drafting = now.refining = 0;
    progress_finish(&p, &now, 30);
    show_line(text, line, sizeof line);
    assert_non_null(strstr(line, "#] 100/100 2 failed"));
    assert_non_null(strstr(line, "ETA 00:00:00"));
    assert_int_equal(text[size - 1], '\n');
    fclose(terminal);
    free(text);
}

/* Documents of earlier runs are done, but they do not make this run look fast. */
static void a_resumed_bar(void **state)
{
    (void)state;
    progress     p;
    progress_now now = {.documents = 100, .done = 90, .earlier = 90};
    FILE        *terminal = open_memstream(&text, &size);
    char         line[200];
    progress_init(&p, terminal, 0.5);
    progress_show(&p, &now, 0);
    now.done = 91;
    now.share = 1;
    progress_show(&p, &now, 600);
    show_line(text, line, sizeof line);
    assert_non_null(strstr(line, "91/100"));
    assert_non_null(strstr(line, "ETA 00:40:00"));
    progress_finish(&p, &now, 601);
    fclose(terminal);
    free(text);
}

/* However large the numbers: one line of 80 columns, or drawing over it would not work. */
static void never_wraps(void **state)
{
    (void)state;
    progress     p;
    progress_now now = {.documents = 100000000,
                        .done = 99999999,
                        .failed = 1234567,
                        .drafting = 1000000,
                        .refining = 1000000,
                        .drawn = 1};
    FILE        *terminal = open_memstream(&text, &size);
    char         line[400];
    progress_init(&p, terminal, 0);
    progress_show(&p, &now, 1);
    now.drawn = 1L << 60;
    progress_show(&p, &now, 2);
    show_line(text, line, sizeof line);
    assert_int_equal(strlen(line), 79);
    progress_finish(&p, &now, 3);
    fclose(terminal);
    free(text);
}

/* Without a terminal: one line of the log per interval, and one at the end. */
static void lines_of_the_log(void **state)
{
    (void)state;
    progress     p;
    progress_now now = {.documents = 10, .done = 1, .failed = 1};
    FILE        *out = open_memstream(&text, &size), *before = stderr;
    stderr = out;
    progress_init(&p, NULL, 10);
    for (int second = 0; second <= 25; second++) {
        now.drawn = 100 * second;
        progress_show(&p, &now, second);
    }
    progress_finish(&p, &now, 26);
    stderr = before;
    fclose(out);
    int lines = 0;
    for (const char *at = text; *at; at++) lines += *at == '\n';
    assert_int_equal(lines, 3);
    assert_non_null(strstr(text,
                           "progress: 1 of 10 documents (1 failed), 100 tokens/s, 0 drafting, "
                           "0 refining, ETA 00:01:30"));
    assert_null(strchr(text, '\033'));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bar), cmocka_unit_test(a_resumed_bar),
                                       cmocka_unit_test(never_wraps),
                                       cmocka_unit_test(lines_of_the_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
