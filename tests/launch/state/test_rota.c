#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "expanse.h"
#include "rota.h"

static void enter(rota *r, int64_t job, int n)
{
    for (int i = 0; i < n; i++) rota_move(r, job, STORE_STATES, STORE_QUEUED, 10);
}

static int64_t serve(rota *r)
{
    int64_t job = rota_next(r, STORE_QUEUED);
    if (job) rota_move(r, job, STORE_QUEUED, STORE_DRAFTING, 0);
    return job;
}

/* Owners take turns, then their jobs; who has nothing is passed over. */
static void turns(void **state)
{
    static const int64_t served[] = {1, 3, 2, 3, 1, 3, 2, 3, 1, 3, 1, 3, 1, 3, 3, 0, 0};
    rota                 r = {0};
    (void)state;
    assert_int_equal(rota_next(&r, STORE_QUEUED), 0);
    assert_int_equal(rota_begin(&r, "alice", 1, 64), DID_OK);
    assert_int_equal(rota_begin(&r, "alice", 2, 64), DID_OK);
    assert_int_equal(rota_begin(&r, "bob", 3, 64), DID_OK);
    assert_int_equal(rota_begin(&r, "carol", 4, 64), DID_OK);
    enter(&r, 1, 5);
    enter(&r, 2, 2);
    enter(&r, 3, 8);
    for (size_t i = 0; i < sizeof served / sizeof served[0]; i++)
        assert_int_equal(serve(&r), served[i]);
    rota_clear(&r);
}

/* A job of three among a hundred large ones has its three within as many turns as there are jobs. */
static void nobody_starves(void **state)
{
    rota r = {0};
    int  served = 0, n;
    (void)state;
    for (int64_t job = 1; job <= 100; job++) {
        assert_int_equal(rota_begin(&r, "alice", job, 64), DID_OK);
        enter(&r, job, job == 50 ? 3 : 10000);
    }
    for (n = 0; served < 3; n++) served += serve(&r) == 50;
    assert_true(n <= 300);
    rota_clear(&r);
}

static void counts(void **state)
{
    rota r = {0};
    (void)state;
    assert_int_equal(rota_begin(&r, "alice", 7, 64), DID_OK);
    enter(&r, 7, 3);
    assert_int_equal(rota_find(&r, "alice")->open, 3);
    assert_int_equal(rota_find(&r, "alice")->bytes, 30);
    rota_mark before = rota_remember(&r, 7);
    enter(&r, 7, 5);
    rota_restore(&r, &before);
    assert_int_equal(rota_look(&r, 7)->count.n[STORE_QUEUED], 3);
    rota_move(&r, 7, STORE_QUEUED, STORE_DRAFTING, 10);
    rota_move(&r, 7, STORE_DRAFTING, STORE_DONE, 10);
    rota_move(&r, 7, STORE_QUEUED, STORE_CANCELLED, 10);
    assert_int_equal(rota_find(&r, "alice")->open, 1);
    assert_int_equal(rota_find(&r, "alice")->bytes, 10);
    assert_int_equal(r.all.n[STORE_DONE], 1);
    assert_null(rota_find(&r, "bob"));
    assert_null(rota_look(&r, 6));
    assert_int_equal(rota_begin(&r, "alice", 8, 64), DID_OK);
    rota_end(&r, 8);
    assert_null(rota_look(&r, 8));
    assert_int_equal(rota_find(&r, "alice")->n, 1);
    rota_clear(&r);
}

/* A few bytes may ask for much: each document of the line counts with all its positions. */
static void expanses(void **state)
{
    (void)state;
    const char *line = "{\"custom_id\":\"a\",\"length\":131072,\"n\":4096}";
    assert_in_range(expanse_of_line(line, 64), 4 * 131072, 4 * 131072 + 100);
    assert_in_range(expanse_of_line("{\"custom_id\":\"a\"}", 64), 4 * 64, 4 * 64 + 100);
    assert_in_range(expanse_of_line("{\"custom_id\":\"a\",\"prompt\":\"\\u0000\",\"length\":512}", 64),
                    4 * 512, 4 * 512 + 100);
    assert_int_equal(expanse_of_line("no JSON", 64), 4 * 64 + 7);
    assert_int_equal(expanse_length("{\"length\":\"512\"}"), 512);
    assert_int_equal(expanse_length("{}"), EXPANSE_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns), cmocka_unit_test(nobody_starves),
                                       cmocka_unit_test(counts), cmocka_unit_test(expanses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
