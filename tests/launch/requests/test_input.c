#include "input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The bundled model: 256 positions, 4097 ids, the mask is 4096 and E is 4095. */
#define MODEL DID_TEST_MODELS "/did-tiny"
enum { E = 4095 };

static char        file[] = "/tmp/test_input.XXXXXX";
static tokenizer  *words;
static models      list;
static input_rules rules;

static int set_up(void **state)
{
    int handle, fd = mkstemp(file);
    (void)state;
    if (fd < 0 || close(fd) || tokenizer_open(&words, MODEL) != DID_OK) return 1;
    if (models_add(&list, MODEL, &handle) != DID_OK) return 1;
    rules = (input_rules){.words = words,
                          .models = &list,
                          .end_id = E,
                          .stages = "4,L:0.25",
                          .defaults = {.sampler = -1, .nucleus = 0.9, .temperature = 1},
                          .length = 256,
                          .samples = 1,
                          .seed = 1,
                          .reject = {false, 256, 4, 10}};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tokenizer_close(&words);
    return unlink(file);
}

static status read_bytes(input *in, const char *text, size_t size)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    return input_read(in, file, &rules);
}

static status read_text(input *in, const char *text)
{
    return read_bytes(in, text, strlen(text));
}

static void our_lines_become_requests(void **state)
{
    input in;
    (void)state;
    assert_int_equal(read_text(&in, "{\"custom_id\":\"a\",\"prompt\":\"Once upon a time\"}\n\n"
                                    "{\"custom_id\":\"b\",\"length\":64,\"seed\":7,\"n\":2,"
                                    "\"stages\":\"8,L:0.5\",\"stop\":\"\\n\","
                                    "\"variable_length\":true}\n"),
                     DID_OK);
    assert_int_equal(in.n, 3);
    assert_int_equal(in.length_max, 256);

    const request *a = &in.request[0], *b = &in.request[1], *c = &in.request[2];
    assert_string_equal(a->custom_id, "a");
    assert_int_equal(a->length, 256);
    assert_int_equal(a->given[0], E);
    assert_true(a->prompt_tokens > 3 && a->prompt_tokens < 20);
    for (int i = 0; i < a->length; i++) assert_int_equal(a->given[i] < 0, i >= a->prompt_tokens);
    assert_false(a->has_seed);
    assert_int_equal(a->n_stages, 2);
    assert_int_equal(a->stage[0].block, 4);

    assert_int_equal(b->length, 64);
    assert_int_equal(b->prompt_tokens, 1);
    assert_true(b->has_seed && b->seed == 7 && b->key == 7);
    assert_int_equal(b->stage[0].block, 8);
    assert_true(b->stage[1].remask == 0.5);
    assert_string_equal(b->stop[0], "\n");
    assert_true(b->variable_length);
    assert_string_equal(c->custom_id, "b");
    assert_int_equal(c->sample, 1);
    assert_true(c->key != b->key && c->content != b->content);
    assert_string_equal(c->stop[0], "\n");
    assert_true(c->stop != b->stop && c->given != b->given);
    input_clear(&in);
    assert_int_equal(in.n, 0);
}

static void given_ids_stay_where_they_are(void **state)
{
    input in;
    (void)state;
    assert_int_equal(read_text(&in, "{\"custom_id\":\"a\",\"prompt_ids\":[5,-1,6],\"length\":8}\n"
                                    "{\"custom_id\":\"b\",\"prompt_ids\":[4095,5,-1],\"length\":8}"
                                    "\n{\"custom_id\":\"c\",\"prompt_ids\":[],\"length\":8}\n"
                                    "{\"custom_id\":\"d\",\"prompt_ids\":[-1],\"length\":8}\n"),
                     DID_OK);
    static const int32_t expected[4][8] = {{E, 5, -1, 6, -1, -1, -1, -1},
                                           {E, 5, -1, -1, -1, -1, -1, -1},
                                           {E, -1, -1, -1, -1, -1, -1, -1},
                                           {E, -1, -1, -1, -1, -1, -1, -1}};
    static const int     given[4] = {3, 2, 1, 1};
    for (int i = 0; i < 4; i++) {
        assert_memory_equal(in.request[i].given, expected[i], sizeof expected[i]);
        assert_int_equal(in.request[i].prompt_tokens, given[i]);
    }
    input_clear(&in);
}

static void special_tokens_in_a_prompt_stay_text(void **state)
{
    input in;
    (void)state;
    assert_int_equal(read_text(&in, "{\"custom_id\":\"a\",\"prompt\":\"<|endoftext|>\"}"), DID_OK);
    assert_true(in.request[0].prompt_tokens > 2);
    for (int i = 1; i < in.request[0].prompt_tokens; i++)
        assert_int_not_equal(in.request[0].given[i], E);
    input_clear(&in);
}

