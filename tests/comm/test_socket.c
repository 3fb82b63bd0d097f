/* Sockets over ipc and over TCP with keys: what passes and what is turned away. The check of keys
 * (zap.c) has no other front door than this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "socket.h"

enum { MESSAGE_MAX = 4096, SOON = 5000, NEVER = 150 };

static socket_context *context;
static char            folder[] = "/tmp/test_socket.XXXXXX", endpoint[64];
static int             endpoints;

#define ASSERT_OK(expr)                                          \
    do {                                                         \
        if ((expr) != DID_OK) fail_msg("%s", status_message());  \
    } while (0)

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    return socket_context_open(&context) != DID_OK;
}

/* Every test has an endpoint of its own: a closed socket leaves its door a little later. */
static int new_endpoint(void **state)
{
    (void)state;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/door%d", folder, endpoints++);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    socket_context_close(&context);
    for (int i = 0; i < endpoints; i++) {
        snprintf(endpoint, sizeof endpoint, "%s/door%d", folder, i);
        unlink(endpoint);
    }
    return rmdir(folder) != 0 || context != NULL;
}

static frame text(const char *words)
{
    return (frame){words, strlen(words)};
}

static void assert_frame(frame f, const char *words)
{
    assert_int_equal(f.size, strlen(words));
    assert_memory_equal(f.data, words, f.size);
}

/* A dealer connects in the background: the first send may have to wait for that. */
static bool send_within(socket *s, const frame *frames, int n, int wait_ms)
{
    bool   sent = false;
    double until = clock_seconds() + 1e-3 * wait_ms;
    do {
        ASSERT_OK(socket_send(s, frames, n, &sent));
        if (!sent) clock_sleep(2e-3);
    } while (!sent && clock_seconds() < until);
    return sent;
}

static int recv_frames(socket *s, int wait_ms, frame frames[SOCKET_FRAMES_MAX])
{
    int n = -1;
    ASSERT_OK(socket_recv(s, wait_ms, frames, &n));
    return n;
}

/* One message there, one back; returns the dealer's routing id in `id`. */
static void assert_echo(socket *router, socket *dealer)
{
    frame in[SOCKET_FRAMES_MAX], out[] = {text("hello"), text(""), text("world")};
    assert_true(send_within(dealer, out, 3, SOON));
    assert_int_equal(recv_frames(router, SOON, in), 4);
    assert_frame(in[1], "hello");
    assert_frame(in[2], "");
    assert_frame(in[3], "world");

    bool  sent = false;
    frame back[] = {in[0], in[3], in[1]};
    ASSERT_OK(socket_send(router, back, 3, &sent));
    assert_true(sent);
    assert_int_equal(recv_frames(dealer, SOON, in), 2);
    assert_frame(in[0], "world");
    assert_frame(in[1], "hello");
}

static void open_ipc(socket **router, socket **dealer)
{
    ASSERT_OK(socket_bind_router(router, context, endpoint, NULL, MESSAGE_MAX, NULL, 0));
    ASSERT_OK(socket_connect_dealer(dealer, context, endpoint, NULL, NULL, MESSAGE_MAX));
}

static void close_both(socket **router, socket **dealer)
{
    socket_close(dealer);
    socket_close(router);
    assert_null(*dealer);
    assert_null(*router);
}

static void test_echo_over_ipc(void **state)
{
    (void)state;
    socket *router, *dealer;
    open_ipc(&router, &dealer);
    for (int i = 0; i < 20; i++) assert_echo(router, dealer);
    assert_string_equal(socket_user(router), "");
    socket_loss loss = socket_losses(router);
    assert_int_equal(loss.messages + loss.handshakes + loss.connections, 0);
    close_both(&router, &dealer);
    socket_close(&router);
}

static void on_alarm(int number)
{
    (void)number;
}

