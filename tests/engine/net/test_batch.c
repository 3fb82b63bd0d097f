/* A pass under construction: rows, segments and asks keep together, in the room measured for
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"

static void takes_what_it_measured(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 64, 1000};
    for (int i = 0; i < 5; i++) {
        arena a;
        batch b;
        assert_int_equal(arena_open(&a, batch_bytes(sizes[i])), DID_OK);
        batch_open(&b, sizes[i], &a);
        assert_int_equal(a.used, a.size);
        assert_int_equal(b.rows_max, sizes[i]);
        /* The fullest pass: every row a segment that asks. */
        int32_t token = 5;
        batch_begin(&b, 0);
        for (int r = 0; r < sizes[i]; r++) {
            batch_segment(&b, SEGMENT_PROBE, 0, &token, r, 1, 0);
            *batch_ask(&b, r) = (ask){.row = r, .uniform = 0.5};
            b.answers[r] = (answer){.token = r};
        }
        assert_int_equal(b.pass.n_segments, sizes[i]);
        assert_int_equal(b.pass.n_asks, sizes[i]);
        arena_close(&a);
    }
}

static void segments_and_asks(void **state)
{
    (void)state;
    static const int32_t token[] = {9, 8, 7, 6, 5, 4};
    arena                a;
    batch                b;
    assert_int_equal(arena_open(&a, batch_bytes(16)), DID_OK);
    batch_open(&b, 16, &a);
    for (int round = 0; round < 2; round++) {
        batch_begin(&b, 3);
        assert_int_equal(b.pass.model, 3);
        assert_int_equal(b.pass.n_segments + b.pass.n_rows + b.pass.n_asks, 0);
        segment *first = batch_segment(&b, SEGMENT_COMMIT, 1, token, 100, 4, 60);
        segment *second = batch_segment(&b, SEGMENT_PROBE, 1, token + 2, 104, 3, 64);
        ask     *x = batch_ask(&b, 104), *y = batch_ask(&b, 106);
        segment *third = batch_segment(&b, SEGMENT_PROBE, -1, token, 0, 6, 0);
        ask     *z = batch_ask(&b, 5);

        assert_int_equal(b.pass.n_rows, 13);
        static const int32_t rows[] = {9, 8, 7, 6, 7, 6, 5, 9, 8, 7, 6, 5, 4};
        assert_memory_equal(b.pass.token, rows, sizeof rows);
        assert_int_equal(first->kind, SEGMENT_COMMIT);
        assert_int_equal(first->slot, 1);
        assert_int_equal(first->first, 100);
        assert_int_equal(first->from, 60);
        assert_int_equal(first->n_asks, 0);
        assert_int_equal(second->row, 4);
        assert_int_equal(second->ask, 0);
        assert_int_equal(second->n_asks, 2);
        assert_int_equal(third->row, 7);
        assert_int_equal(third->ask, 2);
        assert_int_equal(third->n_asks, 1);
        assert_int_equal(third->slot, -1);
        assert_int_equal(x->row, 4);
        assert_int_equal(y->row, 6);
        assert_int_equal(z->row, 12);
        assert_int_equal(batch_position(second, x), 104);
        assert_int_equal(batch_position(second, y), 106);
        assert_int_equal(batch_position(third, z), 5);
        assert_int_equal(x->kind + x->token + x->inclusive, 0);
        x->token = 77; /* the next round starts from zero again */
    }
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_it_measured),
        cmocka_unit_test(segments_and_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