static void batch_lines_become_requests(void **state)
{
    input in;
    (void)state;
    assert_int_equal(
        read_text(&in, "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/completions\","
                       "\"body\":{\"prompt\":\"Once\",\"max_tokens\":10,\"temperature\":0,"
                       "\"top_p\":0.5,\"seed\":4}}\n"),
        DID_OK);
    const request *a = &in.request[0];
    int            wanted = a->prompt_tokens + 10;
    assert_true(a->length >= wanted && a->length < wanted + 4 && a->length % 4 == 0);
    for (int k = 0; k < a->n_stages; k++)
        assert_true(a->stage[k].temperature == 0 && a->stage[k].nucleus == 0.5);
    assert_true(a->key == 4);
    input_clear(&in);
}

static void plain_lines_become_prompts(void **state)
{
    input in, alone;
    (void)state;
    assert_int_equal(read_text(&in, "\nOnce upon a time\r\n   \n\"quoted\" {\nlast"), DID_OK);
    assert_int_equal(in.n, 3);
    assert_string_equal(in.request[0].custom_id, "line-2");
    assert_string_equal(in.request[1].custom_id, "line-4");
    assert_string_equal(in.request[2].custom_id, "line-5");
    assert_int_equal(input_prompt(&alone, "Once upon a time", &rules), DID_OK);
    assert_string_equal(alone.request[0].custom_id, "prompt");
    assert_memory_equal(alone.request[0].given, in.request[0].given, 256 * sizeof(int32_t));
    input_clear(&in);
    input_clear(&alone);
}

static void samples_do_not_depend_on_their_number(void **state)
{
    input few, many;
    (void)state;
    assert_int_equal(input_count(&few, 3, &rules), DID_OK);
    assert_int_equal(input_count(&many, 30, &rules), DID_OK);
    assert_string_equal(few.request[2].custom_id, "sample-000002");
    assert_string_equal(many.request[17].custom_id, "sample-000017");
    for (int i = 0; i < 3; i++) assert_true(few.request[i].key == many.request[i].key);
    assert_true(many.request[1].key != many.request[2].key);
    assert_int_equal(many.request[17].prompt_tokens, 1);
    input_clear(&few);
    input_clear(&many);
}

static void an_id_means_the_same_in_any_order(void **state)
{
    input one, two;
    (void)state;
    assert_int_equal(read_text(&one, "{\"custom_id\":\"a\"}\n{\"custom_id\":\"b\"}\n"), DID_OK);
    assert_int_equal(read_text(&two, "{\"custom_id\":\"b\"}\n{\"custom_id\":\"a\"}\n"), DID_OK);
    assert_true(one.request[0].key == two.request[1].key);
    assert_true(one.request[1].key == two.request[0].key);
    assert_true(one.request[0].key != one.request[1].key);
    input_clear(&one);
    input_clear(&two);
}

