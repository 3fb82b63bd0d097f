/* Lines of texts, ours and anybody's, as the ids a scorer reads. */
#include "specimens.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SCORER DID_TEST_MODELS "/gpt2-tiny-scorer"

enum { E = 4095 };

static tokenizer *words;
static geometry   shape;
static char       path[] = "/tmp/did-specimens-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    return geometry_read(&shape, SCORER) != DID_OK || tokenizer_open(&words, SCORER) != DID_OK;
}

static int tear_down(void **state)
{
    (void)state;
    tokenizer_close(&words);
    return unlink(path);
}

static specimens_rules usual(want wanted)
{
    return (specimens_rules){.words = words,
                             .shape = &shape,
                             .end_id = E,
                             .want = wanted,
                             .stage = SPECIMENS_LAST};
}

static status read_text(specimens *s, const char *text, const specimens_rules *rules)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return specimens_read(s, path, rules);
}

static void refused(const char *text, const specimens_rules *rules, const char *sentence)
{
    specimens s;
    assert_int_equal(read_text(&s, text, rules), DID_EFORMAT);
    if (!strstr(status_message(), sentence)) print_error("found: %s\n", status_message());
    assert_non_null(strstr(status_message(), sentence));
    specimens_clear(&s);
}

/* E stands in front once, whether the text brings it or not, and inside it is E again. */
static void texts_begin_with_e(void **state)
{
    specimens       s;
    specimens_rules rules = usual(WANT_BOTH);
    (void)state;
    assert_int_equal(read_text(&s,
                               "{\"text\":\"Once upon a time\"}\n"
                               "{\"id\":7,\"text\":\"<|endoftext|>Once upon a time\"}\n"
                               "\n"
                               "{\"custom_id\":\"b\",\"text\":\"Once<|endoftext|>Once\"}\n"
                               "{\"custom_id\":\"c\",\"text\":\"\"}\n"
                               "{\"custom_id\":\"d\",\"text\":null,\"finish_reason\":\"failed\"}\n",
                               &rules),
                     DID_OK);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.left_out, 1);
    assert_string_equal(s.sample[0].custom_id, "line-1");
    assert_string_equal(s.sample[1].custom_id, "7");
    const specimen *a = s.sample[0].of, *b = s.sample[1].of, *c = s.sample[2].of;
    assert_null(a->ids);
    assert_true(isnan(a->edited));
    assert_true(a->n_told > 1);
    assert_int_equal(a->told[0], E);
    assert_int_not_equal(a->told[1], E);
    assert_int_equal(a->n_told, b->n_told);
    assert_memory_equal(a->told, b->told, (size_t)a->n_told * sizeof *a->told);
    assert_int_equal(c->told[0], E);
    int inner = 0;
    for (int i = 1; i < c->n_told; i++) inner += c->told[i] == E;
    assert_int_equal(inner, 1);
    assert_int_equal(s.sample[3].of->n_told, 1);
    specimens_clear(&s);
}

/* Ids whose text has a shorter encoding: scored as they are, and as the text says. */
static void ids_and_their_text(void **state)
{
    specimens       s;
    specimens_rules rules = usual(WANT_BOTH);
    int32_t        *o = NULL, *whole = NULL;
    int             n_o, n_whole;
    char            line[200];
    (void)state;
    assert_int_equal(tokenizer_encode(words, "t", 1, false, &o, &n_o), DID_OK);
    assert_int_equal(tokenizer_encode(words, "tt", 2, false, &whole, &n_whole), DID_OK);
    snprintf(line, sizeof line, "{\"ids\":[%d,%d,%d]}\n", E, o[0], o[0]);
    assert_int_equal(read_text(&s, line, &rules), DID_OK);
    const specimen *x = s.sample[0].of;
    assert_int_equal(x->n_ids, 3);
    assert_int_equal(x->ids[2], o[0]);
    assert_int_equal(x->n_told, n_whole + 1 < 3 ? n_whole + 1 : 3); /* cut at the ids' length */
    assert_memory_equal(x->told + 1, whole, (size_t)(x->n_told - 1) * sizeof *whole);
    specimens_clear(&s);
    rules.want = WANT_IDS;
    rules.length = 2;
    assert_int_equal(read_text(&s, line, &rules), DID_OK);
    assert_null(s.sample[0].of->told);
    assert_int_equal(s.sample[0].of->n_ids, 2);
    specimens_clear(&s);
    free(o);
    free(whole);
}