static void test_waiting(void **state)
{
    (void)state;
    socket *router, *dealer;
    frame   in[SOCKET_FRAMES_MAX];
    open_ipc(&router, &dealer);
    assert_int_equal(recv_frames(router, 0, in), 0);
    double before = clock_seconds();
    assert_int_equal(recv_frames(router, 60, in), 0);
    assert_true(clock_seconds() - before >= 0.055);

    /* A signal ends even the endless wait. */
    struct sigaction act = {.sa_handler = on_alarm}, old;
    struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    sigaction(SIGALRM, &act, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(recv_frames(router, -1, in), 0);
    sigaction(SIGALRM, &old, NULL);
    assert_echo(router, dealer);
    close_both(&router, &dealer);
}

/* With nobody at the other end nothing piles up, and closing does not wait. */
static void test_nobody_there(void **state)
{
    (void)state;
    socket *dealer;
    frame   hello = text("hello");
    ASSERT_OK(socket_connect_dealer(&dealer, context, endpoint, NULL, NULL, MESSAGE_MAX));
    assert_false(send_within(dealer, &hello, 1, NEVER));
    double before = clock_seconds();
    socket_close(&dealer);
    assert_true(clock_seconds() - before < 0.4);
}

static void test_unknown_peer(void **state)
{
    (void)state;
    socket *router, *dealer;
    frame   in[SOCKET_FRAMES_MAX], out[] = {text("nobody"), text("hello")};
    bool    sent = true;
    open_ipc(&router, &dealer);
    ASSERT_OK(socket_send(router, out, 2, &sent));
    assert_false(sent);
    assert_echo(router, dealer);  /* the refused message left nothing behind */

    /* Known, then gone. */
    char   id[256];
    size_t id_size;
    assert_true(send_within(dealer, &out[1], 1, SOON));
    assert_int_equal(recv_frames(router, SOON, in), 2);
    id_size = in[0].size;
    assert_true(id_size <= sizeof id);
    memcpy(id, in[0].data, id_size);
    socket_close(&dealer);
    double until = clock_seconds() + 5;
    while (socket_losses(router).connections == 0 && clock_seconds() < until) clock_sleep(2e-3);
    assert_int_equal(recv_frames(router, 20, in), 0);
    out[0] = (frame){id, id_size};
    ASSERT_OK(socket_send(router, out, 2, &sent));
    assert_false(sent);
    socket_close(&router);
}

static void test_message_too_large(void **state)
{
    (void)state;
    socket *router, *dealer;
    frame   in[SOCKET_FRAMES_MAX];
    char   *bytes = calloc(1, MESSAGE_MAX + 1);
    assert_non_null(bytes);
    open_ipc(&router, &dealer);
    frame fits = {bytes, MESSAGE_MAX}, large = {bytes, MESSAGE_MAX + 1};
    assert_true(send_within(dealer, &fits, 1, SOON));
    assert_int_equal(recv_frames(router, SOON, in), 2);
    assert_int_equal(in[1].size, MESSAGE_MAX);
    assert_int_equal(socket_losses(router).connections, 0);
    assert_true(send_within(dealer, &large, 1, SOON));
    assert_int_equal(recv_frames(router, NEVER, in), 0);
    assert_int_equal(socket_losses(router).connections, 1);
    assert_echo(router, dealer);  /* the dealer came back by itself */
    close_both(&router, &dealer);
    free(bytes);
}

static void test_too_many_frames(void **state)
{
    (void)state;
    socket *router, *dealer;
    frame   in[SOCKET_FRAMES_MAX], out[SOCKET_FRAMES_MAX];
    for (int i = 0; i < SOCKET_FRAMES_MAX; i++) out[i] = text("x");
    open_ipc(&router, &dealer);
    /* The router sees the routing id in front, one frame more than was sent. */
    assert_true(send_within(dealer, out, SOCKET_FRAMES_MAX, SOON));
    assert_true(send_within(dealer, out, SOCKET_FRAMES_MAX - 1, SOON));
    assert_int_equal(recv_frames(router, SOON, in), SOCKET_FRAMES_MAX);
    assert_int_equal(socket_losses(router).messages, 1);
    assert_true(send_within(dealer, out, SOCKET_FRAMES_MAX, SOON));
    assert_int_equal(recv_frames(router, NEVER, in), 0);
    assert_int_equal(socket_losses(router).messages, 2);
    assert_echo(router, dealer);
    close_both(&router, &dealer);
}

/* Send kilobytes until one is refused; how many were not? */
static int fill(socket *s, const frame *to)
{
    static char kilobyte[1024];
    frame       out[] = {to ? *to : text(""), {kilobyte, sizeof kilobyte}};
    for (int i = 0; i < 20000; i++) {
        bool   sent;
        double before = clock_seconds();
        ASSERT_OK(socket_send(s, out, 2, &sent));
        assert_true(clock_seconds() - before < 1);
        if (!sent) return i;
    }
    fail_msg("20000 messages and no end");
    return 0;
}

static void test_full_queue(void **state)
{
    (void)state;
    socket *router, *dealer;
    frame   in[SOCKET_FRAMES_MAX];
    open_ipc(&router, &dealer);
    assert_echo(router, dealer);
    /* Room is given back in steps, so that the echo may still count. */
    int sent = fill(dealer, NULL);
    assert_true(sent > 128);
    /* Whatever was accepted arrives, whole and in order. (More may fit while we read.) */
    for (int i = 0; i < sent; i++) assert_int_equal(recv_frames(router, SOON, in), 3);
    assert_int_equal(recv_frames(router, NEVER, in), 0);
    assert_echo(router, dealer);

    frame hello = text("hello");
    assert_true(send_within(dealer, &hello, 1, SOON));
    assert_int_equal(recv_frames(router, SOON, in), 2);
    sent = fill(router, &in[0]);
    assert_true(sent > 128);
    for (int i = 0; i < sent; i++) assert_int_equal(recv_frames(dealer, SOON, in), 1);
    assert_int_equal(recv_frames(dealer, NEVER, in), 0);
    assert_echo(router, dealer);
    close_both(&router, &dealer);
}

/* What was accepted before the close still arrives, even from a queue that was full. */
static void test_orderly_close(void **state)
{
    (void)state;
    socket *router, *dealer;
    frame   in[SOCKET_FRAMES_MAX];
    open_ipc(&router, &dealer);
    assert_echo(router, dealer);
    int sent = 0;
    for (int more, quiet = 0; quiet < 5; quiet = more ? 0 : quiet + 1) {
        sent += more = fill(dealer, NULL);
        clock_sleep(0.01);
    }
    socket_close(&dealer);
    for (int i = 0; i < sent; i++) assert_int_equal(recv_frames(router, SOON, in), 3);
    assert_int_equal(recv_frames(router, NEVER, in), 0);
    assert_int_equal(socket_losses(router).connections, 1);
    socket_close(&router);
}

static void test_endpoints_refused(void **state)
{
    (void)state;
    socket *s = NULL;
    const char *const wrong[] = {"", "door", "inproc://door", "udp://127.0.0.1:1", "ipc://door",
                                 "ipc://@door", "ipc://*", "ipc:///tmp/"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(socket_bind_router(&s, context, wrong[i], NULL, 10, NULL, 0), DID_EINVAL);
        assert_null(s);
        assert_non_null(strstr(status_message(), wrong[i]));
        assert_int_equal(socket_connect_dealer(&s, context, wrong[i], NULL, NULL, 10), DID_EINVAL);
    }
    char bound[4];
    assert_int_equal(socket_bind_router(&s, context, endpoint, NULL, 10, bound, sizeof bound),
                     DID_EIO);
    assert_null(s);
}

static void test_directory_refused(void **state)
{
    (void)state;
    socket *s = NULL;
    char    away[128], link[96];
    snprintf(away, sizeof away, "ipc://%s/away/door", folder);
    assert_int_equal(socket_bind_router(&s, context, away, NULL, 10, NULL, 0), DID_EIO);

    static const mode_t modes[] = {0755, 0770, 0701, 0720, 0500, 01777};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(folder, modes[i]), 0);
        assert_int_equal(socket_bind_router(&s, context, endpoint, NULL, 10, NULL, 0), DID_EIO);
        assert_non_null(strstr(status_message(), "0700"));
        assert_non_null(strstr(status_message(), folder));
        assert_int_equal(socket_connect_dealer(&s, context, endpoint, NULL, NULL, 10), DID_EIO);
        assert_null(s);
    }
    assert_int_equal(chmod(folder, 0700), 0);

    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(away, sizeof away, "ipc://%s/door", link);
    assert_int_equal(symlink(folder, link), 0);
    assert_int_equal(socket_bind_router(&s, context, away, NULL, 10, NULL, 0), DID_EIO);
    assert_non_null(strstr(status_message(), "not a directory"));
    unlink(link);
}

