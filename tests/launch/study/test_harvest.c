#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "harvested.h"

static void documents_find_their_places(void **state)
{
    harvested h;
    char      name[HARVEST_NAME_MAX];
    (void)state;
    harvested_open(&h);
    harvest_name(name, &h.spec.setting[2], 2, 1);
    assert_string_equal(name, "refined remask=0.25/2/000001");
    assert_int_equal(h.harvest.n_documents, 4);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            const harvest_document *d = &h.harvest.setting[i].document[k];
            assert_true(d->there);
            assert_int_equal(d->n, HARVESTED_LENGTH);
            assert_int_equal(d->quality.rows, 7);
            assert_true(d->quality.nll == harvested_nll(i == 0   ? 2
                                                        : i == 1 ? 3
                                                        : i == 2 ? 2.5
                                                                 : 2.25,
                                                        k));
        }
    harvested_close(&h);
}

/* Seven passes over a block of four and one commit; then two over the whole and one that measured
 * confidence. What only scored costs nothing. */
static void costs_are_counted_in_rows(void **state)
{
    harvested h;
    (void)state;
    harvested_open(&h);
    const harvest_document *draft = &h.harvest.setting[0].document[0];
    const harvest_document *fine = &h.harvest.setting[2].document[0];
    assert_true(draft->nfe == 7 && draft->commits == 1 && draft->rows == 7 * 4 + 4);
    assert_true(draft->edits == 0);
    assert_true(fine->nfe == 9 && fine->rows == 7 * 4 + 4 + 2 * 8 + 8);
    assert_true(fabs(fine->edits - 3.0 / 7) < 1e-15);
    harvested_close(&h);
}

/* Windows smaller than the document: a pass of the last stage evaluates one of them. */
static void windows_bound_a_pass(void **state)
{
    harvested h;
    json_t   *r;
    (void)state;
    harvested_open(&h);
    free(h.harvest.setting[2].document[0].id);
    h.harvest.setting[2].document[0] = (harvest_document){0};
    r = harvested_record("refined remask=0.25/1/000000", 1, 3, true);
    json_object_set_new(json_object_get(r, "settings"), "refine_window", json_integer(6));
    assert_int_equal(harvest_take(&h.harvest, r), DID_OK);
    assert_true(h.harvest.setting[2].document[0].rows == 7 * 4 + 4 + 2 * 6 + 6);
    json_decref(r);
    harvested_close(&h);
}

static void strangers_are_passed_over(void **state)
{
    static const char *const names[] = {"",
                                        "x",
                                        "drafts nucleus=0.5",
                                        "drafts nucleus=0.5/1",
                                        "drafts nucleus=0.5/1/000002",
                                        "drafts nucleus=0.5/3/000000",
                                        "drafts nucleus=0.5/1/0",
                                        "drafts nucleus=0.5/1/000000/",
                                        "other/1/000000",
                                        "/1/000000"};
    harvested                h;
    (void)state;
    harvested_open(&h);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *r = harvested_record(names[i], 1, 3, false);
        assert_int_equal(harvest_take(&h.harvest, r), DID_OK);
        json_decref(r);
    }
    harvested_close(&h);
}

/* Takes the record of an empty place with one key replaced. */
static status take_with(const char *key, json_t *value)
{
    harvested h;
    harvested_open(&h);
    free(h.harvest.setting[0].document[0].id);
    h.harvest.setting[0].document[0] = (harvest_document){0};
    json_t *r = harvested_record("drafts nucleus=0.5/1/000000", 1, 3, false);
    json_object_set_new(r, key, value);
    status s = harvest_take(&h.harvest, r);
    json_decref(r);
    harvested_close(&h);
    return s;
}

static void refuses(const char *key, json_t *value, const char *says)
{
    assert_int_equal(take_with(key, value), DID_EFORMAT);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
}

static void refusals(void **state)
{
    (void)state;
    refuses("ids", json_array(), "document \"drafts nucleus=0.5/1/000000\": ids: found none");
    refuses("ids", json_pack("[i]", -1), "ids: element 0 is none");
    refuses("score", json_object(), "tokens: found missing");
    refuses("cost", json_array(), "settings stages: found 2, expected as many as costs");
    refuses("finish_reason", json_integer(1), "finish_reason: expected a string");
    refuses("prompt_tokens", json_integer(9), "prompt_tokens: found 9, expected a whole number");
    refuses("custom_id", json_null(), "custom_id: expected a string");
    refuses("custom_id", json_string("refined remask=0.5/1/000000"), "is there twice");
}

/* A document that failed has costs and no text, and is not there. */
static void failed_documents_are_not_there(void **state)
{
    harvested h;
    (void)state;
    harvested_open(&h);
    free(h.harvest.setting[0].document[0].id);
    h.harvest.setting[0].document[0] = (harvest_document){0};
    json_t *r = harvested_record("drafts nucleus=0.5/1/000000", 1, 3, false);
    json_object_set_new(r, "finish_reason", json_string("rejected"));
    json_object_set_new(r, "rejections", json_integer(10));
    json_object_set_new(r, "rejected_nfe", json_integer(63));
    json_object_del(r, "ids");
    assert_int_equal(harvest_take(&h.harvest, r), DID_OK);
    assert_false(h.harvest.setting[0].document[0].there);
    assert_true(h.harvest.setting[0].document[0].nfe == 70);
    assert_true(h.harvest.setting[0].document[0].rejected == 10);
    json_decref(r);
    harvested_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(documents_find_their_places),
                                       cmocka_unit_test(costs_are_counted_in_rows),
                                       cmocka_unit_test(windows_bound_a_pass),
                                       cmocka_unit_test(strangers_are_passed_over),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(failed_documents_are_not_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
