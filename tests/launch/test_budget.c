#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MODEL DID_TEST_MODELS "/did-tiny"

static models list;

static int set_up(void **state)
{
    int handle;
    (void)state;
    return models_add(&list, MODEL, &handle) != DID_OK;
}

static engine_settings engine_default(void)
{
    return (engine_settings){.model = {MODEL},
                             .n_models = 1,
                             .pass_rows = 256,
                             .length_max = 256,
                             .fused_commit = true,
                             .folded = true};
}

static size_t plan(int tp, int documents)
{
    engine_settings e = engine_default();
    engine_memory   need;
    e.tp = tp;
    e.documents = documents;
    assert_int_equal(engine_plan(&need, &e), DID_OK);
    return need.total;
}

static budget room(size_t bytes)
{
    return (budget){.held = 1000, .room = bytes, .limit = bytes + 1000, .source = "test"};
}

static status settle(engine_settings *e, size_t bytes, int tp, int documents, int ranks, int n)
{
    settings      s = {.tp = tp, .documents = documents};
    budget        b = room(bytes);
    engine_memory need;
    *e = engine_default();
    status answer = budget_settle(e, &need, &b, &s, &list, ranks, n);
    if (answer == DID_OK) assert_true(need.total <= bytes);
    return answer;
}

static void with_room_every_rank_is_a_row(void **state)
{
    engine_settings e;
    (void)state;
    assert_int_equal(settle(&e, SIZE_MAX / 2, 0, 0, 4, 1000), DID_OK);
    assert_int_equal(e.tp, 1);
    assert_int_equal(e.documents, 32);
    assert_int_equal(settle(&e, SIZE_MAX / 2, 0, 0, 4, 10), DID_OK);
    assert_int_equal(e.documents, 3); /* ten documents over four rows */
    assert_int_equal(settle(&e, SIZE_MAX / 2, 2, 5, 4, 1), DID_OK);
    assert_int_equal(e.tp, 2);
    assert_int_equal(e.documents, 5);
}

/* All ranks become one grid: as square as they can, wider than high, or as wide as was said. */
static void a_grid_takes_all_ranks(void **state)
{
    static const int cols[] = {0, 1, 2, 3, 2, 5, 3, 7, 4, 3, 5, 11, 4};
    (void)state;
    for (int ranks = 1; ranks <= 12; ranks++) {
        settings        s = {.layout = 1};
        budget          b = room(SIZE_MAX / 2);
        engine_settings e = engine_default();
        engine_memory   need;
        assert_int_equal(budget_settle(&e, &need, &b, &s, &list, ranks, 10), DID_OK);
        assert_int_equal(e.tp, cols[ranks]);
        assert_int_equal(e.mesh_rows * e.tp, ranks);
        assert_int_equal(e.documents, 10);
        s.tp = ranks;
        assert_int_equal(budget_settle(&e, &need, &b, &s, &list, ranks, 10), DID_OK);
        assert_int_equal(e.mesh_rows, 1);
    }
    settings        s = {.layout = 1, .tp = 4};
    budget          b = room(SIZE_MAX / 2);
    engine_settings e = engine_default();
    engine_memory   need;
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, 6, 10), DID_EINVAL);
    assert_non_null(strstr(status_message(), "1, 2, 3 or 6 would"));
    s.tp = 0;
    e.bf16 = true;
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, 6, 10), DID_EINVAL);
    assert_non_null(strstr(status_message(), "f32 only"));
}

/* The weights' share falls as the ranks grow in number. */
static void a_grid_shares_the_weights(void **state)
{
    size_t whole = 0;
    (void)state;
    for (int ranks = 1; ranks <= 12; ranks++) {
        settings        s = {.layout = 1};
        budget          b = room(SIZE_MAX / 2);
        engine_settings e = engine_default();
        engine_memory   need;
        assert_int_equal(budget_settle(&e, &need, &b, &s, &list, ranks, 10), DID_OK);
        if (ranks == 1) whole = need.weights;
        assert_true((double)need.weights < 1.1 * (double)whole / ranks);
    }
}

static void less_room_means_fewer_documents(void **state)
{
    engine_settings e;
    size_t          eight = plan(1, 8), one = plan(1, 1);
    (void)state;
    assert_true(one < eight && eight < plan(1, 32));
    assert_int_equal(settle(&e, eight, 0, 0, 1, 1000), DID_OK);
    assert_int_equal(e.documents, 8);
    assert_int_equal(settle(&e, one, 0, 0, 1, 1000), DID_OK);
    assert_int_equal(e.documents, 1);
}

