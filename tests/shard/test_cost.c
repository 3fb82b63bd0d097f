/* Prices of passes: what must hold on any machine, asked of one out of a book. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cost.h"
#include "machine.h"

static const geometry SMALL = {.family = "bd3lm", .d_model = 768, .n_layers = 12, .n_heads = 12,
                               .head_size = 64, .d_mlp = 3072, .vocab = 50258, .length = 1024,
                               .rotary = true};
static calibration book;

static cost_place place(int rows, int cols, int depth)
{
    book = machine_made();
    return (cost_place){.model = &SMALL, .machine = &book, .link = book.link,
                        .layout = {.rows = rows, .cols = cols, .depth = depth, .span = 1,
                                   .groups = 1, .per_host = rows * cols * depth}};
}

static const cost_segment REFINE = {1, 1024, 8, 1024, .spanned = true};
static const cost_segment DRAFT = {32, 5, 1, 512, .cached = true};

static double seconds(const cost_place *at, cost_segment s)
{
    return cost_pass(at, &s, 1).seconds;
}

/* Once there are a few rows a book's product takes its operations over the book's rate. */
static void a_product_takes_its_operations(void **state)
{
    cost_place at = place(1, 1, 1);
    double     took = cost_product(&at, 1024, 768, 768, 16e6);
    (void)state;
    assert_true(fabs(took / (2.0 * 1024 * 768 * 768 / 100e9) - 1) < 0.02);
    at.precision = 1;
    assert_true(cost_product(&at, 1024, 768, 768, 16e6) < 0.55 * took);
    assert_true(cost_product(&at, 0, 768, 768, 16e6) == 0);
    /* What comes from memory is no faster than what is near; more rows take longer, but less each. */
    at.precision = 0;
    double last = 0, each = HUGE_VAL;
    for (int rows = 1; rows <= 4096; rows = rows * 3 / 2 + 1) {
        double now = cost_product(&at, rows, 1000, 700, 60e6);
        assert_true(now > last && now / rows <= each * (1 + 1e-9));
        assert_true(cost_product(&at, rows, 1000, 700, 1e9) >= now);
        last = now;
        each = now / rows;
    }
}

static void parts_are_the_whole(void **state)
{
    (void)state;
    for (int q = 1; q <= 12; q++)
        for (int depth = 1; depth <= 4; depth++) {
            cost_place at = place(1, q, depth);
            cost_time  t = cost_pass(&at, &REFINE, 1);
            double     sum = t.linear + t.attention + t.rowwise + t.draw + t.wire - t.hidden;
            assert_true(t.linear > 0 && t.attention > 0 && t.rowwise > 0 && t.wire >= 0);
            assert_true(t.hidden == 0); /* nothing to hide behind */
            assert_true(t.seconds >= sum * (1 - 1e-12));
            assert_true((q == 1 && depth == 1) == (t.wire == 0));
        }
}

/* Who shares a model waits at every sum for the slowest, who has one of his own for nobody. */
static void sums_wait_for_the_slowest(void **state)
{
    (void)state;
    for (int q = 1; q <= 2; q++) {
        cost_place  at = place(2 / q, q, 1), uneven = at;
        calibration slow = *at.machine;
        slow.sums.wait = 0.25;
        uneven.machine = &slow;
        cost_time a = cost_pass(&at, &REFINE, 1), b = cost_pass(&uneven, &REFINE, 1);
        double    more = q > 1 ? 0.25 * (a.linear + a.attention + a.rowwise) : 0;
        assert_true(fabs(b.wire - a.wire - more) <= 1e-9 * a.seconds);
        assert_true(fabs(b.seconds - a.seconds - more) <= 1e-9 * a.seconds);
    }
}

/* A row's pass is its own: another row beside it costs what the machine makes of that, and no
 * more; and rows on other hosts cost nothing. */