/* A server on a free port that admits `client`, or nobody. */
static socket *open_server(char bound[64], socket_keys *server, const char *client)
{
    socket *router;
    ASSERT_OK(socket_keys_make(server));
    if (client) ASSERT_OK(socket_allow(context, client));
    ASSERT_OK(socket_bind_router(&router, context, "tcp://127.0.0.1:*", server, MESSAGE_MAX, bound,
                                 64));
    assert_null(strchr(bound, '*'));
    return router;
}

/* libzmq takes addresses and interfaces alone; a host has a name. */
static void test_bound_by_name(void **state)
{
    (void)state;
    char        bound[64];
    socket     *s;
    socket_keys keys;
    ASSERT_OK(socket_keys_make(&keys));
    ASSERT_OK(socket_bind_router(&s, context, "tcp://localhost:*", &keys, MESSAGE_MAX, bound, 64));
    assert_memory_equal(bound, "tcp://127.0.0.1:", strlen("tcp://127.0.0.1:"));
    socket_close(&s);
    assert_int_equal(socket_bind_router(&s, context, "tcp://no.such.host.invalid:*", &keys,
                                        MESSAGE_MAX, bound, 64),
                     DID_EIO);
    assert_non_null(strstr(status_message(), "no.such.host.invalid:*: cannot bind"));
}

