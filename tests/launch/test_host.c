#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void memory_has_a_limit_and_a_source(void **state)
{
    const char *source = NULL;
    size_t      limit = host_memory_limit(0, &source);
    (void)state;
    assert_true(limit > (size_t)16 << 20);
    assert_true(limit < (size_t)1 << 50);
    assert_true(!strcmp(source, "cgroup") || !strcmp(source, "free memory"));
}

/* What is held already counts as ours where the free memory decides. */
static void held_bytes_are_not_counted_twice(void **state)
{
    const char *source;
    size_t      held = (size_t)1 << 40, limit = host_memory_limit(held, &source);
    (void)state;
    if (strcmp(source, "cgroup")) assert_true(limit > held);
    else assert_true(limit < held);
}

/* The launcher's stderr may be the user's log file: looking for a terminal must not touch it. */
static void a_log_file_is_no_terminal_and_stays_whole(void **state)
{
    char        name[] = "/tmp/test_host.XXXXXX";
    int         fd = mkstemp(name), result;
    struct stat about;
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "kept\n", 5), 5);
    pid_t launcher = fork();
    if (launcher == 0) {
        dup2(fd, STDERR_FILENO);
        pid_t child = fork();
        if (child == 0) {
            int quiet[2];
            if (pipe(quiet)) _exit(2);
            dup2(quiet[1], STDERR_FILENO);
            _exit(host_terminal() != NULL);
        }
        waitpid(child, &result, 0);
        _exit(!WIFEXITED(result) || WEXITSTATUS(result));
    }
    assert_int_equal(waitpid(launcher, &result, 0), launcher);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_size, 5);
    close(fd);
    unlink(name);
}

static void what_has_no_lines_has_24(void **state)
{
    FILE *f = fopen("/dev/null", "w");
    (void)state;
    assert_non_null(f);
    assert_int_equal(host_terminal_lines(f), 24);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_has_a_limit_and_a_source),
        cmocka_unit_test(held_bytes_are_not_counted_twice),
        cmocka_unit_test(a_log_file_is_no_terminal_and_stays_whole),
        cmocka_unit_test(what_has_no_lines_has_24),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