static void rows_do_not_meet(void **state)
{
    cost_place one = place(1, 1, 1), two = place(2, 1, 1), far = place(64, 1, 1);
    far.layout.per_host = 1;
    (void)state;
    assert_true(seconds(&two, REFINE) <= seconds(&one, REFINE) * 1.12);
    assert_true(seconds(&two, DRAFT) < 2 * seconds(&one, DRAFT)); /* two rows are never slower */
    assert_true(seconds(&far, REFINE) == seconds(&one, REFINE));
    two.layout.per_host = 4; /* four ranks on two processors share them */
    assert_true(seconds(&two, REFINE) > 1.9 * seconds(&one, REFINE));
}

/* Columns divide the work, never better than evenly, and the wire takes some of it back. */
static void columns_divide(void **state)
{
    (void)state;
    book = machine_made();
    for (int q = 2; q <= 12; q++) {
        cost_place at = place(1, q, 1), one = place(1, 1, 1);
        book.cpus = 16;
        cost_time t = cost_pass(&at, &REFINE, 1), whole = cost_pass(&one, &REFINE, 1);
        assert_true(t.linear > 0.95 * whole.linear / q && t.linear < whole.linear * 1.2);
        assert_true(t.wire > 0);
        at.layout.per_host = 1; /* one a host: over the link */
        assert_true(cost_pass(&at, &REFINE, 1).wire > t.wire);
    }
}

/* 12 heads on 8 ranks take as long as on 6: two heads each, for somebody. */
static void uneven_parts_wait_for_the_largest(void **state)
{
    cost_place six = place(1, 6, 1), eight = place(1, 8, 1);
    (void)state;
    eight.layout.per_host = six.layout.per_host;
    assert_true(cost_pass(&six, &REFINE, 1).attention == cost_pass(&eight, &REFINE, 1).attention);
}

static void bytes_are_counted(void **state)
{
    (void)state;
    for (int q = 1; q <= 5; q++) {
        cost_place at = place(1, q, 1);
        cost_bytes b = cost_wire(&at, &DRAFT, 1);
        double     rows = 160, asks = 32, sums = q > 1 ? q * 768.0 * 4 : 0;
        assert_true(b.embedding == sums * rows);
        assert_true(b.attention == sums * (11 * rows + asks) && b.mlp == b.attention);
        assert_true(b.crossing == 0 && b.activations == 0 && b.gather == 0);
        assert_true((b.plan > 0) == (q > 1));
        at.layout.per_host = 1;
        double crossing = cost_wire(&at, &DRAFT, 1).crossing;
        assert_true((crossing > 0) == (q > 1));
        at.layout.bf16_wire = true;
        assert_true(cost_wire(&at, &DRAFT, 1).crossing == crossing / 2);
    }
    cost_place deep = place(1, 1, 4);
    deep.layout.per_host = 1;
    assert_true(cost_wire(&deep, &DRAFT, 1).activations == 3 * 160.0 * 768 * 4);
}

/* On a slow wire sums cost more than a pipeline of layers, groups hide some of them, and 16 bits
 * halve them. */
static void slow_wires_want_depth(void **state)
{
    cost_place sums = place(1, 2, 1), deep = place(1, 1, 2);
    (void)state;
    sums.layout.per_host = deep.layout.per_host = 1;
    sums.link = deep.link = (calibration_link){true, 50e-6, 125e6};
    deep.layout.groups = 4;
    cost_time plain = cost_pass(&sums, &REFINE, 1);
    assert_true(plain.wire > 0.55 && plain.wire < 0.65); /* 23 sums of 3 MB at 125 MB/s */
    assert_true(seconds(&deep, REFINE) < seconds(&sums, REFINE));
    sums.layout.groups = 2;
    cost_time hidden = cost_pass(&sums, &REFINE, 1);
    assert_true(hidden.hidden > 0 && hidden.seconds < plain.seconds);
    sums.layout.groups = 1;
    sums.layout.bf16_wire = true;
    assert_true(cost_pass(&sums, &REFINE, 1).wire < 0.55 * plain.wire);
}

