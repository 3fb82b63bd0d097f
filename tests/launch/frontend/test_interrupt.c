#include "interrupt.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Run `what` in a process of its own, because it may die of it; how did it end? */
static int ended(void (*what)(void))
{
    int   result = 0;
    pid_t child = fork();
    if (child == 0) {
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    return result;
}

static void one_signal_asks(void)
{
    interrupt_install();
    if (interrupt_asked()) _exit(1);
    raise(SIGTERM);
    if (!interrupt_asked()) _exit(2);
}

static void two_signals_kill(void)
{
    interrupt_install();
    raise(SIGTERM);
    raise(SIGTERM);
    _exit(3);
}

/* A scheduler's warning comes before its TERM. */
static void warnings_leave_room_for_a_term(void)
{
    interrupt_install();
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGTERM);
    if (!interrupt_asked()) _exit(4);
}

static void blocked_signals_wait(void)
{
    interrupt_install();
    interrupt_block();
    raise(SIGINT);
    if (interrupt_asked()) _exit(5);
    interrupt_unblock();
    if (!interrupt_asked()) _exit(6);
}

static void signals_are_flags(void **state)
{
    (void)state;
    assert_int_equal(ended(one_signal_asks), 0);
    assert_int_equal(ended(warnings_leave_room_for_a_term), 0);
    assert_int_equal(ended(blocked_signals_wait), 0);
    int result = ended(two_signals_kill);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_are_flags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