static const char *const record =
    "{\"custom_id\":\"a\",\"sample\":1,\"text\":\"x\",\"trace\":{\"end_id\":4095,\"mask_id\":4096,"
    "\"given\":[4095,10,-1,-1],\"ids\":[4095,10,13,12],\"left\":[[4095,10,11,12],[4095,10,13,12]],"
    "\"draws\":[]}}\n";

static void stages_of_a_trace(void **state)
{
    specimens       s;
    specimens_rules rules = usual(WANT_IDS);
    (void)state;
    assert_int_equal(read_text(&s, record, &rules), DID_OK);
    assert_int_equal(s.sample[0].sample, 1);
    assert_int_equal(s.sample[0].n, 1);
    assert_int_equal(s.sample[0].of->ids[2], 13);
    assert_true(s.sample[0].of->edited == 0.5); /* one of two that were not given */
    specimens_clear(&s);
    rules.stage = 0;
    assert_int_equal(read_text(&s, record, &rules), DID_OK);
    assert_int_equal(s.sample[0].of->ids[2], 11);
    assert_true(s.sample[0].of->edited == 0);
    specimens_clear(&s);
    rules.stage = SPECIMENS_ALL;
    assert_int_equal(read_text(&s, record, &rules), DID_OK);
    assert_int_equal(s.stages, 2);
    assert_int_equal(s.sample[0].of[0].ids[2], 11);
    assert_int_equal(s.sample[0].of[1].ids[2], 13);
    specimens_clear(&s);
    rules.stage = 2;
    refused(record, &rules, ":1: --stage 3: the record has 2 stages");
    rules.stage = 0;
    refused("{\"ids\":[1]}\n", &rules, ":1: --stage needs records that were made with --trace");
}

static void what_is_refused(void **state)
{
    specimens_rules rules = usual(WANT_BOTH), ids = usual(WANT_IDS), none = usual(WANT_BOTH);
    (void)state;
    none.words = NULL;
    refused("", &rules, "the file holds no texts");
    refused("{\"ids\":[4095,4096]}\n", &rules, ":1: ids: element 1 is 4096, expected an id from 0");
    refused("{\"ids\":[4095,\"a\"]}\n", &rules, ":1: ids: element 1 is \"a\", expected an id");
    refused("{\"text\":\"a\"}\n{\"words\":\"a\"}\n", &rules, ":2: found neither \"text\" nor \"ids\"");
    refused("{\"id\":1,\"text\":\"a\"}\n{\"id\":\"1\",\"text\":\"b\"}\n", &rules,
            ":2: custom_id: \"1\" sample 0 was used on line 1 already");
    refused("{\"id\":1.5,\"text\":\"a\"}\n", &rules, ":1: id: found 1.5, expected a string");
    refused("{\"text\":\"a\"\n", &rules, ":1: ");
    refused("text\n\xff\n", &rules, ":2: column 1: not UTF-8: byte 0xff");
    refused("{\"text\":\"a\"}\n", &ids, ":1: --raw-ids needs \"ids\", and the line has none");
    refused("plain\n", &none, ":1: a text needs a tokenizer");
    refused("{\"trace\":{\"end_id\":50256,\"left\":[[1]],\"ids\":[1]}}\n", &rules,
            ":1: the ids are of another tokenizer than the model's");
}

static void lines_cut_and_tidied(void **state)
{
    specimens       a, b;
    specimens_rules rules = usual(WANT_TEXT);
    (void)state;
    rules.cleanup = true;
    assert_int_equal(read_text(&a, "He did n't go .\n", &rules), DID_OK);
    rules.cleanup = false;
    assert_int_equal(read_text(&b, "He didn't go.\n", &rules), DID_OK);
    const specimen *x = a.sample[0].of, *y = b.sample[0].of;
    assert_int_equal(x->n_told, y->n_told);
    assert_memory_equal(x->told, y->told, (size_t)x->n_told * sizeof *x->told);
    specimens_clear(&a);
    rules.length_max = 3;
    specimens_clear(&b);
    assert_int_equal(read_text(&b, "He didn't go.\nHe\n", &rules), DID_OK);
    assert_int_equal(b.sample[0].of->n_told, 3);
    assert_int_equal(b.cut, 1);
    specimens_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_begin_with_e), cmocka_unit_test(ids_and_their_text),
        cmocka_unit_test(stages_of_a_trace),  cmocka_unit_test(what_is_refused),
        cmocka_unit_test(lines_cut_and_tidied),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
