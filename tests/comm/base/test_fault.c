#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

static int forget(void **state)
{
    (void)state;
    unsetenv("DID_FAULT");
    return fault_begin();
}

static void nothing_asked(void **state)
{
    (void)state;
    for (int k = 0; k < FAULT_KINDS; k++)
        for (int i = 0; i < 100; i++) assert_false(fault_point((fault_kind)k));
    assert_int_equal(fault_left(), 0);
}

#ifdef DID_FAULTS

static void begin(const char *text)
{
    setenv("DID_FAULT", text, 1);
    if (fault_begin() != DID_OK) fail_msg("%s", status_message());
}

/* The Nth call of that kind and no other; kinds do not count each other. */
static void the_nth_fails(void **state)
{
    (void)state;
    begin("write:3:fail,fsync:1:fail,write:5:fail");
    assert_int_equal(fault_left(), 3);
    for (int i = 1; i <= 7; i++) {
        errno = 0;
        assert_int_equal(fault_point(FAULT_WRITE), i == 3 || i == 5);
        assert_int_equal(errno, i == 3 || i == 5 ? ENOSPC : 0);
        assert_false(fault_point(FAULT_TRUNCATE));
    }
    assert_int_equal(fault_left(), 1);
    assert_true(fault_point(FAULT_FSYNC));
    assert_int_equal(errno, EIO);
    assert_int_equal(fault_left(), 0);
    begin("write:1:fail");
    assert_true(fault_point(FAULT_WRITE));
}

static void dies_there(void **state)
{
    (void)state;
    int   how;
    pid_t child = fork();
    if (child == 0) {
        begin("send:2:die");
        if (fault_point(FAULT_SEND) || fault_point(FAULT_RECEIVE)) _exit(1);
        fault_point(FAULT_SEND);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 137);
}

static void memory_is_refused(void **state)
{
    (void)state;
    begin("memory:2:fail");
    char *first = malloc(16), *second = strdup("two"), *third = calloc(2, 8);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    free(first);
    free(third);
}

static void refuses_nonsense(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "write",          "write:3",       "write:0:fail",  "write:-1:fail",
        "write:x:fail",   "wrote:1:fail",  "write:1:burn",  "write:1:failure",
        "write:1:fail,x", ":1:fail",       "write:1:",      "write:99999999999999999999:fail",
        "write:1:fail,,", "write:1:fai",   "write:1:dies",
        ("send:1:die,send:2:die,send:3:die,send:4:die,send:5:die,send:6:die,send:7:die,send:8:die,"
         "send:9:die")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("DID_FAULT", bad[i], 1);
        if (fault_begin() != DID_EINVAL) fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(strstr(status_message(), "DID_FAULT"));
    }
    assert_non_null(strstr(fault_kinds(), "fsync"));
}

#else

static void refuses_to_pretend(void **state)
{
    (void)state;
    setenv("DID_FAULT", "write:1:fail", 1);
    assert_int_equal(fault_begin(), DID_EINVAL);
    assert_non_null(strstr(status_message(), "this build has no faults"));
    assert_null(fault_kinds());
    assert_false(fault_point(FAULT_WRITE));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_asked, forget, forget),
#ifdef DID_FAULTS
        cmocka_unit_test_setup_teardown(the_nth_fails, forget, forget),
        cmocka_unit_test_setup_teardown(dies_there, forget, forget),
        cmocka_unit_test_setup_teardown(memory_is_refused, forget, forget),
        cmocka_unit_test_setup_teardown(refuses_nonsense, forget, forget),
#else
        cmocka_unit_test_setup_teardown(refuses_to_pretend, forget, forget),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
