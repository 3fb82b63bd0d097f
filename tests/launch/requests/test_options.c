#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct target {
    bool        watch;
    const char *input, *options;
    int         length, count, order;
    double      nucleus;
    uint64_t    seed;
} target;

#define AT(member) .offset = offsetof(target, member)

static const option rows[] = {
    {.help = "A heading"},
    {"input", 0, OPTION_TEXT, "FILE", .silent = "none", AT(input), .help = "what to read"},
    {"length", 0, OPTION_COUNT, "TOKENS", .silent = "the model's", .min = 2, .max = 100, AT(length),
     .help = "positions"},
    {"count", 'n', OPTION_COUNT, "COUNT", "1", .min = 1, .max = 10, AT(count), .help = "how many"},
    {"nucleus", 0, OPTION_REAL, "SHARE", "0.9", .max = 1, .open = true, AT(nucleus),
     .help = "mass"},
    {"seed", 0, OPTION_SEED, "NUMBER", "1", AT(seed), .help = "of the draws"},
    {"order", 0, OPTION_CHOICE, "random|left", .silent = "up to the stage", AT(order),
     .help = "of filling"},
    {"watch", 0, OPTION_FLAG, AT(watch), .help = "look"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options), .help = "more of these"},
};

static const option_table table = {.command = "try",
                                   .summary = "a table for the test.",
                                   .usage = "[options]",
                                   .option = rows,
                                   .n = sizeof rows / sizeof rows[0]};

static char directory[] = "/tmp/test_options.XXXXXX", file[64];

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory)) return 1;
    snprintf(file, sizeof file, "%s/set", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(directory);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* The words of `line`, cut at blanks, as a command line. */
static status read_line(options **out, target *t, const char *line)
{
    static char  copy[1000];
    static char *words[32];
    int          n = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) words[n++] = w;
    memset(t, 0, sizeof *t);
    return options_read(out, &table, t, n, words);
}

static void defaults_hold_without_words(void **state)
{
    target   t;
    options *o;
    (void)state;
    assert_int_equal(read_line(&o, &t, ""), DID_OK);
    assert_false(t.watch);
    assert_null(t.input);
    assert_int_equal(t.length, 0);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.order, -1);
    assert_true(t.nucleus == 0.9);
    assert_true(t.seed == 1);
    assert_false(options_given(o, "count"));
    options_close(&o);
    assert_null(o);
}

static void every_kind_is_read_in_every_form(void **state)
{
    target   t;
    options *o;
    (void)state;
    assert_int_equal(read_line(&o, &t,
                               "--input a=b --length=7 -n 3 --nucleus 1 --order left "
                               "--seed 18446744073709551615 --watch --count 4"),
                     DID_OK);
    assert_string_equal(t.input, "a=b");
    assert_int_equal(t.length, 7);
    assert_int_equal(t.count, 4); /* the last word wins */
    assert_true(t.nucleus == 1);
    assert_int_equal(t.order, 1);
    assert_true(t.seed == UINT64_MAX);
    assert_true(t.watch);
    assert_true(options_given(o, "order"));
    options_close(&o);
    assert_int_equal(read_line(&o, &t, "--watch --watch=no --input=--odd --nucleus 1e-3"), DID_OK);
    assert_false(t.watch);
    assert_string_equal(t.input, "--odd");
    assert_true(t.nucleus == 0.001);
    options_close(&o);
}

