#include "nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"length", "stages", "steps", "seed", "state", NULL, "stop"};
enum { NAMES = sizeof names / sizeof names[0] };

static void slips_are_understood(void **state)
{
    static const char *const pairs[][2] = {
        {"lenght", "length"}, /* two letters exchanged */
        {"lengt", "length"},  /* one left out */
        {"lengthh", "length"}, {"lemgth", "length"},
        {"stage", "stages"}, /* nearer than "state", which needs a replacement */
        {"sead", "seed"},      {"length", "length"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *near = nearest_name(pairs[i][0], names, NAMES);
        assert_non_null(near);
        assert_string_equal(near, pairs[i][1]);
    }
}

static void strangers_stay_strangers(void **state)
{
    char        long_word[200];
    const char *words[] = {"frobnicate", "x", "", "zzzz", long_word};
    (void)state;
    memset(long_word, 'a', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_null(nearest_name(words[i], names, NAMES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_understood),
        cmocka_unit_test(strangers_stay_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
