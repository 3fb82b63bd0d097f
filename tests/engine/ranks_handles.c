/* A scorer beside the model that writes: one engine, one walk, and the numbers and tokens of two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feeder.h"

static comm *world;

enum { DOCUMENTS = 4, LENGTH = 64 };

#define MODEL  feeder_model()
#define SCORER DID_TEST_MODELS "/gpt2-tiny-scorer"

/* Every rank has all documents and runs those of its row; what is not its own stays as it was. */
static void write(feeder *f, engine *e, int tp, bool scored)
{
    for (int i = 0; i < DOCUMENTS; i++) {
        document *d = feeder_add(f, LENGTH, NULL, 0, 4095, 4096, 100 + (uint64_t)i);
        d->n_stages = 2 + scored;
        d->stage[0] = feeder_stage(4, 0, SAMPLER_FHS, 0);
        d->stage[1] = feeder_stage(STAGE_BLOCK_WHOLE, 0.25, SAMPLER_QUOTA, 4);
        d->stage[2] = (stage){.work = WORK_SCORE, .model = 1};
        assert_int_equal(document_reserve(d), DID_OK);
    }
    assert_int_equal(feeder_run(f, e, comm_size(world) / tp), DID_OK);
}

static void score(feeder *f, engine *e, int tp, const feeder *written)
{
    for (int i = 0; i < DOCUMENTS; i++) {
        document *d = feeder_add(f, LENGTH, written->docs[i]->token + 1, LENGTH - 1, 4095, 4096, 1);
        d->n_stages = 1;
        d->stage[0] = (stage){.work = WORK_SCORE};
        assert_int_equal(document_reserve(d), DID_OK);
    }
    assert_int_equal(feeder_run(f, e, comm_size(world) / tp), DID_OK);
}

static void both_at(int tp)
{
    engine         *e = NULL;
    feeder          together = {0}, plain = {0}, alone = {0};
    engine_settings s = feeder_settings(MODEL, tp, DOCUMENTS, LENGTH);
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    write(&plain, e, tp, false);
    engine_close(&e);

    s.model[s.n_models++] = SCORER;
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    write(&together, e, tp, true);
    engine_close(&e);

    s = feeder_settings(SCORER, tp, DOCUMENTS, LENGTH);
    assert_int_equal(engine_open(&e, &s, world), DID_OK);
    score(&alone, e, tp, &together);
    for (int i = engine_row(e); i < DOCUMENTS && engine_leads(e); i += comm_size(world) / tp) {
        const document *d = together.docs[i];
        assert_int_equal(d->finish, FINISH_LENGTH);
        assert_memory_equal(d->token, plain.docs[i]->token, LENGTH * sizeof *d->token);
        assert_memory_equal(d->nll + 1, alone.docs[i]->nll + 1, (LENGTH - 1) * sizeof *d->nll);
        for (int j = 1; j < LENGTH; j++) assert_true(d->nll[j] >= 0);
    }
    engine_close(&e);
    feeder_clear(&together);
    feeder_clear(&plain);
    feeder_clear(&alone);
}

static void one_walk_does_what_two_do(void **state)
{
    (void)state;
    for (int tp = 1; tp <= comm_size(world) && tp <= 4; tp++)
        if (comm_size(world) % tp == 0) both_at(tp);
}

/* A scorer cannot stand where the writer belongs. */
static void another_vocabulary_is_refused(void **state)
{
    (void)state;
    engine_memory   need;
    engine_settings s = feeder_settings(SCORER, 1, 1, LENGTH);
    s.model[s.n_models++] = MODEL;
    assert_int_equal(engine_plan(&need, &s), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "share one tokenizer"));
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_walk_does_what_two_do),
                                       cmocka_unit_test(another_vocabulary_is_refused)};
    int                     failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