/* A pipeline that is not filled takes as long as all its depths after one another. */
static void depth_wants_groups(void **state)
{
    cost_place deep = place(1, 1, 4), one = place(1, 1, 1);
    (void)state;
    deep.layout.per_host = one.layout.per_host = 1;
    book.link = deep.link = (calibration_link){true, 1e-6, 1e11};
    double alone = seconds(&one, REFINE), unfilled = seconds(&deep, REFINE);
    assert_true(unfilled > 0.95 * alone);
    deep.layout.groups = 8;
    assert_true(seconds(&deep, REFINE) < 0.45 * alone);
}

static void spans_share_a_document(void **state)
{
    cost_place one = place(2, 1, 1), both = place(2, 1, 1);
    cost_segment longest = {1, 8192, 64, 8192, .spanned = true};
    (void)state;
    both.layout.span = 2;
    assert_true(seconds(&both, longest) < seconds(&one, longest) / 1.7);
    assert_true(seconds(&both, longest) > seconds(&one, longest) / 2.01);
    assert_true(cost_wire(&both, &longest, 1).gather > 0);
}

static void weights_fall_with_ranks(void **state)
{
    cost_place one = place(1, 1, 1), four = place(1, 4, 1), deep = place(1, 1, 4), mesh = place(2, 2, 1);
    (void)state;
    mesh.layout.mesh = true;
    double all = cost_weights(&one);
    assert_true(fabs(all / (4 * (12 * 12 * 768.0 * 768 + 50258.0 * 768)) - 1) < 1e-9);
    assert_true(fabs(cost_weights(&four) / all - 0.25) < 0.01);
    assert_true(cost_weights(&deep) < 0.6 * all);
    assert_true(fabs(cost_weights(&mesh) / all - 0.25) < 0.01);
    assert_int_equal(cost_team(&mesh.layout), 4);
    assert_true(seconds(&mesh, REFINE) > seconds(&four, REFINE)); /* psgemm and two moves */
}

/* The last layer costs more with every row that is asked, with every word, and the better part of a
 * layer less where hardly anything is asked; of a machine nobody has measured all that holds too. */
static void the_last_layer_is_worth_what_is_asked(void **state)
{
    (void)state;
    for (int known = 0; known <= 1; known++) {
        cost_place at = place(1, 1, 1);
        geometry   wordy = SMALL;
        double     before = 0;
        wordy.vocab *= 4;
        if (!known) at.machine = NULL;
        for (double asks = 1; asks <= 1024; asks *= 4) {
            cost_segment one = REFINE;
            one.asks = asks;
            at.model = &SMALL;
            cost_layer c = cost_layers(&at, &one, 1);
            assert_true(c.usual > 0 && c.last / c.usual > before);
            before = c.last / c.usual;
            if (asks == 1) assert_true(before < 0.6);
            at.model = &wordy;
            assert_true(cost_layers(&at, &one, 1).last > c.last);
        }
        assert_true(before > 4); /* the head of 50258 words over all rows is more than a layer */
    }
}

/* Depths that share layers by that are no slower than depths of equal shares. */
static void shares_by_cost_are_no_slower(void **state)
{
    (void)state;
    for (double asks = 8; asks <= 1024; asks *= 2)
        for (int depth = 2; depth <= 4; depth++) {
            cost_place   even = place(1, 1, depth), by_cost = even;
            cost_segment one = REFINE;
            one.asks = asks;
            even.layout.groups = by_cost.layout.groups = depth;
            cost_layer c = cost_layers(&by_cost, &one, 1);
            by_cost.layout.last = c.last / c.usual;
            assert_true(cost_pass(&by_cost, &one, 1).seconds <=
                        cost_pass(&even, &one, 1).seconds * (1 + 1e-9));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_layer_is_worth_what_is_asked),
                                       cmocka_unit_test(shares_by_cost_are_no_slower),
                                       cmocka_unit_test(a_product_takes_its_operations),
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(sums_wait_for_the_slowest),
        cmocka_unit_test(rows_do_not_meet),
        cmocka_unit_test(columns_divide),
        cmocka_unit_test(uneven_parts_wait_for_the_largest),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(slow_wires_want_depth),
        cmocka_unit_test(depth_wants_groups),
        cmocka_unit_test(spans_share_a_document),
        cmocka_unit_test(weights_fall_with_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
