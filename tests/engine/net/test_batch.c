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
        assert_int_equal(x->position, 104);
        assert_int_equal(y->position, 106);
        assert_int_equal(z->position, 5);
        assert_int_equal(x->kind + x->token + x->inclusive, 0);
        x->token = 77; /* the next round starts from zero again */
    }
    arena_close(&a);
}

/* A patch holds the wanted rows in order, and an ask finds its row among them. */
static void patches(void **state)
{
    (void)state;
    enum { FROM = 3, TO = 12 };
    static const bool wanted[TO] = {[0] = true, [3] = true, [5] = true, [6] = true, [11] = true};
    static const int32_t token[TO] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 10, 11};
    arena a;
    batch b;
    assert_int_equal(arena_open(&a, batch_bytes(16)), DID_OK);
    batch_open(&b, 16, &a);
    batch_begin(&b, 0);
    batch_segment(&b, SEGMENT_PROBE, -1, token, 0, 2, 0);
    segment *some = batch_patch(&b, 4, token, wanted, FROM, TO);
    ask     *x = batch_ask(&b, 5), *y = batch_ask(&b, 11);
    segment *all = batch_patch(&b, 4, token, NULL, FROM, TO);
    ask     *z = batch_ask(&b, 4);
    assert_int_equal(some->kind, SEGMENT_PATCH);
    assert_int_equal(some->len, 4);
    assert_int_equal(all->len, TO - FROM);
    assert_int_equal(b.pass.n_rows, 2 + 4 + TO - FROM);
    assert_true(all->from == FROM && all->to == TO && all->row == 6 && all->slot == 4);
    static const int32_t positions[] = {3, 5, 6, 11, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    assert_memory_equal(b.pass.position + 2, positions, sizeof positions);
    for (int i = 0; i < 13; i++) assert_int_equal(b.pass.token[2 + i], token[positions[i]]);
    assert_true(x->row == 3 && x->position == 5 && y->row == 5 && y->position == 11);
    assert_true(z->row == 7 && z->position == 4);
    assert_int_equal(pass_position(&b.pass, some, 2), 6);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_it_measured),
        cmocka_unit_test(segments_and_asks),
        cmocka_unit_test(patches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
