#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "roff.h"

/* What troff would take for its own is marked: dashes, backslashes, quotes, a point in front. */
static void marks_what_is_troffs(void **state)
{
    char  *text;
    size_t size;
    FILE  *to = open_memstream(&text, &size);
    (void)state;
    roff_begin(to, "did top", "did 1", "looks", "[--once]");
    roff_section(to, "OPTIONS");
    roff_subsection(to, "a \"part\"");
    roff_item(to, "--a-b", "DIR", ".5 or \\n\nmore");
    roff_item(to, "0", NULL, "'tis done");
    roff_paragraph(to, "did(1)");
    fclose(to);
    assert_string_equal(text, ".TH \"DID\\-TOP\" 1 \"\" \"did 1\" \"did\"\n"
                              ".SH NAME\ndid\\-top \\- looks\n"
                              ".SH SYNOPSIS\n.B did top\n[\\-\\-once]\n"
                              ".SH \"OPTIONS\"\n"
                              ".SS \"a \\(dqpart\\(dq\"\n"
                              ".TP\n.BI \"\\-\\-a\\-b \" \"DIR\"\n\\&.5 or \\en more\n"
                              ".TP\n.BI \"0\"\n\\&'tis done\n"
                              ".PP\ndid(1)\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(marks_what_is_troffs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
