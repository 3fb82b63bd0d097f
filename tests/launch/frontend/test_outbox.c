#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "outbox.h"

typedef struct fixture {
    char            folder[64], endpoint[96];
    socket_context *context;
    socket         *router, *dealer;
    outbox         *box;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-outbox-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->endpoint, sizeof f->endpoint, "ipc://%s/s", f->folder);
    *state = f;
    return socket_context_open(&f->context) != DID_OK ||
           socket_bind_router(&f->router, f->context, f->endpoint, NULL, 1 << 20, NULL, 0) !=
               DID_OK ||
           socket_connect_dealer(&f->dealer, f->context, f->endpoint, NULL, NULL, 1 << 20) !=
               DID_OK;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    outbox_close(&f->box);
    socket_close(&f->dealer);
    socket_close(&f->router);
    socket_context_close(&f->context);
    unlink(f->endpoint + strlen("ipc://"));
    int left = rmdir(f->folder);
    free(f);
    return left;
}

/* What is posted before the connection stands, and beyond what the queues hold, arrives in order.
 */
static void arrives_in_order(void **state)
{
    enum { MANY = 2000 };
    fixture *f = *state;
    frame    frames[SOCKET_FRAMES_MAX];
    int      n, got = 0;
    assert_int_equal(outbox_open(&f->box, f->dealer), DID_OK);
    for (int i = 0; i < MANY; i++) {
        char  text[16];
        frame part = {text, (size_t)snprintf(text, sizeof text, "part %d", i)};
        assert_int_equal(
            outbox_post(f->box, NULL, MESSAGE_RESULT, json_pack("{s:i}", "serial", i), &part, 1),
            DID_OK);
    }
    assert_true(outbox_waiting(f->box) > MANY / 2);
    double until = clock_seconds() + 20;
    while (got < MANY && clock_seconds() < until) {
        assert_int_equal(outbox_flush(f->box), DID_OK);
        assert_int_equal(socket_recv(f->router, 5, frames, &n), DID_OK);
        if (n == 0) continue;
        char body[32];
        snprintf(body, sizeof body, "{\"serial\":%d}", got++);
        assert_int_equal(n, 5);
        assert_memory_equal(frames[1].data, "did1", 4);
        assert_memory_equal(frames[2].data, "result", 6);
        assert_int_equal(frames[3].size, strlen(body));
        assert_memory_equal(frames[3].data, body, strlen(body));
    }
    assert_int_equal(got, MANY);
    assert_int_equal(outbox_waiting(f->box), 0);
}

/* A peer that is not there keeps its own messages waiting and nobody else's; offers to it are
 * forgotten; and its lane has an end. */
static void a_missing_peer(void **state)
{
    fixture *f = *state;
    frame    hello = {"hello", 5}, frames[SOCKET_FRAMES_MAX], ghost = {"ghost", 5};
    bool     sent = false;
    int      n = 0;
    char     id[64];
    double   until = clock_seconds() + 20;
    while (!sent && clock_seconds() < until)
        assert_int_equal(socket_send(f->dealer, &hello, 1, &sent), DID_OK);
    assert_int_equal(socket_recv(f->router, 5000, frames, &n), DID_OK);
    assert_int_equal(n, 2);
    frame peer = {id, frames[0].size};
    memcpy(id, frames[0].data, frames[0].size);

    assert_int_equal(outbox_open(&f->box, f->router), DID_OK);
    assert_int_equal(outbox_post(f->box, &ghost, MESSAGE_ACK, NULL, NULL, 0), DID_OK);
    assert_int_equal(outbox_offer(f->box, &ghost, MESSAGE_ERROR, NULL, NULL, 0, &sent),
                     DID_OK);
    assert_false(sent);
    assert_int_equal(outbox_post(f->box, &peer, MESSAGE_WELCOME, NULL, NULL, 0), DID_OK);
    assert_int_equal(outbox_flush(f->box), DID_OK);
    assert_int_equal(outbox_waiting(f->box), 1);
    assert_int_equal(socket_recv(f->dealer, 5000, frames, &n), DID_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(frames[1].data, "welcome", 7);

    status s = DID_OK;
    int    posted = 0;
    while (s == DID_OK && posted <= 2 * OUTBOX_LANE_MAX) {
        s = outbox_post(f->box, &ghost, MESSAGE_ACK, NULL, NULL, 0);
        posted++;
    }
    assert_int_equal(s, DID_EPEER);
    assert_int_equal(outbox_waiting(f->box), OUTBOX_LANE_MAX);
    assert_int_equal(outbox_offer(f->box, &peer, MESSAGE_WELCOME, NULL, NULL, 0, &sent), DID_OK);
    assert_true(sent);
    assert_int_equal(socket_recv(f->dealer, 5000, frames, &n), DID_OK);
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arrives_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_peer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
