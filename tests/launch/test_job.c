#include "job.h"

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

static char directory[] = "/tmp/test_job.XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

/* A path inside our directory, borrowed until the sixth call after this one. */
static const char *inside(const char *name)
{
    static char path[6][128];
    static int  turn;
    turn = (turn + 1) % 6;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = inside(name);
    FILE       *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* A directory with the model's config, weights and tokenizer, where not NULL. */
static const char *checkpoint_at(const char *name, const char *config, const char *weights,
                                 const char *words)
{
    static const char *const files[] = {"config.json", "model.safetensors", "tokenizer.json"};
    const char              *from[] = {config, weights, words};
    const char              *dir = inside(name);
    char                     target[300], link_name[300];
    assert_int_equal(mkdir(dir, 0700), 0);
    for (int i = 0; i < 3; i++) {
        if (from[i] == NULL) continue;
        snprintf(target, sizeof target, "%s", from[i]);
        snprintf(link_name, sizeof link_name, "%s/%s", dir, files[i]);
        assert_int_equal(symlink(target, link_name), 0);
    }
    return dir;
}

static settings defaults(void)
{
    return (settings){.model = MODEL,
                      .count = 2,
                      .samples = 1,
                      .sampler = -1,
                      .nucleus = 0.9,
                      .temperature = 1,
                      .seed = 1,
                      .reject_window = 256,
                      .reject_entropy = 4,
                      .reject_restarts = 10};
}

static void a_good_job_is_ready(void **state)
{
    job      j = {0};
    ending   usual;
    settings s = defaults();
    (void)state;
    s.output = inside("fresh.jsonl");
    assert_int_equal(job_open(&j, &s, &usual), DID_OK);
    assert_int_equal(j.models.n, 1);
    assert_int_equal(j.input.n, 2);
    assert_int_equal(j.length, 256);
    assert_int_equal(j.end_id, 4095);
    assert_non_null(j.words);
    assert_string_equal(j.stages, "4,L:0.25");
    assert_non_null(strstr(j.stages_whole, "L:0.25:quota/32:order=random:p=0.9"));
    assert_int_not_equal(access(s.output, F_OK), 0); /* checking makes no file */
    job_close(&j);
}

static void the_output_may_be_resumed_or_special(void **state)
{
    job      j = {0};
    ending   usual;
    settings s = defaults();
    (void)state;
    s.output = write_file("half.jsonl", "{}\n");
    s.state = inside("half.state");
    assert_int_equal(job_open(&j, &s, &usual), DID_OK);
    job_close(&j);
    s.state = NULL;
    s.output = "/dev/null";
    assert_int_equal(job_open(&j, &s, &usual), DID_OK);
    job_close(&j);
    s.output = write_file("empty.jsonl", "");
    assert_int_equal(job_open(&j, &s, &usual), DID_OK);
    job_close(&j);
}

static void a_model_without_words_takes_ids(void **state)
{
    job      j = {0};
    ending   usual;
    settings s = defaults();
    (void)state;
    s.model = checkpoint_at("mute", MODEL "/config.json", MODEL "/model.safetensors", NULL);
    assert_int_equal(job_open(&j, &s, &usual), DID_OK);
    assert_null(j.words);
    assert_int_equal(j.end_id, 4095);
    job_close(&j);
    s.prompt = "Once";
    assert_int_equal(job_open(&j, &s, &usual), DID_EFORMAT);
    assert_int_equal(usual, END_INPUT);
    job_close(&j);
}

static void refuse(const settings *s, ending code, const char *part)
{
    job    j = {0};
    ending usual = END_DONE;
    assert_int_not_equal(job_open(&j, s, &usual), DID_OK);
    assert_int_equal(usual, code);
    if (!strstr(status_message(), part)) assert_string_equal(status_message(), part);
    job_close(&j);
}

static void models_that_are_refused(void **state)
{
    settings s = defaults();
    (void)state;
    s.model = "/no/such/model";
    refuse(&s, END_MODEL, "/no/such/model/config.json");

    s.model = checkpoint_at("light", MODEL "/config.json", NULL, MODEL "/tokenizer.json");
    refuse(&s, END_MODEL, "model.safetensors");

    s.model = checkpoint_at("broken", MODEL "/config.json",
                            write_file("short.safetensors", "0123456789"), NULL);
    refuse(&s, END_MODEL, "broken/model.safetensors");

    s.model = checkpoint_at("babel", MODEL "/config.json", MODEL "/model.safetensors",
                            write_file("words.json", "{}"));
    refuse(&s, END_MODEL, "babel/tokenizer.json");

    s = defaults();
    s.tokenizer = DID_TEST_MODELS "/gpt2-tokenizer";
    refuse(&s, END_MODEL, "has ids up to 50256, the model's vocabulary of 4097 ends at 4096");

    s.tokenizer = "/no/such/words";
    refuse(&s, END_MODEL, "/no/such/words");

    s = defaults();
    s.stages = "4,L:model=/no/such/model";
    refuse(&s, END_MODEL, "--stages: stage 2 (L:model=/no/such/model): /no/such/model/config.json");
}

static void stages_that_are_refused(void **state)
{
    settings s = defaults();
    (void)state;
    s.stages = "3";
    refuse(&s, END_USAGE,
           "--stages: stage 1: block 3 does not divide the length 256; 2 or 4 would");
    s.stages = NULL;
    s.length = 255;
    refuse(&s, END_USAGE,
           "--stages: stage 1: block 4 does not divide the length 255; 3 or 5 would");
}

static void outputs_that_are_refused(void **state)
{
    settings s = defaults();
    char     around[200];
    (void)state;
    s.output = write_file("old.jsonl", "{}\n");
    refuse(&s, END_USAGE, "old.jsonl exists already: name another file, or the --state it");
    s.output = directory;
    refuse(&s, END_USAGE, "is a directory, expected a file");
    s.output = "/no/such/place/out.jsonl";
    refuse(&s, END_USAGE, "--output /no/such/place/out.jsonl cannot be written: No such file");
    snprintf(around, sizeof around, "%s/old.jsonl/out.jsonl", directory);
    s.output = around;
    refuse(&s, END_USAGE, "cannot be written: Not a directory");

    s.input = write_file("in.jsonl", "{\"custom_id\":\"a\"}\n");
    snprintf(around, sizeof around, "%s/../%s/in.jsonl", directory, strrchr(directory, '/') + 1);
    s.output = around;
    refuse(&s, END_USAGE, "--output and --input are the same file");
    s.output = s.state = inside("both");
    refuse(&s, END_USAGE, "--state and --output are the same file");
    s.output = NULL;
    s.state = s.input;
    refuse(&s, END_USAGE, "--state and --input are the same file");
}

static void input_that_is_refused(void **state)
{
    settings s = defaults();
    (void)state;
    s.input = "/no/such/input";
    refuse(&s, END_INPUT, "cannot read /no/such/input: No such file or directory");
    s.input = write_file("bad.jsonl", "{\"custom_id\":\"a\",\"length\":7}\n");
    refuse(&s, END_INPUT, "bad.jsonl:1: stage 1: block 4 does not divide the length 7; 1 or L");
    s.input = write_file("nothing.jsonl", "");
    refuse(&s, END_INPUT, "nothing.jsonl: the file holds no lines to work on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_job_is_ready),
        cmocka_unit_test(the_output_may_be_resumed_or_special),
        cmocka_unit_test(a_model_without_words_takes_ids),
        cmocka_unit_test(models_that_are_refused),
        cmocka_unit_test(stages_that_are_refused),
        cmocka_unit_test(outputs_that_are_refused),
        cmocka_unit_test(input_that_is_refused),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
