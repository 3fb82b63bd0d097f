#include "models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODEL DID_TEST_MODELS "/did-tiny"
#define SCORER DID_TEST_MODELS "/gpt2-tiny-scorer"

static void each_directory_once(void **state)
{
    models m = {0};
    int    a = -1, b = -1, c = -1;
    (void)state;
    assert_int_equal(models_add(&m, MODEL, &a), DID_OK);
    assert_int_equal(models_add(&m, MODEL "/.", &b), DID_OK);
    assert_int_equal(models_add(&m, MODEL, &c), DID_OK);
    assert_int_equal(a, 0);
    assert_int_equal(b, 1);
    assert_int_equal(c, 0);
    assert_int_equal(m.n, 2);
    assert_int_equal(m.shape[1].length, 256);
}

static void what_cannot_be_added(void **state)
{
    models m = {0};
    int    handle = -1;
    char   long_name[MODEL_DIR_MAX + 1], expected[300];
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(models_add(&m, long_name, &handle), DID_EINVAL);
    assert_string_equal(status_message(), "model directory name of 512 bytes, at most 511 allowed");
    assert_int_equal(models_add(&m, "/no/such/model", &handle), DID_EIO);
    assert_int_equal(m.n, 0);

    /* As if the run's own model spoke another language. */
    assert_int_equal(models_add(&m, MODEL, &handle), DID_OK);
    m.shape[0].vocab = 50258;
    m.shape[0].mask_id = 50257;
    m.shape[0].end_id = 50256;
    snprintf(expected, sizeof expected,
             "%s/.: vocabulary 4097, mask id 4096, end id 4095; the first model %s has 50258, "
             "50257, 50256",
             MODEL, MODEL);
    assert_int_equal(models_add(&m, MODEL "/.", &handle), DID_EINVAL);
    assert_string_equal(status_message(), expected);

    m.n = ENGINE_MODELS_MAX;
    assert_int_equal(models_add(&m, MODEL "/.", &handle), DID_EINVAL);
    assert_non_null(strstr(status_message(), "a run can use 8 models, this would be one more"));
}

static void fewest_heads(void **state)
{
    models m = {.shape = {{.n_heads = 12}, {.n_heads = 4}, {.n_heads = 6}}, .n = 1};
    (void)state;
    assert_int_equal(models_heads(&m), 12);
    m.n = 3;
    assert_int_equal(models_heads(&m), 4);
}

/* Who drafts cannot score, and the other way round. */
static void each_to_its_work(void **state)
{
    models   m = {0};
    geometry g;
    int      handle = -1;
    (void)state;
    assert_int_equal(models_add(&m, SCORER, &handle), DID_EINVAL);
    assert_string_equal(status_message(),
                        SCORER ": a gpt2 model reads left to right and cannot draft or refine; it "
                               "can score (did score), and texts come from a diffusion model");
    assert_int_equal(m.n, 0);
    assert_int_equal(models_scorer(&g, SCORER), DID_OK);
    assert_int_equal(g.vocab, 4096);
    assert_int_equal(models_scorer(&g, MODEL), DID_EINVAL);
    assert_string_equal(status_message(),
                        MODEL ": a bd3lm model gives no probability of one token after another; "
                              "the scorer must be a model that reads left to right, like gpt2");
    assert_int_equal(models_scorer(&g, "/no/such/model"), DID_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_directory_once),
        cmocka_unit_test(what_cannot_be_added),
        cmocka_unit_test(each_to_its_work),
        cmocka_unit_test(fewest_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
