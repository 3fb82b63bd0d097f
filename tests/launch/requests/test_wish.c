#include "wish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The JSON outlives the wish, which borrows from it; the caller gives it back. */
static status read_text(wish *w, json_t **line, const char *text)
{
    *line = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(*line);
    return wish_read(w, *line);
}

static void a_wish_says_nothing_at_first(void **state)
{
    wish    w;
    json_t *line;
    (void)state;
    assert_int_equal(read_text(&w, &line, "{\"custom_id\": \"a\"}"), DID_OK);
    assert_string_equal(w.custom_id, "a");
    assert_null(w.prompt);
    assert_null(w.prompt_ids);
    assert_null(w.stages);
    assert_int_equal(w.length, 0);
    assert_int_equal(w.max_tokens, -1);
    assert_int_equal(w.n, 0);
    assert_int_equal(w.n_stop, 0);
    assert_int_equal(w.variable_length, -1);
    assert_false(w.has_seed);
    assert_true(w.temperature < 0 && w.top_p < 0);
    json_decref(line);
}

static void our_own_form(void **state)
{
    wish    w;
    json_t *line;
    (void)state;
    assert_int_equal(read_text(&w, &line,
                               "{\"custom_id\":\"a\",\"prompt\":\"x\\u0000y\",\"length\":512,"
                               "\"seed\":9223372036854775807,\"stages\":\"4,L\",\"n\":3,"
                               "\"stop\":[\"one\",\"two\"],\"variable_length\":true}"),
                     DID_OK);
    assert_int_equal(w.prompt_size, 3);
    assert_memory_equal(w.prompt, "x\0y", 3);
    assert_int_equal(w.length, 512);
    assert_true(w.has_seed && w.seed == INT64_MAX);
    assert_string_equal(w.stages, "4,L");
    assert_int_equal(w.n, 3);
    assert_int_equal(w.n_stop, 2);
    assert_string_equal(w.stop[1], "two");
    assert_int_equal(w.variable_length, 1);
    json_decref(line);

    assert_int_equal(read_text(&w, &line,
                               "{\"custom_id\":\"a\",\"prompt_ids\":[1,-1],"
                               "\"stop\":\"x\",\"seed\":null}"),
                     DID_OK);
    assert_int_equal(json_array_size(w.prompt_ids), 2);
    assert_int_equal(w.n_stop, 1);
    assert_false(w.has_seed);
    json_decref(line);
}

static void the_batch_form(void **state)
{
    wish    w;
    json_t *line;
    (void)state;
    assert_int_equal(
        read_text(&w, &line,
                  "{\"custom_id\":\"r1\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":"
                  "{\"model\":\"any\",\"prompt\":\"Once\",\"max_tokens\":64,\"temperature\":0.5,"
                  "\"top_p\":0.8,\"seed\":3,\"stop\":\"x\",\"n\":2,\"stream\":false,"
                  "\"echo\":false,\"presence_penalty\":0,\"user\":\"u\"}}"),
        DID_OK);
    assert_string_equal(w.prompt, "Once");
    assert_int_equal(w.max_tokens, 64);
    assert_true(w.temperature == 0.5 && w.top_p == 0.8);
    assert_true(w.has_seed && w.seed == 3);
    assert_int_equal(w.n, 2);
    json_decref(line);

    assert_int_equal(
        read_text(&w, &line,
                  "{\"custom_id\":\"r2\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\","
                  "\"body\":{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],"
                  "\"max_completion_tokens\":5}}"),
        DID_OK);
    assert_string_equal(w.prompt, "Hello");
    assert_int_equal(w.max_tokens, 5);
    json_decref(line);
}

