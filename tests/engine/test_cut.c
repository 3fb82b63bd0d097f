/* Where a draft ends before its time: the second E, a text that repeats itself, the filter. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cut.h"
#include "desk.h"

enum { LENGTH = 64, WINDOW = 16 };

/* Drafted up to `end`: tokens that repeat with period `kinds`. */
static document *drafted(int prompt, int end, int kinds)
{
    document *d = desk_document(LENGTH, prompt, 1);
    desk_stage(d, 4, 0, SAMPLER_FHS, 0);
    d->reject = (reject_rule){.on = true, .window = WINDOW, .nats = 2, .restarts = 3};
    for (int i = 1; i < end; i++) {
        d->token[i] = i % kinds;
        d->masked[i] = false;
        if (!d->given[i]) d->snapshot[i] = 0.5f;
    }
    return d;
}

static void assert_whole(const document *d, int end)
{
    assert_int_equal(d->length, LENGTH);
    assert_int_equal(document_masked(d, 0, LENGTH), LENGTH - end);
    assert_int_equal(d->finish, FINISH_NONE);
    assert_int_equal(d->attempt, 0);
}

/* Fixed length: ln 8 = 2.08 nats pass the filter at 2, ln 7 = 1.95 do not. */
static void filter_measures_the_last_stretch(void **state)
{
    (void)state;
    desk k;
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    for (int kinds = 4; kinds < 12; kinds++)
        for (int end = 4; end <= LENGTH; end += 4) {
            document *d = drafted(0, end, kinds);
            bool      bad = end > WINDOW && kinds < 8;
            assert_int_equal(cut_draft(d, end, &k.rules), !bad);
            if (!bad) assert_whole(d, end);
            if (bad) assert_int_equal(d->attempt, 1);
            if (bad) assert_int_equal(document_masked(d, 0, LENGTH), LENGTH - 1);
            document_close(&d);
        }
    document *d = drafted(0, 40, 16); /* varied at first, dull at the end */
    for (int i = 40 - WINDOW; i < 40; i++) d->token[i] = 3;
    assert_false(cut_draft(d, 40, &k.rules));
    document_close(&d);
    desk_close(&k);
}

static void filter_can_be_off(void **state)
{
    (void)state;
    desk      k;
    document *d = drafted(0, 40, 1);
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    d->reject.on = false;
    assert_true(cut_draft(d, 40, &k.rules));
    assert_whole(d, 40);
    document_close(&d);
    desk_close(&k);
}

static void filter_gives_up(void **state)
{
    (void)state;
    desk      k;
    document *d = drafted(0, 40, 1);
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    for (int attempt = 0; attempt <= 3; attempt++) {
        assert_int_equal(d->attempt, attempt);
        assert_int_equal(d->finish, FINISH_NONE);
        for (int i = 1; i < 40; i++) d->token[i] = 5;
        assert_false(cut_draft(d, 40, &k.rules));
    }
    assert_int_equal(d->attempt, 3);
    assert_int_equal(d->finish, FINISH_REJECTED);
    assert_non_null(strstr(d->reason, "4 drafts in a row"));
    document_close(&d);
    desk_close(&k);
}

static document *variable(int prompt, int end, int kinds)
{
    document *d = drafted(prompt, end, kinds);
    d->variable_length = true;
    return d;
}

/* The first E that was drawn, once there is more than one stretch or the text is full. */
static void second_end_ends(void **state)
{
    (void)state;
    desk k;
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    for (int end = 4; end <= LENGTH; end += 4)
        for (int at = 1; at < end; at += 3) {
            document *d = variable(0, end, 1); /* E goes before repetition */
            d->token[at] = d->token[end - 1] = DESK_END;
            assert_true(cut_draft(d, end, &k.rules));
            if (end <= WINDOW) {
                assert_whole(d, end);
            } else {
                assert_int_equal(d->length, at + 1);
                assert_true(d->given[at] && isinf(d->snapshot[at]));
                assert_int_equal(document_masked(d, 0, LENGTH), 0);
                for (int i = 1; i < at; i++) assert_false(d->given[i]);
            }
            document_close(&d);
        }
    desk_close(&k);
}

static void given_ends_are_text(void **state)
{
    (void)state;
    desk      k;
    document *d = variable(10, 32, 16);
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    d->token[5] = d->token[10] = DESK_END;
    assert_true(cut_draft(d, 32, &k.rules));
    assert_whole(d, 32);
    d->token[20] = DESK_END;
    assert_true(cut_draft(d, 32, &k.rules));
    assert_int_equal(d->length, 21);
    document_close(&d);
    desk_close(&k);
}

static void short_texts_end_when_full(void **state)
{
    (void)state;
    desk      k;
    document *d = variable(0, LENGTH, 16);
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    d->reject.window = 2 * LENGTH;
    d->token[9] = DESK_END;
    assert_true(cut_draft(d, LENGTH, &k.rules));
    assert_int_equal(d->length, 10);
    document_close(&d);
    desk_close(&k);
}

/* A text that repeats itself loses the stretch in which it does; what was given stays. */
static void dull_texts_are_cut(void **state)
{
    (void)state;
    static const struct {
        int prompt, end, length;
    } cases[] = {{0, 40, 24}, {10, 40, 24}, {23, 40, 24}, {24, 40, 25}, {30, 40, 31}, {39, 40, 40},
                 {0, 20, 4},  {0, 64, 48}};
    desk k;
    desk_open(&k, LENGTH, LENGTH, LENGTH);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        document *d = variable(cases[i].prompt, cases[i].end, 7);
        assert_true(cut_draft(d, cases[i].end, &k.rules));
        assert_int_equal(d->length, cases[i].length);
        assert_int_equal(document_masked(d, 0, LENGTH), 0);
        assert_int_equal(d->attempt, 0);
        assert_int_equal(d->finish, FINISH_NONE);
        document_close(&d);
    }
    document *d = variable(0, 40, 8);
    assert_true(cut_draft(d, 40, &k.rules));
    assert_whole(d, 40);
    document_close(&d);
    desk_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_measures_the_last_stretch),
        cmocka_unit_test(filter_can_be_off),
        cmocka_unit_test(filter_gives_up),
        cmocka_unit_test(second_end_ends),
        cmocka_unit_test(given_ends_are_text),
        cmocka_unit_test(short_texts_end_when_full),
        cmocka_unit_test(dull_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
