/* The plan reaches every rank of the row whole, large or empty, and the word that ends the run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"

static comm *world;

enum { ROWS = 600 };

/* A pass that differs in every field, from its number alone. */
static void build(batch *b, int number)
{
    int32_t token[ROWS];
    batch_begin(b, number % 5);
    for (int i = 0; i < ROWS; i++) token[i] = number * 1000 + i;
    for (int len = 1; b->pass.n_rows + len <= ROWS && len <= number; len++) {
        batch_segment(b, len % 3 ? SEGMENT_PROBE : SEGMENT_COMMIT, len - 2, token + len, 7 * len,
                      len, 3 * len);
        for (int i = 0; i < len && len % 3; i += 1 + number % 2) {
            ask *a = batch_ask(b, 7 * len + i);
            a->kind = i % 2 ? ASK_SCORE : ASK_DRAW;
            a->token = number + i;
            a->inclusive = i % 3;
            a->nucleus = 1.0 / (1 + i);
            a->temperature = number + 0.25 * i;
            a->uniform = 0x1p-53 * (i + number);
        }
    }
}

static void open_batch(batch *b, arena *a)
{
    assert_int_equal(arena_open(a, batch_bytes(ROWS)), DID_OK);
    batch_open(b, ROWS, a);
}

static void plans_arrive(void **state)
{
    (void)state;
    arena here, there;
    batch plan, expected;
    open_batch(&plan, &here);
    open_batch(&expected, &there);
    for (int number = 0; number < 34; number++) {
        verb word = comm_rank(world) == 0 ? VERB_RUN : VERB_STOP;
        build(&expected, number);
        if (comm_rank(world) == 0) build(&plan, number);
        else batch_begin(&plan, 4);
        assert_int_equal(batch_share(&plan, &word, world), DID_OK);
        assert_int_equal(word, VERB_RUN);
        const pass *p = &plan.pass, *q = &expected.pass;
        assert_int_equal(p->model, q->model);
        assert_int_equal(p->n_segments, q->n_segments);
        assert_int_equal(p->n_rows, q->n_rows);
        assert_int_equal(p->n_asks, q->n_asks);
        assert_memory_equal(p->segments, q->segments, (size_t)q->n_segments * sizeof *q->segments);
        assert_memory_equal(p->token, q->token, (size_t)q->n_rows * sizeof *q->token);
        assert_memory_equal(p->asks, q->asks, (size_t)q->n_asks * sizeof *q->asks);
    }
    assert_int_equal(expected.pass.n_rows, 561); /* the last one was not small */
    verb word = comm_rank(world) == 0 ? VERB_STOP : VERB_RUN;
    assert_int_equal(batch_share(&plan, &word, world), DID_OK);
    if (comm_size(world) > 1) assert_int_equal(word, VERB_STOP);
    arena_close(&here);
    arena_close(&there);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_arrive)};
    int                     failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