/* Every sentence is preceded by the file's name. */
static void wrong_lines_are_told(void **state)
{
    static const char *const bad[][2] = {
        {"", ": the file holds no lines to work on"},
        {"\n  \n\n", ": the file holds no lines to work on"},
        {"{\"custom_id\":\"a\"", ":1:16: not JSON: '}' expected near end of file"},
        {"{\"custom_id\":\"a\"}\n{\"custom_id\":\"b\", \"lenght\": 4}",
         ":2:19: unknown key \"lenght\": did you mean \"length\"?"},
        {"{\"custom_id\":\"a\"}\n\n{\"custom_id\":\"a\"}",
         ":3:2: custom_id: \"a\" was used on line 1 already"},
        {"{\"custom_id\":\"a\",\"prompt_ids\":[1,2,3,4],\"length\":4}",
         ":1: the prompt takes 5 positions (the first is <|endoftext|>) and the length is 4"},
        {"{\"custom_id\":\"a\",\"prompt_ids\":[1,4096]}",
         ":1: prompt_ids[1]: found the mask id 4096; write -1 for a position to fill"},
        {"{\"custom_id\":\"a\",\"prompt_ids\":[4097]}",
         ":1: prompt_ids[0]: found 4097, expected an id from 0 to 4096 or -1"},
        {"{\"custom_id\":\"a\",\"prompt_ids\":[-2]}",
         ":1: prompt_ids[0]: found -2, expected an id from 0 to 4096 or -1"},
        {"{\"custom_id\":\"a\",\"prompt_ids\":[9223372036854775807]}",
         ":1: prompt_ids[0]: found 9223372036854775807, expected an id from 0 to 4096 or -1"},
        {"{\"custom_id\":\"a\",\"length\":255}",
         ":1: stage 1: block 4 does not divide the length 255; 3 or 5 would"},
        {"{\"custom_id\":\"a\",\"stages\":\"3\"}",
         ":1: stage 1: block 3 does not divide the length 256; 2 or 4 would"},
        {"{\"custom_id\":\"a\",\"stages\":\"4,M\"}",
         ":1: stage 2 (M): found block \"M\", expected a whole number of tokens or L"},
        {"{\"custom_id\":\"a\",\"body\":{\"prompt\":\"x\",\"max_tokens\":131072}}",
         ":1: max_tokens: 131072 after a prompt of 2 positions makes 131076, at most 131072 are "
         "allowed"},
        {"{\"custom_id\":\"a\"}\nplain text", ":2:5: not JSON: '[' or '{' expected near 'plain'"},
        {"fine\n\xff\xfe broken", ":2:1: not UTF-8: byte 0xff"},
        {"fine\n\xc3\xa9 caf\xc3(", ":2:6: not UTF-8: byte 0xc3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        input in;
        char  expected[400];
        snprintf(expected, sizeof expected, "%s%s", file, bad[i][1]);
        assert_int_equal(read_text(&in, bad[i][0]), DID_EFORMAT);
        assert_string_equal(status_message(), expected);
        input_clear(&in);
    }
}

static void a_prompt_that_is_too_long_is_counted(void **state)
{
    input in;
    char  text[4096] = "{\"custom_id\":\"a\",\"prompt\":\"";
    (void)state;
    for (int i = 0; i < 300; i++) strcat(text, " time");
    strcat(text, "\"}");
    assert_int_equal(read_text(&in, text), DID_EFORMAT);
    assert_non_null(strstr(status_message(), ":1: the prompt takes 301 positions (the first is "
                                             "<|endoftext|>) and the length is 256"));
    input_clear(&in);
}

static void many_mistakes_are_told_together(void **state)
{
    input in;
    char  text[4096] = "";
    (void)state;
    for (int i = 0; i < 25; i++) strcat(text, i == 3 ? "{\"custom_id\":\"good\"}\n" : "{oops\n");
    strcat(text, "{\"custom_id\":\"twice\",\"n\":0}\n{\"custom_id\":\"twice\"}\n");
    assert_int_equal(read_text(&in, text), DID_EFORMAT);
    assert_int_equal(in.n_problems, 26);
    assert_int_equal(in.n, 1);
    for (int i = 0; i < INPUT_PROBLEMS_MAX; i++) assert_non_null(in.problem[i]);
    assert_non_null(strstr(in.problem[19], ":21:"));
    assert_non_null(strstr(status_message(), ": 26 lines are wrong, the first 20 were named; "
                                             "nothing was generated"));
    input_clear(&in);

    /* The double of a line that is wrong itself is told as well. */
    assert_int_equal(read_text(&in, "{\"custom_id\":\"x\",\"n\":0}\n{\"custom_id\":\"x\"}\n"),
                     DID_EFORMAT);
    assert_int_equal(in.n_problems, 2);
    assert_non_null(strstr(in.problem[1], ":2:2: custom_id: \"x\" was used on line 1 already"));
    assert_non_null(strstr(status_message(), ": 2 lines are wrong; nothing was generated"));
    input_clear(&in);
}

static void a_line_that_is_too_long_is_told(void **state)
{
    input  in;
    size_t size = ((size_t)16 << 20) + 100;
    char  *text = malloc(size);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', size);
    text[0] = '\n';
    assert_int_equal(read_bytes(&in, text, size), DID_EFORMAT);
    assert_non_null(strstr(status_message(), ":2: the line is longer than 16777216 bytes"));
    input_clear(&in);
    free(text);
}

static void text_in_memory_is_read_like_a_file(void **state)
{
    static const char lines[] = "{\"custom_id\":\"a\",\"length\":8}\n{\"custom_id\":\"a\"}\n";
    size_t            first = (size_t)(strchr(lines, '\n') - lines);
    input             in;
    (void)state;
    assert_int_equal(input_parse(&in, lines, first, "memory", &rules), DID_OK);
    assert_int_equal(in.n, 1);
    assert_int_equal(in.request[0].length, 8);
    input_clear(&in);
    assert_int_equal(input_parse(&in, lines, sizeof lines - 1, "memory", &rules), DID_EFORMAT);
    assert_string_equal(status_message(),
                        "memory:2:2: custom_id: \"a\" was used on line 1 already");
    input_clear(&in);
}

static void what_needs_words_says_so(void **state)
{
    input       in;
    input_rules dumb = rules;
    (void)state;
    dumb.words = NULL;
    assert_int_equal(input_prompt(&in, "Once", &dumb), DID_EFORMAT);
    assert_string_equal(status_message(), "--prompt: a prompt of text needs a tokenizer, and the "
                                          "model has none: give --tokenizer, or \"prompt_ids\"");
    input_clear(&in);
    assert_int_equal(input_count(&in, 2, &dumb), DID_OK);
    input_clear(&in);
    assert_int_equal(input_prompt(&in, "\xff", &rules), DID_EFORMAT);
    input_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_lines_become_requests),
        cmocka_unit_test(given_ids_stay_where_they_are),
        cmocka_unit_test(special_tokens_in_a_prompt_stay_text),
        cmocka_unit_test(batch_lines_become_requests),
        cmocka_unit_test(plain_lines_become_prompts),
        cmocka_unit_test(samples_do_not_depend_on_their_number),
        cmocka_unit_test(an_id_means_the_same_in_any_order),
        cmocka_unit_test(wrong_lines_are_told),
        cmocka_unit_test(a_prompt_that_is_too_long_is_counted),
        cmocka_unit_test(many_mistakes_are_told_together),
        cmocka_unit_test(a_line_that_is_too_long_is_told),
        cmocka_unit_test(text_in_memory_is_read_like_a_file),
        cmocka_unit_test(what_needs_words_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