static void bad_words_are_told_apart(void **state)
{
    static const char *const cases[][2] = {
        {"--lenght 3", "unknown option --lenght: did you mean --length?"},
        {"--zzzzzzz", "unknown option --zzzzzzz: see did try --help"},
        {"-x", "unknown option -x: see did try --help"},
        {"file.txt", "found \"file.txt\" where an option (--name) was expected"},
        {"--length", "--length needs a value (TOKENS), found nothing"},
        {"--length --watch", "--length needs a value (TOKENS), found --watch"},
        {"--length abc", "--length: found \"abc\", expected a whole number from 2 to 100"},
        {"--length 1", "--length: found \"1\", expected a whole number from 2 to 100"},
        {"--length 7.0", "--length: found \"7.0\", expected a whole number from 2 to 100"},
        {"--length 1e1", "--length: found \"1e1\", expected a whole number from 2 to 100"},
        {"--length 99999999999999999999",
         "--length: found \"99999999999999999999\", expected a whole number from 2 to 100"},
        {"--length=", "--length: found \"\", expected a whole number from 2 to 100"},
        {"-n -1", "--count: found \"-1\", expected a whole number from 1 to 10"},
        {"--nucleus 0", "--nucleus: found \"0\", expected a number above 0 and at most 1"},
        {"--nucleus nan", "--nucleus: found \"nan\", expected a number above 0 and at most 1"},
        {"--nucleus inf", "--nucleus: found \"inf\", expected a number above 0 and at most 1"},
        {"--nucleus 0.5x", "--nucleus: found \"0.5x\", expected a number above 0 and at most 1"},
        {"--seed -1", "--seed: found \"-1\", expected a whole number from 0 to "
                      "18446744073709551615"},
        {"--seed 18446744073709551616",
         "--seed: found \"18446744073709551616\", expected a whole number from 0 to "
         "18446744073709551615"},
        {"--order up", "--order: found \"up\", expected one of random|left"},
        {"--order random|left", "--order: found \"random|left\", expected one of random|left"},
        {"--watch=maybe", "--watch: found \"maybe\", expected yes or no"},
        {"--input=", "--input: found \"\", expected FILE, not empty"},
        {"--options /no/such/file",
         "--options: cannot read /no/such/file: No such file or directory"},
        {"--order \x1b[31m", "--order: found \"\\x1B[31m\", expected one of random|left"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        target   t;
        options *o = NULL;
        assert_int_equal(read_line(&o, &t, cases[i][0]), DID_EINVAL);
        assert_string_equal(status_message(), cases[i][1]);
        assert_null(o);
    }
}

static void files_say_the_same_and_words_win(void **state)
{
    target   t;
    options *o;
    char     line[200];
    (void)state;
    write_file("# a comment\n\n  length 12   # tokens\r\ncount=5\nnucleus = 0.5\nwatch\n"
               "input \"a # b\"\n--seed 9\norder left#er\n");
    snprintf(line, sizeof line, "--count 2 --options %s --order random", file);
    assert_int_equal(read_line(&o, &t, line), DID_EINVAL); /* "left#er" is no comment */
    assert_non_null(strstr(status_message(), ":9: order: found \"left#er\""));

    write_file("# a comment\n\n  length 12   # tokens\r\ncount=5\nnucleus = 0.5\nwatch\n"
               "input \"a # b\"\n--seed 9");
    assert_int_equal(read_line(&o, &t, line), DID_OK);
    assert_int_equal(t.length, 12);
    assert_int_equal(t.count, 2);
    assert_true(t.nucleus == 0.5);
    assert_true(t.watch);
    assert_string_equal(t.input, "a # b");
    assert_true(t.seed == 9);
    options_close(&o);
}

static void bad_lines_of_a_file_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"length 5\nlenght 3\n", ":2: unknown option lenght: did you mean length?"},
        {"\n\nlength x\n", ":3: length: found \"x\", expected a whole number from 2 to 100"},
        {"length\n", ":1: length: found \"\", expected a whole number from 2 to 100"},
        {"watch = \n", ":1: watch: found \"\", expected yes or no"},
        {"options other\n", ":1: options files do not name further options files"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        target   t;
        options *o = NULL;
        char     line[100], expected[300];
        write_file(cases[i][0]);
        snprintf(line, sizeof line, "--options %s", file);
        snprintf(expected, sizeof expected, "%s%s", file, cases[i][1]);
        assert_int_equal(read_line(&o, &t, line), DID_EINVAL);
        assert_string_equal(status_message(), expected);
    }
    target   t;
    options *o = NULL;
    char     line[200];
    write_file("length 5\n");
    snprintf(line, sizeof line, "--options %s --options %s", file, file);
    assert_int_equal(read_line(&o, &t, line), DID_EINVAL);
    assert_string_equal(status_message(), "--options: only one file can be read");
}

/* The printed configuration is an options file: read back, it gives the same settings. */
static void the_configuration_reads_back(void **state)
{
    target   t, again;
    options *o;
    char     line[300];
    bool     given;
    int      count = 0;
    (void)state;
    assert_int_equal(read_line(&o, &t, "--input in#put --length 9 --nucleus 0.3 --watch"), DID_OK);
    FILE *f = fopen(file, "w");
    int   n = 0;
    for (; options_line(o, n, &given, line, sizeof line); n++) {
        fprintf(f, "%s\n", line);
        count += given;
    }
    fclose(f);
    options_close(&o);
    assert_int_equal(n, 8);
    assert_int_equal(count, 4);
    snprintf(line, sizeof line, "--options %s", file);
    assert_int_equal(read_line(&o, &again, line), DID_OK);
    assert_string_equal(again.input, "in#put");
    assert_int_equal(again.length, 9);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.order, -1);
    assert_true(again.nucleus == 0.3);
    assert_true(again.watch);
    options_close(&o);
}

static void help_names_everything(void **state)
{
    char  *text = NULL;
    size_t size = 0;
    char  *line[] = {"--input", "x", "--help"};
    FILE  *f = open_memstream(&text, &size);
    (void)state;
    assert_true(options_help_asked(3, line));
    assert_false(options_help_asked(2, line));
    options_help(&table, f);
    fclose(f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].name) assert_non_null(strstr(text, rows[i].name));
    assert_non_null(strstr(text, "A heading"));
    assert_non_null(strstr(text, "-n, --count COUNT"));
    assert_non_null(strstr(text, "mass (default: 0.9)"));
    assert_non_null(strstr(text, "positions (default: the model's)"));
    for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) assert_true(end - p <= 100);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_without_words),
        cmocka_unit_test(every_kind_is_read_in_every_form),
        cmocka_unit_test(bad_words_are_told_apart),
        cmocka_unit_test(files_say_the_same_and_words_win),
        cmocka_unit_test(bad_lines_of_a_file_are_named),
        cmocka_unit_test(the_configuration_reads_back),
        cmocka_unit_test(help_names_everything),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
