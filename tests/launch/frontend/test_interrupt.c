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

static void say(void *context)
{
    ssize_t written = write(*(int *)context, "farewell", 8);
    (void)written;
}

/* The main thread is busy and looks at no flag. */
static int ears[2];
static void busy_until_term(void)
{
    interrupt_install();
    if (interrupt_farewell(say, &ears[1], 6) != DID_OK) _exit(1);
    raise(SIGTERM);
    for (;;) pause();
}

static void nothing_to_say(void)
{
    interrupt_install();
    if (interrupt_farewell(NULL, NULL, 6) != DID_OK) _exit(1);
    raise(SIGUSR1);
    if (!interrupt_asked()) _exit(2);
    raise(SIGTERM);
    for (;;) pause();
}

static void taken_back(void)
{
    interrupt_install();
    for (int i = 0; i < 3; i++) {
        if (interrupt_farewell(say, &ears[1], 6) != DID_OK) _exit(1);
        interrupt_farewell_end();
    }
    interrupt_farewell_end();
    raise(SIGTERM);
    if (!interrupt_asked()) _exit(2);
    usleep(100000);
}

static void farewells(void **state)
{
    char heard[16] = "";
    (void)state;
    assert_int_equal(pipe(ears), 0);
    int result = ended(busy_until_term);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 6);
    assert_int_equal(read(ears[0], heard, sizeof heard), 8);
    assert_memory_equal(heard, "farewell", 8);
    result = ended(nothing_to_say);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 6);
    assert_int_equal(ended(taken_back), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_are_flags),
                                       cmocka_unit_test(farewells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