static void test_echo_over_tcp(void **state)
{
    (void)state;
    char        bound[64];
    socket_keys server, a, b;
    ASSERT_OK(socket_keys_make(&a));
    ASSERT_OK(socket_keys_make(&b));
    assert_string_not_equal(a.public, b.public);
    assert_string_not_equal(a.secret, b.secret);
    socket *router = open_server(bound, &server, a.public), *first, *second;
    ASSERT_OK(socket_allow(context, b.public));
    ASSERT_OK(socket_allow(context, b.public));
    ASSERT_OK(socket_connect_dealer(&first, context, bound, server.public, &a, MESSAGE_MAX));
    ASSERT_OK(socket_connect_dealer(&second, context, bound, server.public, &b, MESSAGE_MAX));
    for (int i = 0; i < 5; i++) {
        assert_echo(router, first);
        assert_string_equal(socket_user(router), a.public);
        assert_echo(router, second);
        assert_string_equal(socket_user(router), b.public);
    }
    frame in[SOCKET_FRAMES_MAX];
    assert_int_equal(recv_frames(router, 0, in), 0);
    assert_string_equal(socket_user(router), "");
    assert_int_equal(socket_losses(router).handshakes, 0);
    socket_close(&first);
    close_both(&router, &second);
}

/* Nothing passes, and the server has counted the attempt. */
static void assert_refused(socket *router, const char *bound, const char *server_public,
                           const socket_keys *keys)
{
    socket *dealer;
    frame   hello = text("hello"), in[SOCKET_FRAMES_MAX];
    long    before = socket_losses(router).handshakes;
    ASSERT_OK(socket_connect_dealer(&dealer, context, bound, server_public, keys, MESSAGE_MAX));
    double until = clock_seconds() + 5;
    while (socket_losses(router).handshakes == before && clock_seconds() < until)
        assert_int_equal(recv_frames(router, 5, in), 0);
    assert_true(socket_losses(router).handshakes > before);
    assert_false(send_within(dealer, &hello, 1, NEVER));
    assert_int_equal(recv_frames(router, 20, in), 0);
    socket_close(&dealer);
}

static void test_keys_refused(void **state)
{
    (void)state;
    char        bound[64];
    socket_keys server, friend, stranger;
    ASSERT_OK(socket_keys_make(&friend));
    ASSERT_OK(socket_keys_make(&stranger));
    socket *router = open_server(bound, &server, friend.public), *dealer;
    assert_refused(router, bound, server.public, &stranger);   /* not on the list */
    socket_loss loss = socket_losses(router);
    assert_true(loss.strangers > 0 && loss.strangers == loss.handshakes);
    assert_refused(router, bound, stranger.public, &friend);   /* another server's key */
    assert_true(socket_losses(router).foreign > 0);
    loss = socket_losses(router);
    assert_int_equal(loss.handshakes, loss.strangers + loss.foreign + loss.broken);
    assert_int_equal(loss.admitted + loss.guests, 0);

    /* The friend is not disturbed, and the stranger may come once he is on the list. */
    ASSERT_OK(socket_connect_dealer(&dealer, context, bound, server.public, &friend, MESSAGE_MAX));
    assert_echo(router, dealer);
    socket_close(&dealer);
    ASSERT_OK(socket_allow(context, stranger.public));
    ASSERT_OK(
        socket_connect_dealer(&dealer, context, bound, server.public, &stranger, MESSAGE_MAX));
    assert_echo(router, dealer);
    assert_string_equal(socket_user(router), stranger.public);
    assert_int_equal(socket_losses(router).admitted, 2);
    close_both(&router, &dealer);
}

