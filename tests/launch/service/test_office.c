#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "office.h"

typedef struct fixture {
    char            folder[64], state[96], endpoint[96];
    socket_context *context; /* of the guests */
    pthread_t       thread;
    atomic_bool     quit;
    status          outcome;
    office         *office;
    double          lease_s;
    int             documents; /* a client's quota, */
    size_t          bytes;
} fixture;

static void *turn(void *context)
{
    fixture *f = context;
    while (!f->quit && f->outcome == DID_OK) f->outcome = office_turn(f->office, 10);
    return NULL;
}

static void open_office(fixture *f)
{
    office_settings s = {.state = f->state, .endpoint = f->endpoint, .lease_s = f->lease_s,
                         .quota = {f->documents, f->bytes}, .jobs_max = 3, .message_max = 8 << 20};
    f->quit = false;
    if (office_open(&f->office, &s) != DID_OK) fail_msg("%s", status_message());
    assert_int_equal(pthread_create(&f->thread, NULL, turn, f), 0);
}

static void close_office(fixture *f)
{
    f->quit = true;
    pthread_join(f->thread, NULL);
    office_close(&f->office);
    assert_int_equal(f->outcome, DID_OK);
}

static int set_up_with(void **state, double lease_s, int documents, size_t bytes)
{
    fixture *f = calloc(1, sizeof *f);
    f->lease_s = lease_s;
    f->documents = documents;
    f->bytes = bytes;
    strcpy(f->folder, "/tmp/did-office-XXXXXX");
    if (!mkdtemp(f->folder) || socket_context_open(&f->context) != DID_OK) return 1;
    snprintf(f->state, sizeof f->state, "%s/state", f->folder);
    snprintf(f->endpoint, sizeof f->endpoint, "ipc://%s/front", f->folder);
    open_office(f);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 0.6, 50, 1 << 20);
}

/* Time and documents enough for a world that asks for too much. */
static int set_up_wide(void **state)
{
    return set_up_with(state, 60, 3000, 64 << 20);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"state", "state-wal", "front", "front-progress"};
    fixture                 *f = *state;
    char                     path[128];
    close_office(f);
    socket_context_close(&f->context);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static socket *guest(fixture *f)
{
    socket *s;
    if (socket_connect_dealer(&s, f->context, f->endpoint, NULL, NULL, 8 << 20) != DID_OK)
        fail_msg("%s", status_message());
    return s;
}

/* One message of up to five frames, the last NULL. */
static void say(socket *s, const char *word, const char *body, const char *one, const char *two)
{
    const char *text[] = {"did1", word, body, one, two};
    frame       frames[5];
    int         n = 0;
    bool        sent = false;
    double      until = clock_seconds() + 20;
    for (; n < 5 && text[n]; n++) frames[n] = (frame){text[n], strlen(text[n])};
    while (!sent && clock_seconds() < until)
        assert_int_equal(socket_send(s, frames, n, &sent), DID_OK);
    assert_true(sent);
}

/* The next message begins with `type` and holds `part` somewhere. */
static void hears(socket *s, const char *type, const char *part)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    char  text[2000] = "";
    assert_int_equal(socket_recv(s, 20000, frames, &n), DID_OK);
    for (int i = 1; i < n; i++) {
        strncat(text, frames[i].data, frames[i].size < 900 ? frames[i].size : 900);
        strcat(text, " ");
    }
    if (strncmp(text, type, strlen(type)) != 0 || !strstr(text, part))
        fail_msg("heard \"%s\", expected %s ... %s", text, type, part);
}

#define HELLO                                                                             \
    "{\"host\":\"h\",\"slurm\":\"7\",\"pid\":1,\"row\":0,\"rows\":1,\"signature\":\"S\"}"

/* A client's job of `added` documents, all new. */
static void submits(socket *s, const char *job, const char *text, int added)
{
    char body[64], part[32];
    snprintf(body, sizeof body, "{\"job\":\"%s\",\"terms\":{}}", job);
    snprintf(part, sizeof part, "\"added\":%d", added);
    say(s, "submit", body, text, NULL);
    hears(s, "taken", part);
}

static void joins(socket *world)
{
    say(world, "hello", HELLO, NULL, NULL);
    hears(world, "welcome", "");
}

/* A world with place for one document is given the first. */
static void takes_the_first(socket *world, int epoch)
{
    char part[64];
    snprintf(part, sizeof part, "work {\"serial\":1,\"epoch\":%d", epoch);
    say(world, "ready", "{\"room\":1}", NULL, NULL);
    hears(world, part, "");
}

