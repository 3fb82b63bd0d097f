#include "knobs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Words, the last of them NULL. */
static status read_words(knobs *k, const char *const *words)
{
    int n = 0;
    while (words[n]) n++;
    return knobs_read(k, n, (char *const *)(uintptr_t)words);
}

#define READ(k, ...) read_words(k, (const char *const[]){__VA_ARGS__, NULL})

static void assert_counts(const counts *c, const int *want, int n)
{
    assert_int_equal(c->n, n);
    for (int i = 0; i < n; i++) assert_int_equal(c->at[i], want[i]);
}

static void silence_has_defaults(void **state)
{
    (void)state;
    knobs k;
    assert_int_equal(READ(&k, "passes"), DID_OK);
    assert_int_equal(k.what, BENCH_PASSES);
    assert_string_equal(k.geometry, "small");
    assert_counts(&k.documents, (int[]){1, 4, 16, 64}, 4);
    assert_counts(&k.refine, (int[]){256, 512, 1024}, 3);
    assert_false(k.refine.said);
    assert_null(k.model);
    assert_int_equal(READ(&k, "passes", "--quick"), DID_OK);
    assert_string_equal(k.geometry, "tiny");
    assert_counts(&k.documents, (int[]){1, 4}, 2);
    assert_int_equal(READ(&k, "kernels"), DID_OK);
    assert_string_equal(k.geometry, "small,tiny");
    assert_int_equal(k.rotate_mb, 170);
}

static void words_are_read(void **state)
{
    (void)state;
    knobs k;
    assert_int_equal(READ(&k, "documents", "--model", "DIR", "--documents=3,9", "--json", "x",
                          "--line-s", "1.5", "--length=64", "--quick"),
                     DID_OK);
    assert_string_equal(k.model, "DIR");
    assert_string_equal(k.json, "x");
    assert_counts(&k.documents, (int[]){3, 9}, 2);
    assert_true(k.documents.said && k.quick && k.line_s == 1.5);
    assert_int_equal(k.length, 64);
}

static void refusals(void **state)
{
    (void)state;
    const struct refusal {
        const char *words[4], *said;
    } table[] = {
        {{"sums"}, "found \"sums\""},
        {{"kernels", "--tp", "2"}, "no option --tp"},
        {{"kernels", "rows"}, "no option rows"},
        {{"kernels", "--rows"}, "--rows"},
        {{"kernels", "--rows", "1,,2"}, "\"1,,2\""},
        {{"kernels", "--rows", "1,2,"}, "\"1,2,\""},
        {{"kernels", "--rows", "0"}, "from 1 to"},
        {{"kernels", "--rows", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}, "up to 16"},
        {{"kernels", "--quick=1"}, "no value"},
        {{"passes", "--tp", "two"}, "\"two\""},
        {{"passes", "--tp", "-2"}, "\"-2\""},
        {{"passes", "--tp", "99999999999999999999"}, "from 1 to"},
        {{"passes", "--line-s", "soon"}, "\"soon\""},
        {{"passes", "--line-s", "nan"}, "\"nan\""},
        {{"passes", "--model="}, "not empty"},
        {{"documents", "--documents", "4x"}, "\"4x\""},
    };
    knobs k;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (read_words(&k, table[i].words) != DID_EINVAL) fail_msg("taken: %s", table[i].said);
        if (!strstr(status_message(), table[i].said))
            fail_msg("\"%s\" does not say %s", status_message(), table[i].said);
    }
    assert_int_equal(knobs_read(&k, 0, NULL), DID_EINVAL);
}

static void help_names_everything(void **state)
{
    (void)state;
    char       *text = NULL;
    size_t      size = 0;
    char *const words[] = {"passes", "--help"};
    assert_true(knobs_help_asked(2, words));
    assert_false(knobs_help_asked(1, words));
    FILE *to = open_memstream(&text, &size);
    knobs_help(to, 2, words);
    fclose(to);
    assert_non_null(strstr(text, "--refine LIST"));
    assert_null(strstr(text, "--waves"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 100);
    free(text);
    to = open_memstream(&text, &size);
    knobs_help(to, 0, NULL);
    fclose(to);
    assert_non_null(strstr(text, "--waves COUNT"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(silence_has_defaults),
                                       cmocka_unit_test(words_are_read), cmocka_unit_test(refusals),
                                       cmocka_unit_test(help_names_everything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
