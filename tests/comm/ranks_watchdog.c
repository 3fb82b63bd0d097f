/* What the watchdog lets pass; tests/launch/test_stall.sh shows what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "watchdog.h"

static comm  *world;
static int    rank, size;
static double stall_s = 1;

/* A pause shorter than allowed, again and again: each collective is a wait of its own. */
static void test_short_waits(void **state)
{
    (void)state;
    assert_int_equal(watchdog_start(world, stall_s), DID_OK);
    for (int i = 0; i < 4; i++) {
        if (rank == 0) clock_sleep(0.4 * stall_s);
        assert_int_equal(comm_barrier(world, EV_SETUP), DID_OK);
    }
    watchdog_stop();
}

/* Ranks that are done wait for those that work, however long. */
static void test_waiting_for_rows(void **state)
{
    (void)state;
    assert_int_equal(watchdog_start(world, stall_s), DID_OK);
    if (rank == size - 1) clock_sleep(1.7 * stall_s);
    assert_int_equal(comm_meet(world, EV_ROWS), DID_OK);
    watchdog_stop();
}

/* Neither is anybody watched without being asked, nor after the end. */
static void test_off(void **state)
{
    (void)state;
    assert_int_equal(watchdog_start(world, 0), DID_OK);
    if (rank == 0) clock_sleep(1.3 * stall_s);
    assert_int_equal(comm_barrier(world, EV_SETUP), DID_OK);
    watchdog_stop();
    watchdog_stop();
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    rank = comm_rank(world);
    size = comm_size(world);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_short_waits),
                                       cmocka_unit_test(test_waiting_for_rows),
                                       cmocka_unit_test(test_off)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
