/* The cores of this process, as hwloc tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "cores.h"

static int unit_of(const cores *c, int i)
{
    for (int unit = 0; unit < CORES_UNITS; unit++)
        if (c->unit[unit / 64] >> (unit % 64) & 1 && i-- == 0) return unit;
    return -1;
}

static void mine_are_some_of_the_machines(void **state)
{
    (void)state;
    cores c;
    cores_mine(&c);
    assert_true(c.n >= 1 && c.n <= sysconf(_SC_NPROCESSORS_CONF));
    assert_true(unit_of(&c, c.n - 1) >= 0 && unit_of(&c, c.n) < 0);
}

static void a_thread_keeps_to_one(void **state)
{
    (void)state;
    cores     c, none = {0}, one;
    cpu_set_t before;
    cores_mine(&c);
    assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof before, &before), 0);
    cores_keep(&c, c.n - 1, pthread_self());
    assert_int_equal(sched_getcpu(), unit_of(&c, c.n - 1));
    cores_keep(&none, 0, pthread_self()); /* nothing to bind to: nothing changes */
    assert_int_equal(sched_getcpu(), unit_of(&c, c.n - 1));
    cores_mine(&one); /* this thread is the process, as far as the system knows */
    assert_int_equal(one.n, 1);
    assert_true(cores_meet(&one, &c) && cores_meet(&c, &one) && !cores_meet(&c, &none));
    assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mine_are_some_of_the_machines),
        cmocka_unit_test(a_thread_keeps_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