/* ... and brings it home. */
static void brings_the_first(socket *world)
{
    say(world, "result", "{\"serial\":1,\"epoch\":1,\"failed\":false}",
        "{\"custom_id\":\"a\",\"sample\":0}", NULL);
    hears(world, "ack", "\"serial\":1,\"epoch\":1");
}

static void stands(socket *client, const char *part)
{
    say(client, "status", "{\"job\":\"j\"}", NULL, NULL);
    hears(client, "state", part);
}

static void worlds_and_clients(void **state)
{
    fixture *f = *state;
    socket  *client = guest(f), *world = guest(f), *other = guest(f);
    say(client, "submit", "{\"ask\":1,\"job\":\"j\",\"terms\":{\"seed\":\"3\"}}",
        "{\"custom_id\": \"a\", \"prompt\": \"x\"}\n{\"prompt\": \"y\", \"custom_id\": \"b\"}", NULL);
    hears(client, "taken", "\"added\":2,\"known\":0,\"ask\":1");
    say(client, "submit", "{\"ask\":2,\"job\":\"j\",\"terms\":{\"seed\":\"3\"}}",
        "{\"prompt\":\"x\",\"custom_id\":\"a\"}", NULL); /* the same, written otherwise */
    hears(client, "taken", "\"added\":0,\"known\":1");

    say(world, "ready", "{\"room\":1}", NULL, NULL);
    hears(world, "who", "");
    say(world, "hello", HELLO, NULL, NULL);
    hears(world, "welcome", "\"lease_s\":0.6");
    say(world, "ready", "{\"room\":1}", NULL, NULL);
    hears(world, "work {\"serial\":1,\"epoch\":1,\"sample\":0}", "{\\\"seed\\\":\\\"3\\\"}");
    say(world, "checkpoint", "{\"serial\":1,\"epoch\":1,\"at\":1}", "half", NULL);
    say(world, "result", "{\"serial\":1,\"epoch\":9,\"failed\":false}", "{}", NULL);
    hears(world, "stale", "\"epoch\":9");

    /* It falls silent: the document comes to the other with its checkpoint, and is his. */
    joins(other);
    usleep(1200000);
    say(other, "ready", "{\"room\":1}", NULL, NULL);
    hears(other, "work {\"serial\":1,\"epoch\":2,\"sample\":0}", "half");
    say(world, "result", "{\"serial\":1,\"epoch\":1,\"failed\":false}",
        "{\"custom_id\":\"a\",\"sample\":0}", NULL);
    hears(world, "stale", "\"serial\":1");
    say(world, "progress",
        "{\"holding\":[[1,1]],\"drafting\":1,\"refining\":0,\"drawn\":5,\"passes\":1,\"nfe\":1,"
        "\"pass_s\":0.1}", NULL, NULL);
    hears(world, "drop", "\"serial\":1,\"epoch\":1");
    for (int i = 0; i < 2; i++) { /* said twice, the same answer */
        say(other, "result", "{\"serial\":1,\"epoch\":2,\"failed\":false}",
            "{\"custom_id\":\"a\",\"sample\":0}", NULL);
        hears(other, "ack", "\"serial\":1,\"epoch\":2");
    }
    say(client, "results", "{\"ask\":3,\"job\":\"j\",\"after\":0,\"room\":10}", NULL, NULL);
    hears(client, "records {\"after\":1,\"records\":1,\"open\":1,\"ask\":3}",
          "{\"custom_id\":\"a\",\"sample\":0}");
    say(other, "ready", "{\"room\":5}", NULL, NULL);
    hears(other, "work {\"serial\":2,\"epoch\":1", "");
    hears(other, "idle", "");
    say(client, "cancel", "{\"ask\":4,\"job\":\"j\"}", NULL, NULL);
    hears(client, "cancelled {\"documents\":1", "");
    hears(other, "drop {\"serial\":2,\"epoch\":1}", "");
    say(other, "ready", "{\"room\":5}", NULL, NULL);
    hears(other, "idle", "");
    socket_close(&client);
    socket_close(&world);
    socket_close(&other);
}

/* A small job does not wait behind a large one. */
static void fair(void **state)
{
    fixture *f = *state;
    socket  *s = guest(f);
    char     part[64];
    submits(s, "large", "{\"custom_id\":\"l\",\"n\":40}", 40);
    submits(s, "small", "{\"custom_id\":\"s\",\"n\":3}", 3);
    joins(s);
    say(s, "ready", "{\"room\":8}", NULL, NULL);
    for (int i = 0; i < 8; i++) { /* the large one's are 1 to 40 */
        bool small = i % 2 == 1 && i < 6;
        snprintf(part, sizeof part, "work {\"serial\":%d,", small ? 41 + i / 2 : i < 6 ? 1 + i / 2 : i - 2);
        hears(s, part, "");
    }
    socket_close(&s);
}

