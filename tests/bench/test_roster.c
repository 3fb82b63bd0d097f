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
                                       cmocka_unit_test(an_unfinished_one_is_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
