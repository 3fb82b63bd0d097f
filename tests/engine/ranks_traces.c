/* Whole documents against the reference: greedy draft, remask, greedy refine, token by token, on
 * every width that divides the world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checkpoint.h"
#include "feeder.h"

static comm       *world;
static checkpoint *goldens;

enum { LENGTH = 256, TRACES = 4, END = 4095, MASK = 4096 };

static int read_ints(int trace, const char *name, int32_t *out)
{
    char key[32];
    snprintf(key, sizeof key, "trace%d.%s", trace, name);
    const tensor *t = checkpoint_find(goldens, key);
    assert_non_null(t);
    assert_int_equal(
        checkpoint_read_raw(goldens, t, out, (size_t)t->dim[0] * sizeof *out), DID_OK);
    return (int)t->dim[0];
}

static void add_trace(feeder *f, int trace)
{
    int32_t   prompt[LENGTH];
    int       n = read_ints(trace, "prompt", prompt);
    document *d = feeder_add(f, LENGTH, prompt + 1, n - 1, END, MASK, 1);
    assert_non_null(d);
    assert_int_equal(prompt[0], END);
    d->n_stages = 2;
    d->stage[0] = feeder_stage(4, 0, SAMPLER_QUOTA, 4);
    d->stage[0].order = ORDER_LEFT;
    d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.5, SAMPLER_QUOTA, 16);
    d->stage[1].order = ORDER_CONFIDENT;
    d->stage[0].temperature = d->stage[1].temperature = 0;
    d->traced = true;
    assert_int_equal(document_reserve(d), DID_OK);
}

static void check_trace(const document *d, int trace)
{
    int32_t want[LENGTH];
    float   snapshot[LENGTH];
    char    key[32];
    assert_int_equal(d->finish, FINISH_LENGTH);
    assert_int_equal(read_ints(trace, "draft", want), LENGTH);
    assert_memory_equal(d->left[0], want, sizeof want);

    snprintf(key, sizeof key, "trace%d.confidence", trace);
    assert_int_equal(checkpoint_read(goldens, checkpoint_find(goldens, key), 0, 1, 0, LENGTH,
                                     snapshot),
                     DID_OK);
    int drafted = 0;
    for (int i = 0; i < d->n_draws; i++) {
        const draw *x = &d->draws[i];
        if (x->stage != 0) continue;
        drafted++;
        assert_true(fabsf(x->snapshot - snapshot[x->position]) < 1e-4f);
    }
    int32_t remasked[LENGTH], reopened = 0, prompt[LENGTH];
    assert_int_equal(drafted, LENGTH - read_ints(trace, "prompt", prompt));
    read_ints(trace, "remasked", remasked);
    for (int i = 0; i < LENGTH; i++) reopened += remasked[i] == MASK;
    for (int i = 0; i < d->n_draws; i++)
        if (d->draws[i].stage == 1) assert_int_equal(remasked[d->draws[i].position], MASK);
    assert_int_equal(d->cost[1].reopened, reopened);
    assert_int_equal(d->n_draws, drafted + reopened);

    read_ints(trace, "refined", want);
    assert_memory_equal(d->token, want, sizeof want);
    assert_int_equal(d->cost[1].nfe, 16);
}

static void agrees_at(int tp)
{
    feeder          f = {0};
    engine         *e = NULL;
    engine_settings s = feeder_settings(DID_TEST_MODELS "/did-tiny", tp, TRACES, LENGTH);
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    int traces = feeder_slow() ? 1 : TRACES;
    for (int i = 0; i < traces; i++) add_trace(&f, i);
    assert_int_equal(feeder_run(&f, e, comm_size(world) / tp), DID_OK);
    for (int i = 0; i < traces && engine_leads(e); i++)
        if (f.done[i]) check_trace(f.docs[i], i);
    feeder_clear(&f);
    engine_close(&e);
}

static void traces_agree(void **state)
{
    (void)state;
    for (int tp = feeder_slow() && comm_size(world) <= 4 ? comm_size(world) : 1;
         tp <= comm_size(world) && tp <= 4; tp++)
        if (comm_size(world) % tp == 0) agrees_at(tp);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    status s = checkpoint_open_file(&goldens, DID_TEST_MODELS "/goldens/trace_goldens.safetensors");
    if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
    const struct CMUnitTest tests[] = {cmocka_unit_test(traces_agree)};
    int                     failed = s != DID_OK ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    checkpoint_close(&goldens);
    comm_stop(&world);
    return failed;
}