static void test_an_empty_list_admits_nobody(void **state)
{
    (void)state;
    char            bound[64];
    socket_keys     server, client;
    socket_context *before = context;
    ASSERT_OK(socket_context_open(&context));
    ASSERT_OK(socket_keys_make(&client));
    socket *router = open_server(bound, &server, NULL);
    assert_refused(router, bound, server.public, &client);
    socket_close(&router);
    socket_context_close(&context);
    context = before;
}

static void test_keys_are_checked(void **state)
{
    (void)state;
    socket     *s = NULL;
    socket_keys keys, other, mixed;
    const char *tcp = "tcp://127.0.0.1:*";
    ASSERT_OK(socket_keys_make(&keys));
    ASSERT_OK(socket_keys_make(&other));
    mixed = keys;
    memcpy(mixed.secret, other.secret, sizeof mixed.secret);
    assert_int_equal(socket_bind_router(&s, context, tcp, NULL, 10, NULL, 0), DID_EINVAL);
    assert_non_null(strstr(status_message(), "keys"));
    assert_int_equal(socket_bind_router(&s, context, tcp, &mixed, 10, NULL, 0), DID_EINVAL);
    assert_non_null(strstr(status_message(), "not a pair"));
    assert_null(strstr(status_message(), mixed.secret));
    mixed.secret[0] = '\0';
    assert_int_equal(socket_bind_router(&s, context, tcp, &mixed, 10, NULL, 0), DID_EINVAL);
    assert_int_equal(socket_bind_router(&s, context, endpoint, &keys, 10, NULL, 0), DID_EINVAL);

    const char *at = "tcp://127.0.0.1:9";
    assert_int_equal(socket_connect_dealer(&s, context, at, NULL, &keys, 10), DID_EINVAL);
    assert_int_equal(socket_connect_dealer(&s, context, at, "short", &keys, 10), DID_EINVAL);
    assert_int_equal(socket_connect_dealer(&s, context, at, other.public, NULL, 10), DID_EINVAL);
    assert_int_equal(socket_connect_dealer(&s, context, endpoint, other.public, NULL, 10),
                     DID_EINVAL);
    assert_null(s);

    char *not_z85 = strdup(keys.public);
    not_z85[7] = '"';
    assert_int_equal(socket_allow(context, not_z85), DID_EINVAL);
    free(not_z85);
    assert_int_equal(socket_allow(context, NULL), DID_EINVAL);
    assert_int_equal(socket_allow(context, ""), DID_EINVAL);
}

static void test_address_in_use(void **state)
{
    (void)state;
    char        bound[64];
    socket_keys server;
    socket     *router = open_server(bound, &server, NULL), *second = NULL;
    assert_int_equal(socket_bind_router(&second, context, bound, &server, 10, NULL, 0), DID_EIO);
    assert_non_null(strstr(status_message(), bound));
    assert_null(second);
    socket_close(&router);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, new_endpoint)
    const struct CMUnitTest tests[] = {
        TEST(test_echo_over_ipc),
        TEST(test_waiting),
        TEST(test_nobody_there),
        TEST(test_unknown_peer),
        TEST(test_message_too_large),
        TEST(test_too_many_frames),
        TEST(test_full_queue),
        TEST(test_orderly_close),
        TEST(test_endpoints_refused),
        TEST(test_directory_refused),
        TEST(test_bound_by_name),
        TEST(test_echo_over_tcp),
        TEST(test_keys_refused),
        TEST(test_an_empty_list_admits_nobody),
        TEST(test_keys_are_checked),
        TEST(test_address_in_use),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
