#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"
#include "view_html.h"

/* Four words; the draft's second and third are reopened, and the second changes. */
static view sample(void)
{
    static const char *const word[] = {"<|E|>", " a", " b\xC3\xA9", " c"};
    view                     v = {.name = strdup("doc"),
                                  .ending = strdup("finished: length"),
                                  .text = strdup("a b c"),
                                  .n_stages = 2,
                                  .traced = true};
    for (int k = 0; k < 2; k++) {
        view_stage *s = &v.stage[k];
        s->title = strdup(k ? "stage 2: refine" : "stage 1: draft");
        s->costs = strdup(k ? "NFE 2" : "NFE 3");
        s->n = 4;
        s->token = calloc(4, sizeof *s->token);
        for (int i = 0; i < 4; i++) {
            bool again = i == 1 || i == 2;
            s->token[i] = (view_token){.text = strdup(k && i == 1 ? " <new>" : word[i]),
                                       .before = k && i == 1 ? strdup(" a") : NULL,
                                       .confidence = i ? 0.2f * (float)i : INFINITY,
                                       .stage = i ? (k && again) : -1,
                                       .step = i,
                                       .reopened = k && again,
                                       .reopens = !k && again};
        }
    }
    return v;
}

static char *drawn(const view *v, int width, bool colour)
{
    static char  *text;
    static size_t size;
    FILE         *to = open_memstream(&text, &size);
    view_draw(to, v, width, colour);
    fclose(to);
    return text;
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(view_level(0), 0);
    assert_int_equal(view_level(0.099f), 0);
    assert_int_equal(view_level(0.1001f), 1);
    assert_int_equal(view_level(0.5f), 3);
    assert_int_equal(view_level(1), 4);
    assert_int_equal(view_level(INFINITY), VIEW_LEVEL_NONE);
    assert_int_equal(view_level(NAN), VIEW_LEVEL_NONE);
}

static void without_colour_marks_are_written(void **state)
{
    view  v = sample();
    char *text = drawn(&v, 80, false);
    (void)state;
    assert_string_equal(text, "doc\nfinished: length\n\nstage 1: draft\nNFE 3\n\n"
                              "  <|E|>[ a b\xC3\xA9] c\n\nstage 2: refine\nNFE 2\n\n"
                              "  <|E|>[- a-]{+ <new>+} b\xC3\xA9 c\n\n"
                              "  [text]: reopened by the next stage   [-old-]{+new+}: changed by "
                              "this one\n");
    free(text);
    view_clear(&v);
    assert_null(v.name);
}

/* Red for the least sure, underlined where reopened, struck out and bold where changed; what is
 * switched on is switched off before the line ends. */
static void with_colour(void **state)
{
    view  v = sample();
    char *text = drawn(&v, 80, true);
    (void)state;
    assert_non_null(strstr(text, "\033[0;4;38;5;208m a\033[0;4;38;5;178m b\xC3\xA9"));
    assert_non_null(strstr(text, "\033[0;9;2m a\033[0;1;38;5;208m <new>"));
    assert_null(strstr(text, "[-"));
    bool on = false;
    for (const char *c = text; *c; c++) {
        if (*c == '\033') on = strncmp(c, "\033[0m", 4) != 0;
        if (*c == '\n') assert_false(on);
    }
    free(text);
    view_clear(&v);
}

static void lines_are_broken_at_spaces(void **state)
{
    view v = sample();
    (void)state;
    for (int width = 20; width < 60; width++) {
        char *text = drawn(&v, width, false);
        char *body = strstr(text, "NFE 3") + 6, *rest = body;
        for (char *line; (line = strsep(&rest, "\n"));) {
            size_t columns = 0;
            for (const char *c = line; *c; c++) columns += ((unsigned char)*c & 0xc0) != 0x80;
            if (columns > (size_t)width) assert_null(strchr(line + 2, ' '));
        }
        free(text);
    }
    view_clear(&v);
}

/* What a file says must not reach the terminal as a command. */
static void control_characters_are_dots(void **state)
{
    view  v = sample();
    char *text;
    (void)state;
    strcpy(v.stage[0].token[3].text, "\033c");
    strcpy(v.name, "d\033c");
    text = drawn(&v, 80, false);
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "d.c\n"));
    free(text);
    view_clear(&v);
}

static void without_a_trace_the_text_is_shown(void **state)
{
    view  v = sample();
    char *text;
    (void)state;
    for (int k = 0; k < 2; k++)
        while (v.stage[k].n > 0) {
            view_token *t = &v.stage[k].token[--v.stage[k].n];
            free(t->text);
            free(t->before);
        }
    v.traced = false;
    text = drawn(&v, 80, false);
    assert_non_null(strstr(text, "stage 1: draft\nNFE 3\n\nstage 2: refine\nNFE 2\n\n  a b c\n"));
    free(text);
    view_clear(&v);
}

static void as_a_page(void **state)
{
    view   v = sample();
    char  *text;
    size_t size;
    FILE  *to = open_memstream(&text, &size);
    (void)state;
    view_html_write(to, &v);
    fclose(to);
    assert_non_null(strstr(text, "<del> a</del><ins class=\"c1\" title=\"0.2, stage 2, step 1\"> "
                                 "&lt;new&gt;</ins>"));
    assert_non_null(strstr(text, "<span class=\"c1 r\" title=\"0.2, stage 1, step 1\"> a</span>"));
    assert_non_null(strstr(text, "<span class=\"g\" title=\"given\">&lt;|E|&gt;</span>"));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "http"));
    free(text);
    view_clear(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels),
                                       cmocka_unit_test(without_colour_marks_are_written),
                                       cmocka_unit_test(with_colour),
                                       cmocka_unit_test(lines_are_broken_at_spaces),
                                       cmocka_unit_test(control_characters_are_dots),
                                       cmocka_unit_test(without_a_trace_the_text_is_shown),
                                       cmocka_unit_test(as_a_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
