#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lease.h"

static void named_by_epoch(void **state)
{
    (void)state;
    leases all = {0};
    for (int64_t serial = 100; serial > 0; serial--) {
        lease one = {serial, 1, serial % 3 + 1, 10, serial == 50};
        assert_int_equal(leases_grant(&all, &one), DID_OK);
    }
    assert_int_equal(all.n, 100);
    for (int64_t serial = 1; serial <= 100; serial++) {
        assert_int_equal(leases_find(&all, serial, 1)->serial, serial);
        assert_null(leases_find(&all, serial, 2));
    }
    assert_null(leases_find(&all, 101, 1));
    lease next = {7, 2, 9, 20, false};
    assert_int_equal(leases_grant(&all, &next), DID_OK);
    assert_int_equal(all.n, 100);
    assert_null(leases_find(&all, 7, 1));
    assert_int_equal(leases_find(&all, 7, 2)->holder, 9);
    leases_end(&all, 7);
    leases_end(&all, 7);
    assert_int_equal(all.n, 99);

    bool suspect;
    assert_int_equal(leases_held(&all, 50 % 3 + 1, &suspect), 33);
    assert_true(suspect);
    assert_int_equal(leases_held(&all, 9, &suspect), 0);
    assert_false(suspect);
    leases_clear(&all);
}

static void heartbeats(void **state)
{
    (void)state;
    leases all = {0};
    lease  one = {1, 1, 5, 10, false}, two = {2, 1, 5, 10, false}, old;
    leases_grant(&all, &one);
    leases_grant(&all, &two);
    assert_true(leases_prolong(&all, 2, 1, 6, 30));
    assert_true(leases_prolong(&all, 2, 1, 6, 25)); /* a shorter promise takes nothing back */
    assert_false(leases_prolong(&all, 2, 2, 6, 50));
    assert_false(leases_prolong(&all, 3, 1, 6, 50));
    assert_false(leases_expired(&all, 10, &old));
    assert_true(leases_expired(&all, 11, &old));
    assert_int_equal(old.serial, 1);
    assert_false(leases_expired(&all, 29, &old));
    leases_shift(&all, 5);
    assert_false(leases_expired(&all, 34, &old));
    leases_shift(&all, -5);
    assert_true(leases_expired(&all, 31, &old));
    assert_int_equal(old.holder, 6);
    assert_int_equal(all.n, 0);
    leases_clear(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(named_by_epoch),
                                       cmocka_unit_test(heartbeats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
