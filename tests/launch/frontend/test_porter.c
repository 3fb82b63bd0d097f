#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crew.h"
#include "message.h"
#include "slip.h"

/* The front-end of these tests is the test itself: it holds the ROUTER and says what it likes. */
typedef struct fixture {
    door    door;
    socket *router;
    char    peer[64];
    size_t  peer_size;
    request request;
    record_rules rules;
    crew    crew;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (crew_door(&f->door) != DID_OK) return 1;
    f->request = sample_request("doc", 0, 12, 2);
    f->rules = (record_rules){.parcels = sample_rules(false), .signature = "did/1 test"};
    f->crew = (crew){.settings = {.door = &f->door, .rules = &f->rules, .saving = true},
                     .room = 2};
    f->door.sign.n = 1;
    strcpy(f->door.sign.address[0], f->door.endpoint);
    return socket_bind_router(&f->router, f->door.context, f->door.endpoint, NULL, 1 << 24, NULL,
                              0) != DID_OK;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    socket_close(&f->router);
    door_close(&f->door);
    request_clear(&f->request);
    free(f);
    return 0;
}

static frame of(const char *text)
{
    return (frame){text, strlen(text)};
}

/* The next message that is neither progress nor another question for work (unless it is what is
 * waited for: a fast leader asks before it has heard that there is no more); its document, where
 * it has one, into *part. */
static void hears(fixture *f, const char *type, const char *body, char **part)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    char  text[500];
    do {
        assert_int_equal(socket_recv(f->router, 20000, frames, &n), DID_OK);
        assert_true(n >= 4);
        assert_true(frames[0].size <= sizeof f->peer);
        memcpy(f->peer, frames[0].data, frames[0].size);
        f->peer_size = frames[0].size;
        snprintf(text, sizeof text, "%.*s %.*s", (int)frames[2].size, (const char *)frames[2].data,
                 (int)frames[3].size, (const char *)frames[3].data);
    } while (strncmp(text, "progress", 8) == 0 ||
             (strncmp(text, "ready", 5) == 0 && strcmp(type, "ready") != 0));
    if (strncmp(text, type, strlen(type)) != 0 || !strstr(text, body))
        fail_msg("\"%s\" is not \"%s\" with \"%s\"", text, type, body);
    if (part) *part = n > 4 ? strndup(frames[4].data, frames[4].size) : NULL;
}

static void say(fixture *f, const char *type, const char *body, const char *one, const char *two)
{
    frame frames[] = {{f->peer, f->peer_size}, of("did1"),        of(type), of(body),
                      of(one ? one : ""),      of(two ? two : "")};
    bool  sent;
    assert_int_equal(socket_send(f->router, frames, 4 + (one != NULL) + (two != NULL), &sent),
                     DID_OK);
    assert_true(sent);
}

static void welcome(fixture *f)
{
    crew_start(&f->crew);
    hears(f, "hello", "\"row\":0", NULL);
    say(f, "welcome", "{}", NULL, NULL);
    hears(f, "ready", "{\"room\":2}", NULL);
}

static void ends(fixture *f, status outcome, const char *says)
{
    crew_join(&f->crew);
    assert_int_equal(f->crew.outcome, outcome);
    if (!strstr(f->crew.why, says)) fail_msg("\"%s\" lacks \"%s\"", f->crew.why, says);
}

/* One document from the start and one from its checkpoint; a checkpoint after every pass; results
 * are waited for until they are acknowledged. */
static void a_working_day(void **state)
{
    fixture     *f = *state;
    parcel_rules rules = sample_rules(false);
    document    *d, *begun;
    char        *slip, *text, *parcel, *shown;
    size_t       shown_size;
    FILE        *terminal = open_memstream(&shown, &shown_size);
    assert_int_equal(watch_open(&f->crew.settings.watch, terminal, NULL, 10), DID_OK);
    welcome(f);
    assert_int_equal(slip_pack(&slip, &f->request), DID_OK);
    assert_int_equal(parcel_begin(&begun, &f->request, 0, &rules), DID_OK);
    for (int i = 0; i < 5; i++) crew_step(begun);
    assert_int_equal(parcel_pack(&parcel, begun, &f->request), DID_OK);
    say(f, "work", "{\"serial\":4,\"epoch\":1,\"sample\":0}", slip, parcel);
    say(f, "over", "{}", NULL, NULL);

    int checkpoints = 0, masked = document_masked(begun, 0, begun->length);
    for (; masked > 1; masked--, checkpoints++) {
        hears(f, "checkpoint", "{\"serial\":4,\"epoch\":1,\"at\":0}", &text);
        assert_int_equal(parcel_unpack(&d, text, strlen(text), &f->request, 4, false, &rules),
                         DID_OK);
        assert_int_equal(document_masked(d, 0, d->length), masked - 1);
        document_close(&d);
        free(text);
    }
    assert_true(checkpoints > 2);
    for (;;) { /* the refinement, then the result */
        frame frames[SOCKET_FRAMES_MAX];
        int   n;
        assert_int_equal(socket_recv(f->router, 20000, frames, &n), DID_OK);
        assert_true(n >= 4);
        if (frames[2].size != strlen("result")) continue;
        assert_memory_equal(frames[2].data, "result", 6);
        text = strndup(frames[4].data, frames[4].size);
        break;
    }
    assert_int_equal(parcel_unpack(&d, text, strlen(text), &f->request, 4, true, &rules), DID_OK);
    while (begun->finish == FINISH_NONE) crew_step(begun);
    assert_memory_equal(d->token, begun->token, 12 * sizeof *d->token);
    say(f, "ack", "{\"serial\":4,\"epoch\":1}", NULL, NULL);
    hears(f, "bye", "{}", NULL);
    ends(f, DID_OK, "");
    assert_int_equal(f->crew.delivered, 1);
    watch_close(&f->crew.settings.watch);
    fclose(terminal);
    assert_non_null(strstr(shown, "doc  draft 1 of 2"));
    free(shown);
    document_close(&d);
    document_close(&begun);
    free(slip);
    free(parcel);
    free(text);
}