/* How many documents a world is handed now. */
static int handed(socket *s)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n = 1, work = 0;
    while (n > 0) {
        assert_int_equal(socket_recv(s, 1000, frames, &n), DID_OK);
        work += n > 1 && frames[1].size == 4 && !memcmp(frames[1].data, "work", 4);
    }
    return work;
}

/* However much a world asks for, and however often, it holds no more than its credit; what it gives
 * back it may have again. */
static void credit(void **state)
{
    fixture *f = *state;
    socket  *s = guest(f);
    submits(s, "large", "{\"custom_id\":\"l\",\"n\":1100}", 1100);
    joins(s);
    int held = 0;
    for (int again = 0; again < 3; again++) {
        say(s, "ready", "{\"room\":4000}", NULL, NULL);
        held += handed(s);
    }
    assert_int_equal(held, 1024);
    say(s, "result", "{\"serial\":1,\"epoch\":1,\"failed\":false}", "{\"custom_id\":\"l\",\"sample\":0}",
        NULL);
    hears(s, "ack", "\"serial\":1");
    say(s, "ready", "{\"room\":4000}", NULL, NULL);
    assert_int_equal(handed(s), 1);
    socket_close(&s);
}

/* A lease that has ended, and a result that comes before anybody else was given the document. */
static void late(void **state)
{
    fixture *f = *state;
    socket  *s = guest(f);
    submits(s, "j", "{\"custom_id\":\"a\"}", 1);
    joins(s);
    takes_the_first(s, 1);
    usleep(1200000);
    stands(s, "\"queued\":1");
    brings_the_first(s);
    say(s, "ready", "{\"room\":1}", NULL, NULL);
    hears(s, "idle", "");
    socket_close(&s);
}

#define BEAT(pass_s)                                                                      \
    "{\"holding\":[[1,1]],\"drafting\":1,\"refining\":0,\"drawn\":5,\"passes\":1,\"nfe\":1," \
    "\"pass_s\":" pass_s "}"

/* Who has passes of 0.3 s may be silent for ten of them, and no longer. */
static void long_passes(void **state)
{
    fixture *f = *state;
    socket  *s = guest(f);
    submits(s, "j", "{\"custom_id\":\"a\"}", 1);
    joins(s);
    takes_the_first(s, 1);
    say(s, "progress", BEAT("0.3"), NULL, NULL);
    usleep(2000000); /* the lease alone is 0.6 s */
    stands(s, "\"drafting\":1");
    usleep(2000000);
    stands(s, "\"queued\":1");
    socket_close(&s);
}

/* Three worlds fall silent with it: it is set aside, and its record says why. */
static void set_aside(void **state)
{
    fixture *f = *state;
    socket  *client = guest(f);
    submits(client, "j", "{\"custom_id\":\"a\"}", 1);
    for (int i = 1; i <= 3; i++) {
        socket *world = guest(f);
        joins(world);
        takes_the_first(world, i);
        socket_close(&world);
        usleep(1200000);
    }
    stands(client, "\"failed\":1");
    say(client, "results", "{\"job\":\"j\",\"after\":0,\"room\":1}", NULL, NULL);
    hears(client, "records", "the worlds that had it were lost");
    socket_close(&client);
}

/* A body of five megabytes is not even read. */
static void too_large(void **state)
{
    fixture *f = *state;
    socket  *s = guest(f);
    size_t   size = MESSAGE_BODY_MAX + 1;
    char    *body = malloc(size + 1);
    memset(body, ' ', size);
    body[size] = '\0';
    say(s, "status", body, NULL, NULL);
    hears(s, "error", "expected at most 4194304");
    say(s, "status", "{}", NULL, NULL);
    hears(s, "state", "\"malformed\":1");
    free(body);
    socket_close(&s);
}

/* A world goes on over a restart of the front-end. */
static void restarted(void **state)
{
    fixture *f = *state;
    socket  *world = guest(f);
    submits(world, "j", "{\"custom_id\":\"a\"}", 1);
    joins(world);
    takes_the_first(world, 1);
    close_office(f);
    open_office(f);
    socket_close(&world);
    world = guest(f);
    joins(world);
    brings_the_first(world);
    socket_close(&world);
}