static void mistakes_are_named_with_their_key(void **state)
{
    static const struct {
        const char *text, *sentence, *key;
        int         depth;
    } bad[] = {
        {"{\"prompt\":\"x\"}", "custom_id is missing", NULL, 1},
        {"{\"custom_id\":7}", "custom_id: found 7, expected a string", "custom_id", 1},
        {"{\"custom_id\":\"\"}", "custom_id: found an empty string", "custom_id", 1},
        {"{\"custom_id\":\"a\\u0000\"}", "custom_id: found a NUL character inside", "custom_id", 1},
        {"{\"custom_id\":\"a\",\"promt\":1}", "unknown key \"promt\": did you mean \"prompt\"?",
         "promt", 1},
        {"{\"custom_id\":\"a\",\"frobnicate\":1}", "unknown key \"frobnicate\"", "frobnicate", 1},
        {"{\"custom_id\":\"a\",\"max_tokens\":1}", "unknown key \"max_tokens\"", "max_tokens", 1},
        {"{\"custom_id\":\"a\",\"prompt\":[1]}", "prompt: found an array of 1, expected a string",
         "prompt", 1},
        {"{\"custom_id\":\"a\",\"prompt\":\"x\",\"prompt_ids\":[1]}",
         "found both \"prompt\" and \"prompt_ids\"", "prompt", 1},
        {"{\"custom_id\":\"a\",\"prompt_ids\":{}}",
         "prompt_ids: found an object, expected an array of token ids", "prompt_ids", 1},
        {"{\"custom_id\":\"a\",\"prompt_ids\":[1,2.5]}",
         "prompt_ids[1]: found 2.5, expected a token id or -1", "prompt_ids", 1},
        {"{\"custom_id\":\"a\",\"length\":\"8\"}",
         "length: found the string \"8\", expected a whole number from 2 to 131072", "length", 1},
        {"{\"custom_id\":\"a\",\"length\":8.0}",
         "length: found 8, expected a whole number from 2 to 131072", "length", 1},
        {"{\"custom_id\":\"a\",\"length\":1}",
         "length: found 1, expected a whole number from 2 to 131072", "length", 1},
        {"{\"custom_id\":\"a\",\"n\":0}", "n: found 0, expected a whole number from 1 to 4096", "n",
         1},
        {"{\"custom_id\":\"a\",\"n\":1000000000000}",
         "n: found 1000000000000, expected a whole number from 1 to 4096", "n", 1},
        {"{\"custom_id\":\"a\",\"seed\":-1}",
         "seed: found -1, expected a whole number from 0 to 9223372036854775807", "seed", 1},
        {"{\"custom_id\":\"a\",\"seed\":true}",
         "seed: found true, expected a whole number from 0 to 9223372036854775807", "seed", 1},
        {"{\"custom_id\":\"a\",\"stop\":3}",
         "stop: found 3, expected a string or an array of at most 16 strings", "stop", 1},
        {"{\"custom_id\":\"a\",\"stop\":[\"\"]}", "stop: found an empty string", "stop", 1},
        {"{\"custom_id\":\"a\",\"variable_length\":1}",
         "variable_length: found 1, expected true or false", "variable_length", 1},
        {"{\"custom_id\":\"a\",\"stages\":4}", "stages: found 4, expected a string", "stages", 1},
        {"{\"custom_id\":\"a\",\"body\":null}", "body: found null, expected an object", "body", 1},
        {"{\"custom_id\":\"a\",\"method\":\"GET\",\"body\":{}}",
         "method: found the string \"GET\", expected \"POST\"", "method", 1},
        {"{\"custom_id\":\"a\",\"url\":\"/v1/embeddings\",\"body\":{}}",
         "url: found the string \"/v1/embeddings\", expected \"/v1/completions\" or "
         "\"/v1/chat/completions\"",
         "url", 1},
        {"{\"custom_id\":\"a\",\"length\":8,\"body\":{}}", "unknown key \"length\"", "length", 1},
        {"{\"custom_id\":\"a\",\"body\":{\"temprature\":1}}",
         "unknown key \"temprature\": did you mean \"temperature\"?", "temprature", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"temperature\":3}}",
         "temperature: found 3, expected a number from 0 to 2", "temperature", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"top_p\":0}}",
         "top_p: found 0, expected a number above 0", "top_p", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"max_tokens\":0}}",
         "max_tokens: found 0, expected a whole number from 1 to 131072", "max_tokens", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"echo\":true}}", "echo is not supported", "echo", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"frequency_penalty\":0.5}}",
         "frequency_penalty is not supported", "frequency_penalty", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"messages\":[{\"content\":\"a\"},{\"content\":\"b\"}]}}",
         "messages: found 2 messages; the model knows no conversations, only a single message can "
         "be taken as the prompt",
         "messages", 2},
        {"{\"custom_id\":\"a\",\"body\":{\"messages\":[{\"content\":[]}]}}",
         "messages: the message has no \"content\" string", "messages", 2},
        {"{\"custom_id\":\"a\",\"stages\":\"\\u0007\\n\",\"n\":\"\\u0007\"}",
         "n: found the string \"\\x07\", expected a whole number from 1 to 4096", "n", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wish    w;
        json_t *line;
        assert_int_equal(read_text(&w, &line, bad[i].text), DID_EFORMAT);
        assert_string_equal(status_message(), bad[i].sentence);
        assert_int_equal(w.depth, bad[i].depth);
        if (bad[i].key) assert_string_equal(w.key, bad[i].key);
        else assert_null(w.key);
        json_decref(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_says_nothing_at_first),
        cmocka_unit_test(our_own_form),
        cmocka_unit_test(the_batch_form),
        cmocka_unit_test(mistakes_are_named_with_their_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
