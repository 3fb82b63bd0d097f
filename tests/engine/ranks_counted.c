/* The bytes that the cost model says are the bytes that collectives count, and a pass has a price
 * where there is a machine to ask. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cost.h"
#include "feeder.h"
#include "../shard/machine.h"

static comm       *world;
static calibration book;

enum { DOCS = 6, LENGTH = 48, HEADS = 4 };

static double counted(event e)
{
    return (double)event_totals(e).bytes;
}

/* Only leaders compare, so nobody leaves before all runs are over. */
static int wrong;

static void close_to(const char *what, double found, double expected)
{
    if (fabs(found - expected) <= 1e-9 * expected) return;
    print_message("%s: the wire counted %.0f bytes, the model says %.0f\n", what, found, expected);
    wrong++;
}

/* All passes of the run as one: everything on the wire is linear in rows, asks and segments, but for
 * a plan's head, which every pass has. */
static void compare(const engine_progress *p, const cost_place *at, const double before[EV_COUNT])
{
    double       segments = (double)p->segments, ranks = at->layout.cols;
    cost_segment all = {segments, (double)p->rows / segments, (double)p->drawn / segments, 1, .cached = false};
    cost_bytes   b = cost_wire(at, &all, 1);
    close_to("embedding", counted(EV_SUM_EMBEDDING) - before[EV_SUM_EMBEDDING], b.embedding / ranks);
    close_to("attention", counted(EV_SUM_ATTENTION) - before[EV_SUM_ATTENTION], b.attention / ranks);
    close_to("mlp", counted(EV_SUM_MLP) - before[EV_SUM_MLP], b.mlp / ranks);
    if (ranks < 2) return;
    close_to("draw", counted(EV_DRAW) - before[EV_DRAW], b.draw / ranks);
    /* Every pass has a head, and so has the word that ends the run. */
    cost_segment none = {0};
    double       head = cost_wire(at, &none, 1).plan / ranks;
    close_to("plan", counted(EV_PLAN) - before[EV_PLAN], b.plan / ranks + head * (double)p->passes);
}

static void run_columns(int cols)
{
    feeder          f = {0};
    engine         *e = NULL;
    engine_settings s = feeder_settings(feeder_model(), cols, 3, LENGTH);
    double          before[EV_COUNT];
    int             rows = comm_size(world) / cols;
    s.machine = &book;
    s.threads = 1;
    s.per_host = comm_size(world);
    for (int i = 0; i < DOCS * rows; i++) {
        document *d = feeder_add(&f, LENGTH, NULL, 0, 4095, 4096, (uint64_t)i);
        assert_non_null(d);
        d->n_stages = 2;
        d->stage[0] = feeder_stage(4, 0, SAMPLER_FHS, 0);
        d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.5, SAMPLER_QUOTA, 5);
        assert_int_equal(document_reserve(d), DID_OK);
    }
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    for (int i = 0; i < EV_COUNT; i++) before[i] = counted((event)i);
    assert_int_equal(feeder_run(&f, e, rows), DID_OK);
    cost_place at = {.model = engine_geometry(e, 0), .machine = &book,
                     .layout = {.rows = rows, .cols = cols, .depth = 1, .span = 1, .groups = 1,
                                .per_host = comm_size(world)}};
    engine_progress p = engine_totals(e);
    assert_true(p.passes > 0 && p.predicted.seconds > 0 && p.seconds_passes > 0);
    assert_true(p.seconds_worked > 0);
    if (engine_leads(e)) compare(&p, &at, before);
    feeder_clear(&f);
    engine_close(&e);
}

static void bytes_are_those_of_the_model(void **state)
{
    int ranks = comm_size(world);
    (void)state;
    book = machine_made();
    run_columns(1);
    if (ranks > 1 && ranks <= HEADS) run_columns(ranks);
    if (ranks == 4) run_columns(2);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_are_those_of_the_model)};
    if (comm_start(&world) != DID_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
