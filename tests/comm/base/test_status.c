/* Codes and sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

static void test_codes(void **state)
{
    (void)state;
    assert_int_equal(DID_OK, 0);
    assert_true(DID_OK < DID_EINVAL && DID_EINVAL < DID_EFORMAT && DID_EFORMAT < DID_ENOMEM);
    assert_true(DID_ENOMEM < DID_EFULL && DID_EFULL < DID_EIO && DID_EIO < DID_EPEER);
    assert_string_equal(status_text(DID_OK), "ok");
    assert_string_equal(status_text(DID_ENOMEM), "out of memory");
    assert_string_equal(status_text(DID_EPEER), "a rank is gone or out of step");
}

static void test_sentence(void **state)
{
    (void)state;
    assert_string_equal(status_message(), "");
    assert_int_equal(status_fail(DID_EFORMAT, "line %d: found %s", 7, "soup"), DID_EFORMAT);
    assert_string_equal(status_message(), "line 7: found soup");
    assert_int_equal(status_at(DID_EIO, "%s", "menu.json"), DID_EIO);
    assert_string_equal(status_message(), "menu.json: line 7: found soup");
    /* A sentence may be told again inside another. */
    status_fail(DID_EIO, "plain");
    status_at(DID_EIO, "twice (%s)", status_message());
    assert_string_equal(status_message(), "twice (plain): plain");
}

static void test_long_sentences_are_cut(void **state)
{
    (void)state;
    status_fail(DID_EIO, "%02000d", 1);
    assert_int_equal(strlen(status_message()), 1023);
    status_at(DID_EIO, "here");
    assert_int_equal(strlen(status_message()), 1023);
    assert_int_equal(strncmp(status_message(), "here: 000", 9), 0);
    status_at(DID_EIO, "%02000d", 2);
    assert_int_equal(strlen(status_message()), 1023);
}

/* What strangers wrote cannot end the line, steer the terminal or keep a sentence out of JSON. */
static void test_sentences_are_a_line_of_characters(void **state)
{
    (void)state;
    status_fail(DID_EFORMAT, "found \"%s\"", "\x1b[31mred\r\n\x7f \xE2\x82\xAC \xff\xE2\x82");
    assert_string_equal(status_message(), "found \"?[31mred??? \xE2\x82\xAC ???\"");
    status_fail(DID_EFORMAT, "%s", "second set: \xC2\x9B[31m \xC2\x80\xC2\x9F, \xC2\xA0 is a space");
    assert_string_equal(status_message(), "second set: ??[31m ????, \xC2\xA0 is a space");
    status_fail(DID_EFORMAT, "found \"%s\"", "\x1b[31mred\r\n\x7f \xE2\x82\xAC \xff\xE2\x82");
    status_at(DID_EFORMAT, "%s", "a\nb");
    assert_string_equal(status_message(), "a?b: found \"?[31mred??? \xE2\x82\xAC ???\"");
    status_fail(DID_EFORMAT, "%1022d\xE2\x82\xAC", 1); /* one byte of the three has room */
    assert_int_equal(strlen(status_message()), 1023);
    assert_string_equal(status_message() + 1021, "1?");
    status_at(DID_EFORMAT, "b");
    assert_string_equal(status_message() + 1000, "                       ");
}

static int steps;

static status step(status s)
{
    steps++;
    return s;
}

static status three_steps(status second)
{
    TRY(step(DID_OK));
    TRY(step(second));
    TRY(step(DID_OK));
    return DID_OK;
}

static void test_try(void **state)
{
    (void)state;
    steps = 0;
    assert_int_equal(three_steps(DID_OK), DID_OK);
    assert_int_equal(steps, 3);
    assert_int_equal(three_steps(DID_ENOMEM), DID_ENOMEM);
    assert_int_equal(steps, 5);
}

static void *fail_elsewhere(void *arg)
{
    (void)arg;
    char *seen = strdup(status_message());
    status_fail(DID_EIO, "of the other thread");
    return seen;
}

static void test_each_thread_has_its_own(void **state)
{
    (void)state;
    pthread_t other;
    void     *seen;
    status_fail(DID_EIO, "mine");
    assert_int_equal(pthread_create(&other, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(other, &seen), 0);
    assert_string_equal(seen, "");
    assert_string_equal(status_message(), "mine");
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_long_sentences_are_cut),
        cmocka_unit_test(test_sentences_are_a_line_of_characters),
        cmocka_unit_test(test_try),
        cmocka_unit_test(test_each_thread_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
