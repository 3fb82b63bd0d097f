#include "tidy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void becomes(const char *before, const char *after)
{
    char   text[200];
    size_t size = strlen(before);
    strcpy(text, before);
    tidy_text(text, &size);
    assert_string_equal(text, after);
    assert_int_equal(size, strlen(after));
}

static void what_is_taken_out(void **state)
{
    (void)state;
    becomes("One , two . Three ? Four !", "One, two. Three? Four!");
    becomes("I do n't know what they 've said ; they 're gone, I 'm not.",
            "I don't know what they've said ; they're gone, I'm not.");
    becomes("the dog 's ' bone ' here", "the dog's'bone'here");
    becomes("nothing to do.", "nothing to do.");
    becomes("", "");
    becomes(" .", ".");
}

/* One pass per change: what a change leaves is looked at by later ones alone. */
static void in_their_order(void **state)
{
    (void)state;
    becomes("a  . b", "a . b");
    becomes("a ' .", "a '.");
    becomes("a ' , ' b", "a ','b");
}

static void zero_bytes_are_text(void **state)
{
    char   text[] = "a\0b .";
    size_t size = 5;
    (void)state;
    tidy_text(text, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(text, "a\0b.", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_out),
        cmocka_unit_test(in_their_order),
        cmocka_unit_test(zero_bytes_are_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
