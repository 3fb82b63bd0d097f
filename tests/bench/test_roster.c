#include "roster.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LENGTH = 6, END = 9, MASK = 10 };

static const roster_kind kind = {.n_stages = 1};

static roster open_roster(void)
{
    roster r = {.most = 5,
                .length = LENGTH,
                .end_id = END,
                .mask_id = MASK,
                .seed = 3,
                .row = 1,
                .rows = 2,
                .kind = &kind,
                .n_kinds = 1};
    assert_int_equal(roster_open(&r), DID_OK);
    return r;
}

/* What the engine would do with a document: fill it, with what its key says plus `shift`. */
static void finish_document(document *d, int shift)
{
    for (int i = 1; i < d->length; i++)
        d->token[i] = (int32_t)((d->key >> i) % 9 + (uint64_t)shift);
    d->finish = FINISH_LENGTH;
}

/* Run all documents, the first `shifted` of them with another text. */
static void run(roster *r, int n, int in_flight, int shifted)
{
    engine_feed feed = roster_feed(r);
    document   *flight[5];
    bool        over = false;
    int         held = 0, got;
    assert_int_equal(roster_begin(r, n, in_flight), DID_OK);
    while (!over || held > 0) {
        assert_int_equal(feed.take(feed.context, flight + held, 5 - held, 0, &got, &over), DID_OK);
        held += got;
        assert_true(held <= in_flight);
        if (held == 0) break;
        document *d = flight[--held];
        finish_document(d, d->serial < shifted);
        assert_int_equal(feed.deliver(feed.context, &d), DID_OK);
        assert_null(d);
    }
}

/* Three kinds of one draft: the draft, and it with one refinement and with another. */
static void what_kinds_share_is_made_first(void **state)
{
    enum { KINDS = 3, FAMILIES = 2 };
    roster_kind  kinds[KINDS] = {{.n_stages = 1}, {.n_stages = 2}, {.n_stages = 2}};
    lineage_list list[KINDS];
    lineage      shared;
    bool         over = false;
    int          got, made = 0;
    (void)state;
    kinds[2].stage[1].remask = 0.5;
    for (int i = 0; i < KINDS; i++)
        list[i] = (lineage_list){kinds[i].stage, kinds[i].n_stages, LENGTH, false};
    assert_int_equal(lineage_open(&shared, list, KINDS, false), DID_OK);
    roster r = {.most = KINDS * FAMILIES, .length = LENGTH, .end_id = END, .mask_id = MASK, .row = 1,
                .rows = 2, .families = true, .kind = kinds, .n_kinds = KINDS, .shared = &shared};
    assert_int_equal(roster_open(&r), DID_OK);
    assert_int_equal(roster_begin(&r, KINDS * FAMILIES, 8), DID_OK);
    engine_feed feed = roster_feed(&r);
    document   *flight[8];
    assert_int_equal(feed.take(feed.context, flight, 8, 0, &got, &over), DID_OK);
    assert_true(got == FAMILIES && !over && flight[0]->key != flight[1]->key);
    for (int i = 0; i < FAMILIES; i++) {
        uint64_t key = flight[i]->key;
        assert_true(flight[i]->n_stages == 1 && flight[i]->serial >= KINDS * FAMILIES);
        flight[i]->at = 1;
        finish_document(flight[i], i);
        assert_int_equal(feed.deliver(feed.context, &flight[i]), DID_OK);
        document *heirs[KINDS + 1];
        assert_int_equal(feed.take(feed.context, heirs, KINDS + 1, 0, &got, &over), DID_OK);
        assert_true(got == KINDS && over == (i + 1 == FAMILIES));
        for (int k = 0; k < KINDS; k++, made++) {
            assert_true(heirs[k]->key == key && heirs[k]->at == 1);
            assert_int_equal(heirs[k]->token[2], (int32_t)((key >> 2) % 9) + i);
            finish_document(heirs[k], 0);
            assert_int_equal(feed.deliver(feed.context, &heirs[k]), DID_OK);
        }
    }
    assert_int_equal(made, KINDS * FAMILIES);
    roster_close(&r);
    lineage_close(&shared);
}

static void the_same_again_is_right(void **state)
{
    (void)state;
    roster  r = open_roster();
    verdict v = {0};
    run(&r, 3, 1, 0);
    roster_compare(&r, &v);
    run(&r, 5, 4, 0);
    roster_compare(&r, &v);
    run(&r, 5, 5, 0);
    roster_compare(&r, &v);
    assert_false(v.wrong);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) assert_true(r.docs[i]->key != r.docs[j]->key);
    roster_close(&r);
}

static void another_text_is_wrong(void **state)
{
    (void)state;
    roster  r = open_roster();
    verdict v = {0};
    run(&r, 5, 1, 0);
    roster_compare(&r, &v);
    run(&r, 5, 5, 1);
    roster_compare(&r, &v);
    assert_true(v.wrong);
    assert_non_null(strstr(v.why, "document 1 ")); /* the first of row 1 of 2 */
    v = (verdict){0};
    roster_forget(&r);
    run(&r, 5, 5, 1);
    roster_compare(&r, &v);
    assert_false(v.wrong);
    roster_close(&r);
}

static void an_unfinished_one_is_wrong(void **state)
{
    (void)state;
    roster  r = open_roster();
    verdict v = {0};
    assert_int_equal(roster_begin(&r, 1, 1), DID_OK);
    roster_compare(&r, &v);
    assert_true(v.wrong);
    roster_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_again_is_right),
                                       cmocka_unit_test(another_text_is_wrong),
                                       cmocka_unit_test(an_unfinished_one_is_wrong),
                                       cmocka_unit_test(what_kinds_share_is_made_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