static void a_model_too_big_for_one_is_shared(void **state)
{
    engine_settings e;
    size_t          shared = plan(2, 8);
    (void)state;
    assert_true(shared < plan(1, 1));
    assert_int_equal(settle(&e, shared, 0, 0, 2, 1000), DID_OK);
    assert_int_equal(e.tp, 2);
    assert_int_equal(e.documents, 8);
    assert_int_equal(settle(&e, shared, 0, 0, 3, 1000), DID_OK); /* 2 does not divide 3 */
    assert_int_equal(e.tp, 3);
}

static void nothing_fits_says_the_bytes(void **state)
{
    engine_settings e;
    char            expected[200];
    (void)state;
    assert_int_equal(settle(&e, 5000, 0, 0, 1, 1), DID_EINVAL);
    snprintf(expected, sizeof expected,
             "not enough memory: with --tp 1 --documents 1 a rank needs %zu bytes beside the 1000 "
             "it holds, and may have 6000 (test)",
             plan(1, 1));
    assert_non_null(strstr(status_message(), expected));
    assert_int_equal(settle(&e, plan(1, 8), 1, 9, 1, 1), DID_EINVAL);
    assert_non_null(strstr(status_message(), "--tp 1 --documents 9"));
}

static void widths_that_cannot_be(void **state)
{
    static const struct {
        int         tp, ranks;
        const char *sentence;
    } bad[] = {
        {2, 1, "--tp 2 does not divide the 1 rank of this run; 1 would"},
        {2, 3, "--tp 2 does not divide the 3 ranks of this run; 1 or 3 would"},
        {3, 4, "--tp 3 does not divide the 4 ranks of this run; 1, 2 or 4 would"},
        {5, 5, "--tp 5 is more than the model's 4 heads; 1 would work"},
        {6, 12, "--tp 6 is more than the model's 4 heads; 1, 2, 3 or 4 would work"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        engine_settings e;
        assert_int_equal(settle(&e, SIZE_MAX / 2, bad[i].tp, 0, bad[i].ranks, 1), DID_EINVAL);
        assert_string_equal(status_message(), bad[i].sentence);
    }
}

/* What auto makes of `ranks` ranks and `n` documents that are refined in windows of `window`. */
static int span_of(int ranks, int n, int window, const char *said)
{
    settings        s = {.refine_span = said};
    budget          b = room(SIZE_MAX / 2);
    engine_settings e = engine_default();
    engine_memory   need;
    e.length_max = e.refine_window = window;
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, ranks, n), DID_OK);
    return e.span;
}

/* Rows without a document of their own span, where the parts are worth it. */
static void idle_rows_span(void **state)
{
    (void)state;
    assert_int_equal(span_of(4, 1, 2048, NULL), 1); /* nobody was asked */
    assert_int_equal(span_of(4, 1, 2048, "auto"), 4);
    assert_int_equal(span_of(4, 2, 2048, "auto"), 2);
    assert_int_equal(span_of(4, 3, 2048, "auto"), 2);
    assert_int_equal(span_of(4, 4, 2048, "auto"), 1);
    assert_int_equal(span_of(5, 1, 2048, "auto"), 5);
    assert_int_equal(span_of(5, 4, 2048, "auto"), 5);
    assert_int_equal(span_of(4, 1, 768, "auto"), 2);
    assert_int_equal(span_of(4, 1, 256, "auto"), 1);
    assert_int_equal(span_of(4, 100, 256, "2"), 2);
}

/* And so do rows that have no room for a long window of their own. */
static void windows_too_long_for_one_row_span(void **state)
{
    engine_settings e = engine_default();
    engine_memory   alone, need;
    settings        s = {.refine_span = "auto", .tp = 1, .documents = 1};
    (void)state;
    e.tp = e.documents = 1;
    e.length_max = e.refine_window = 16384;
    assert_int_equal(engine_plan(&alone, &e), DID_OK);
    budget b = room(alone.total * 3 / 4);
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, 4, 100), DID_OK);
    assert_true(e.span == 2 && need.total <= b.room);
    b = room(alone.total / 2);
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, 4, 100), DID_OK);
    assert_true(e.span == 4 && need.total <= b.room);
    b = room(alone.total / 5);
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, 4, 100), DID_EINVAL);
    assert_non_null(strstr(status_message(), "--refine-span"));
}