static void nonsense(void **state)
{
    static const struct {
        const char *word, *body, *part, *heard;
    } wrong[] = {
        {"nothing", "{}", NULL, "type of 7 bytes"},
        {"submit", "{}", NULL, "0 texts"},
        {"submit", "{", "x", "JSON"},
        {"submit", "{\"job\":\"j\"}", "{}", "settings"},
        {"submit", "{\"job\":\"\",\"terms\":{}}", "{\"custom_id\":\"a\"}", "job"},
        {"submit", "{\"job\":\"j\",\"terms\":{\"model\":\"/etc\"}}", "{}", "not about documents"},
        {"submit", "{\"job\":\"j\",\"terms\":{\"seed\":\"x\"}}", "{}", "seed"},
        {"submit", "{\"job\":\"j\",\"terms\":{}}", "{\"custom_id\":\"a\"}\n{}", "line 2"},
        {"submit", "{\"job\":\"j\",\"terms\":{}}", "{\"custom_id\":\"a\",\"n\":51}",
         "more than 50 unfinished"},
        {"submit", "{\"job\":\"j\",\"terms\":{}}", "{\"custom_id\":\"a\",\"n\":3,\"length\":131072}",
         "more than 1 MB"},
        {"submit", "{\"job\":\"k\",\"terms\":{\"length\":\"131072\",\"samples\":\"3\"}}",
         "{\"custom_id\":\"a\"}", "more than 1 MB"},
        {"submit", "{\"job\":\"j\",\"terms\":{}}",
         "{\"custom_id\":\"a\",\"n\":4096}\n{\"custom_id\":\"b\",\"n\":4096}\n{\"custom_id\":\"c\"}",
         "more than 8192 documents"},
        {"submit", "{\"job\":\"j\",\"terms\":{}}",
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "deeper"},
        {"status", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", NULL, "deeper"},
        {"results", "{\"job\":\"none\",\"after\":0,\"room\":1}", NULL, "no job"},
        {"cancel", "{\"job\":\"none\"}", NULL, "no job"},
        {"hello", "{}", NULL, "host"},
        {"welcome", "{}", NULL, "not a word"},
    };
    fixture *f = *state;
    socket  *s = guest(f);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        say(s, wrong[i].word, wrong[i].body, wrong[i].part, NULL);
        hears(s, "error", wrong[i].heard);
    }
    say(s, "status", "{\"ask\":5}", NULL, NULL);
    hears(s, "state", "\"protocol\":\"did1\"");
    socket_close(&s);
}

/* Everybody may hear how things stand, and hears of no job. */
static void news(void **state)
{
    fixture *f = *state;
    char     address[128];
    socket  *s = guest(f), *ear;
    frame    frames[SOCKET_FRAMES_MAX];
    int      n = 0;
    bool     heard = false;
    snprintf(address, sizeof address, "%s-progress", f->endpoint);
    assert_int_equal(socket_connect_subscriber(&ear, f->context, address, NULL, NULL, 1 << 20), DID_OK);
    submits(s, "hush", "{\"custom_id\":\"h\",\"n\":7}", 7);
    for (int i = 0; i < 10 && !heard; i++) {
        assert_int_equal(socket_recv(ear, 20000, frames, &n), DID_OK);
        assert_int_equal(n, 3);
        assert_memory_equal(frames[1].data, "news", 4);
        assert_null(memmem(frames[2].data, frames[2].size, "hush", 4));
        heard = memmem(frames[2].data, frames[2].size, "\"queued\":7", 10) != NULL;
    }
    assert_true(heard);
    say(s, "status", "{\"job\":\"hush\"}", NULL, NULL);
    hears(s, "state", "\"jobs\":[{\"queued\":7");
    socket_close(&ear);
    socket_close(&s);
}

static void addresses(void **state)
{
    char out[HERALD_ADDRESS];
    (void)state;
    assert_int_equal(herald_address(out, "tcp://head:5555", "tcp://0.0.0.0:4711"), DID_OK);
    assert_string_equal(out, "tcp://head:4711");
    assert_int_equal(herald_address(out, "ipc:///d/front", "ipc:///elsewhere"), DID_OK);
    assert_string_equal(out, "ipc:///d/front-progress");
    assert_int_equal(herald_address(out, "tcp://head:5555", "tcp://0.0.0.0:port"), DID_EFORMAT);
    assert_int_equal(herald_address(out, "tcp://head:5555", ""), DID_EFORMAT);
}

int main(void)
{
#define WITH_OFFICE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_WIDE(test) cmocka_unit_test_setup_teardown(test, set_up_wide, tear_down)
    const struct CMUnitTest tests[] = {WITH_OFFICE(worlds_and_clients), WITH_OFFICE(restarted),
                                       WITH_OFFICE(fair), WITH_OFFICE(late),
                                       WITH_OFFICE(long_passes), WITH_OFFICE(set_aside),
                                       WITH_OFFICE(too_large), WITH_WIDE(credit),
                                       WITH_OFFICE(nonsense), WITH_OFFICE(news),
                                       cmocka_unit_test(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