/* Told to stop: what is in flight is put down, and the porter leaves when that is acknowledged. */
static void told_to_stop(void **state)
{
    fixture *f = *state;
    char    *slip, *text;
    f->crew.pass_us = 20000;
    f->crew.settings.saving = false;
    welcome(f);
    assert_int_equal(slip_pack(&slip, &f->request), DID_OK);
    say(f, "work", "{\"serial\":1,\"epoch\":1,\"sample\":0}", slip, NULL);
    usleep(60000);
    say(f, "stop", "{\"reason\":\"evening\"}", NULL, NULL);
    hears(f, "put_down", "{\"serial\":1,\"epoch\":1,\"at\":0}", &text);
    assert_non_null(strstr(text, "\"finish\":\"none\""));
    say(f, "ack", "{\"serial\":1,\"epoch\":1}", NULL, NULL);
    hears(f, "bye", "{}", NULL);
    ends(f, DID_OK, "");
    assert_int_equal(f->crew.put_down, 1);
    free(slip);
    free(text);
}

static void an_error(void **state)
{
    fixture *f = *state;
    welcome(f);
    say(f, "error", "{\"reason\":\"the disk is full\"}", NULL, NULL);
    ends(f, DID_EPEER, "the front-end says: the disk is full");
}

static void malformed_work(void **state)
{
    fixture *f = *state;
    welcome(f);
    say(f, "work", "{\"serial\":1,\"epoch\":1,\"sample\":0}", "{\"custom_id\": 5}", NULL);
    ends(f, DID_EFORMAT, "request: custom_id: found 5");
}

static void malformed_checkpoint(void **state)
{
    fixture *f = *state;
    char    *slip;
    welcome(f);
    assert_int_equal(slip_pack(&slip, &f->request), DID_OK);
    say(f, "work", "{\"serial\":1,\"epoch\":1,\"sample\":0}", slip, "{}");
    ends(f, DID_EFORMAT, "document doc sample 0: content: found missing");
    free(slip);
}

static void a_wrong_word(void **state)
{
    fixture *f = *state;
    welcome(f);
    say(f, "ready", "{\"room\":1}", NULL, NULL);
    ends(f, DID_EFORMAT, "ready is not a word of the front-end");
}

/* Of several addresses the one that answers is taken. */
static void the_door_that_opens(void **state)
{
    fixture *f = *state;
    f->door.sign.n = 3;
    snprintf(f->door.sign.address[0], DOOR_ADDRESS_BYTES, "ipc://%.60s/nobody", f->door.directory);
    snprintf(f->door.sign.address[1], DOOR_ADDRESS_BYTES, "tcp://127.0.0.1:1");
    strcpy(f->door.sign.address[2], f->door.endpoint);
    welcome(f);
    say(f, "over", "{}", NULL, NULL);
    hears(f, "bye", "{}", NULL);
    ends(f, DID_OK, "");
}

static void nobody_answers(void **state)
{
    fixture *f = *state;
    f->door.sign.n = 2;
    snprintf(f->door.sign.address[0], DOOR_ADDRESS_BYTES, "ipc://%.60s/one", f->door.directory);
    snprintf(f->door.sign.address[1], DOOR_ADDRESS_BYTES, "ipc://%.60s/two", f->door.directory);
    double since = clock_seconds();
    crew_start(&f->crew);
    ends(f, DID_EPEER, f->door.sign.address[0]);
    assert_non_null(strstr(f->crew.why, f->door.sign.address[1]));
    assert_true(clock_seconds() - since > 9.5 && clock_seconds() - since < 15);
}

int main(void)
{
#define WITH_ROUTER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_ROUTER(a_working_day),  WITH_ROUTER(told_to_stop),         WITH_ROUTER(an_error),
        WITH_ROUTER(malformed_work), WITH_ROUTER(malformed_checkpoint), 
        WITH_ROUTER(a_wrong_word),   WITH_ROUTER(the_door_that_opens),  WITH_ROUTER(nobody_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