static void depths_that_cannot_be(void **state)
{
    static const struct {
        int         depth, groups, tp, layout, ranks;
        const char *span, *sentence;
    } bad[] = {
        {3, 0, 0, 0, 4, NULL, "--pp 3 does not divide the 4 ranks of this run; 1, 2 or 4 would"},
        {4, 0, 2, 0, 4, NULL, "--pp 4 does not divide the 2 rows of 2 ranks of this run; 1 or 2 would"},
        {8, 0, 0, 0, 8, NULL, "--pp 8 is more than the model's 6 layers; 1, 2 or 4 would work"},
        {2, 0, 0, 1, 4, NULL, "--pp 2 with --layout 2d: there every rank has its blocks of every layer; "
                              "leave one of the two out"},
        {2, 0, 0, 0, 4, "2", "--pp 2 with --refine-span 2: rows that span a window go through all "
                             "layers side by side; leave one of the two out"},
        {0, 2, 0, 0, 4, NULL, "--groups 2 without --pp: groups take turns at the depths of a pipeline "
                              "of layers; leave it out, or give --pp too"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        settings s = {.tp = bad[i].tp, .depth = bad[i].depth, .groups = bad[i].groups,
                      .layout = bad[i].layout, .refine_span = bad[i].span};
        budget   b = room(SIZE_MAX / 2);
        engine_memory   need;
        engine_settings e = engine_default();
        assert_int_equal(budget_settle(&e, &need, &b, &s, &list, bad[i].ranks, 9), DID_EINVAL);
        assert_string_equal(status_message(), bad[i].sentence);
    }
}

/* Depths share the layers, rows beside them the documents; nothing is spanned there. */
static void depths_share_the_ranks(void **state)
{
    settings        s = {.depth = 2, .refine_span = "auto"};
    budget          b = room(SIZE_MAX / 2);
    engine_memory   need, flat;
    engine_settings e = engine_default();
    (void)state;
    assert_int_equal(budget_settle(&e, &need, &b, &s, &list, 4, 300), DID_OK);
    assert_true(e.depth == 2 && e.tp == 1 && e.span == 1 && e.documents == 64);
    assert_int_equal(engine_team(&e), 2);
    e.depth = 1;
    assert_int_equal(engine_plan(&flat, &e), DID_OK);
    assert_true(need.weights < flat.weights && need.cache == flat.cache / 2);
}

static void spans_that_cannot_be(void **state)
{
    static const struct {
        const char *span;
        int         tp, layout, ranks;
        const char *sentence;
    } bad[] = {
        {"3", 0, 0, 4, "--refine-span 3 does not divide the 4 rows of 1 rank of this run; 1, 2 or 4 "
                       "would"},
        {"4", 2, 0, 4, "--refine-span 4 does not divide the 2 rows of 2 ranks of this run; 1 or 2 "
                       "would"},
        {"2", 0, 1, 4, "--refine-span 2 with --layout 2d: there all ranks are one row, and every "
                       "document lies on all of them; leave one of the two out"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        settings s = {.tp = bad[i].tp, .layout = bad[i].layout, .refine_span = bad[i].span};
        budget   b = room(SIZE_MAX / 2);
        engine_memory   need;
        engine_settings e = engine_default();
        assert_int_equal(budget_settle(&e, &need, &b, &s, &list, bad[i].ranks, 9), DID_EINVAL);
        assert_string_equal(status_message(), bad[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_takes_all_ranks),
        cmocka_unit_test(a_grid_shares_the_weights),
        cmocka_unit_test(with_room_every_rank_is_a_row),
        cmocka_unit_test(less_room_means_fewer_documents),
        cmocka_unit_test(a_model_too_big_for_one_is_shared),
        cmocka_unit_test(nothing_fits_says_the_bytes),
        cmocka_unit_test(widths_that_cannot_be),
        cmocka_unit_test(idle_rows_span),
        cmocka_unit_test(windows_too_long_for_one_row_span),
        cmocka_unit_test(spans_that_cannot_be),
        cmocka_unit_test(depths_that_cannot_be),
        cmocka_unit_test(depths_share_the_ranks),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
