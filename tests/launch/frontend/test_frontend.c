#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crew.h"
#include "frontend.h"
#include "message.h"

enum { LENGTH = 12, LEADERS = 3 };

typedef struct fixture {
    char              folder[64], state[96], output[96];
    request          *requests;
    int               n;
    record_rules      rules;
    door              door;
    frontend_settings settings;
} fixture;

static _Atomic bool stop_asked;

static bool asked(void)
{
    return stop_asked;
}

static void make_requests(fixture *f, int n)
{
    f->requests = calloc((size_t)n, sizeof *f->requests);
    f->n = n;
    for (int i = 0; i < n; i++) {
        char id[16];
        snprintf(id, sizeof id, "doc-%d", i / 2);
        f->requests[i] = sample_request(id, i % 2, LENGTH, i % 5);
    }
    f->settings.job.requests = f->requests;
    f->settings.job.n_requests = n;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-frontend-XXXXXX");
    if (!mkdtemp(f->folder) || crew_door(&f->door) != DID_OK) return 1;
    snprintf(f->state, sizeof f->state, "%s/state", f->folder);
    snprintf(f->output, sizeof f->output, "%s/out", f->folder);
    f->rules = (record_rules){.parcels = sample_rules(true), .signature = "did/1 test"};
    f->settings = (frontend_settings){
        .job = {.rules = &f->rules, .output = f->output}, .door = &f->door, .asked = asked};
    stop_asked = false;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < f->n; i++) request_clear(&f->requests[i]);
    free(f->requests);
    door_close(&f->door);
    unlink(f->state);
    unlink(f->output);
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static frontend *opened(const fixture *f)
{
    frontend *front;
    if (frontend_open(&front, &f->settings) != DID_OK) fail_msg("%s", status_message());
    return front;
}

static crew one_leader(const fixture *f, int row)
{
    return (crew){.settings = {.door = &f->door,
                               .row = row,
                               .rules = &f->rules,
                               .saving = f->settings.job.state != NULL},
                  .room = 5 + row};
}

/* Run the job on LEADERS leaders to its end. */
static void run_crews(crew *crews)
{
    for (int i = 0; i < LEADERS; i++) crew_start(&crews[i]);
    for (int i = 0; i < LEADERS; i++) crew_join(&crews[i]);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of the output, sorted, and how many. */
static char **read_lines(const fixture *f, int *n)
{
    char **lines = calloc((size_t)f->n + 1, sizeof *lines);
    size_t room;
    FILE  *file = fopen(f->output, "r");
    for (*n = 0; *n <= f->n; ++*n) {
        room = 0;
        if (getline(&lines[*n], &room, file) < 0) break;
    }
    free(lines[*n]);
    lines[*n] = NULL;
    fclose(file);
    qsort(lines, (size_t)*n, sizeof *lines, compare_lines);
    return lines;
}

static void free_lines(char **lines)
{
    for (int i = 0; lines[i]; i++) free(lines[i]);
    free(lines);
}

/* Every document exactly once: as many lines as requests, and no two of the same owner. */
static void each_once(const fixture *f)
{
    int    n, sample;
    char **lines = read_lines(f, &n), *id;
    bool  *seen = calloc((size_t)f->n, sizeof *seen);
    assert_int_equal(n, f->n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(record_owner(lines[i], strlen(lines[i]), &id, &sample), DID_OK);
        int place = 2 * atoi(id + strlen("doc-")) + sample;
        assert_in_range(place, 0, f->n - 1);
        assert_false(seen[place]);
        seen[place] = true;
        free(id);
    }
    free(seen);
    free_lines(lines);
}

static void five_hundred(void **state)
{
    fixture *f = *state;
    crew     crews[LEADERS];
    make_requests(f, 500);
    frontend     *front = opened(f);
    frontend_view last;
    for (int i = 0; i < LEADERS; i++) crews[i] = one_leader(f, i);
    run_crews(crews);
    int delivered = 0;
    for (int i = 0; i < LEADERS; i++) {
        if (crews[i].outcome != DID_OK) fail_msg("%s", crews[i].why);
        delivered += crews[i].delivered;
    }
    assert_int_equal(delivered, 500);
    assert_int_equal(frontend_close(&front, &last), DID_OK);
    assert_null(front);
    assert_int_equal(last.now.documents, 500);
    assert_int_equal(last.now.done, 500);
    assert_int_equal(last.now.failed, 0);
    assert_int_equal(last.refused, 0);
    assert_false(last.stopping);
    each_once(f);
}

/* The same job, whole, and stopped and taken up again until it is done, on another number of
 * leaders: the same lines. */
static void stopped_and_resumed(void **state)
{
    fixture *f = *state;
    crew     crews[LEADERS];
    int      n, m, lives = 0, done = 0;
    make_requests(f, 40);
    frontend *front = opened(f);
    crews[0] = one_leader(f, 0);
    crew_start(&crews[0]);
    crew_join(&crews[0]);
    assert_int_equal(crews[0].outcome, DID_OK);
    assert_int_equal(frontend_close(&front, NULL), DID_OK);
    char **whole = read_lines(f, &n);
    long   drawn = crews[0].drawn, again = 0;
    assert_int_equal(n, 40);
    unlink(f->output);

    f->settings.job.state = f->state;
    while (done < 40) {
        frontend_view last;
        stop_asked = false;
        front = opened(f);
        for (int i = 0; i < LEADERS; i++) {
            crews[i] = one_leader(f, i);
            crews[i].pass_us = 5000;
            crew_start(&crews[i]);
        }
        if (lives++ < 4) usleep(100000);
        stop_asked = lives < 5;
        for (int i = 0; i < LEADERS; i++) {
            crew_join(&crews[i]);
            if (crews[i].outcome != DID_OK) fail_msg("%s", crews[i].why);
            again += crews[i].drawn;
        }
        assert_int_equal(frontend_close(&front, &last), DID_OK);
        assert_int_equal(last.now.earlier, done);
        done = last.now.done;
        assert_true(lives < 10);
    }
    assert_true(lives > 1);
    assert_int_equal(again, drawn); /* not a token was drawn twice */
    char **pieces = read_lines(f, &m);
    assert_int_equal(m, n);
    for (int i = 0; i < n; i++) assert_string_equal(whole[i], pieces[i]);
    free_lines(whole);
    free_lines(pieces);
}

static frame of(const char *text)
{
    return (frame){text, strlen(text)};
}

static void say(socket *s, const frame *frames, int n)
{
    bool   sent = false;
    double until = clock_seconds() + 20;
    while (!sent && clock_seconds() < until)
        assert_int_equal(socket_send(s, frames, n, &sent), DID_OK);
    assert_true(sent);
}

static void hears(socket *s, const char *type, const char *body)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    char  text[500];
    assert_int_equal(socket_recv(s, 20000, frames, &n), DID_OK);
    assert_true(n >= 3);
    snprintf(text, sizeof text, "%.*s %.*s", (int)frames[1].size, (const char *)frames[1].data,
             (int)frames[2].size, (const char *)frames[2].data);
    if (strncmp(text, type, strlen(type)) != 0 || !strstr(text, body))
        fail_msg("\"%s\" is not \"%s\" with \"%s\"", text, type, body);
}

static socket *stranger(const fixture *f)
{
    socket *s;
    assert_int_equal(
        socket_connect_dealer(&s, f->door.context, f->door.endpoint, NULL, NULL, 1 << 20), DID_OK);
    return s;
}

#define HELLO                                                                             \
    "{\"host\":\"h\",\"slurm\":\"\",\"pid\":1,\"row\":9,\"rows\":10,\"signature\":\"S\"}"

/* Nonsense is answered and counted, and disturbs nobody. */
static void nonsense(void **state)
{
    fixture *f = *state;
    make_requests(f, 30);
    frontend *front = opened(f);
    crew      crews[LEADERS];
    socket   *s = stranger(f);
    for (int i = 0; i < LEADERS; i++) {
        crews[i] = one_leader(f, i);
        crews[i].pass_us = 2000;
        crew_start(&crews[i]);
    }
    say(s, (frame[]){of("hi")}, 1);
    hears(s, "error", "found 1 frames");
    say(s, (frame[]){of("did9"), of("hello"), of("{}")}, 3);
    hears(s, "error", "version");
    say(s, (frame[]){of("did1"), of("ready"), of("{\"room\": 1}")}, 3);
    hears(s, "who", "{}");
    say(s, (frame[]){of("did1"), of("hello"), of("{\"row\": 9}")}, 3);
    hears(s, "error", "host");
    say(s, (frame[]){of("did1"), of("hello"), of(HELLO)}, 3);
    hears(s, "welcome", "lease_s");
    say(s, (frame[]){of("did1"), of("ready"), of("{\"room\": 0}")}, 3);
    hears(s, "error", "room: found 0");
    say(s, (frame[]){of("did1"), of("ready"), of("{room}")}, 3);
    hears(s, "error", "not JSON");
    say(s, (frame[]){of("did1"), of("welcome"), of("{}")}, 3);
    hears(s, "error", "welcome is not a word for the front-end");
    say(s, (frame[]){of("did1"), of("status"), of("{}")}, 3);
    hears(s, "error", "status is not a word for the front-end");
    say(s, (frame[]){of("did1"), of("result"), of("{\"serial\": 0, \"epoch\": 1}"), of("{}")}, 4);
    hears(s, "error", "serial: found 0");
    say(s, (frame[]){of("did1"), of("result"), of("{\"serial\": 31, \"epoch\": 1}"), of("{}")}, 4);
    hears(s, "stale", "{\"serial\":31,\"epoch\":1}");
    say(s, (frame[]){of("did1"), of("refuse"), of("{\"serial\": 2, \"epoch\": 7, \"reason\": \"\"}")}, 3);
    hears(s, "stale", "{\"serial\":2,\"epoch\":7}");
    say(s, (frame[]){of("did1"), of("progress"), of("{\"drafting\": -1}")}, 3);
    hears(s, "error", "pass_s");
    say(s, (frame[]){of("did1"), of("bye"), of("{}")}, 3);
    hears(s, "over", "{}");
    uint64_t seed = 4;
    for (int i = 0; i < 300; i++) {
        char  bytes[64];
        frame frames[3] = {of("did1"), of("ready"), {bytes, (size_t)sample_below(&seed, 64)}};
        for (size_t k = 0; k < frames[2].size; k++) bytes[k] = (char)sample_next(&seed);
        say(s, frames, 3);
        hears(s, "error", "reason");
    }
    for (int i = 0; i < LEADERS; i++) {
        crew_join(&crews[i]);
        if (crews[i].outcome != DID_OK) fail_msg("%s", crews[i].why);
    }
    frontend_view last;
    socket_close(&s);
    assert_int_equal(frontend_close(&front, &last), DID_OK);
    assert_int_equal(last.refused, 312);
    assert_int_equal(last.now.done, 30);
    each_once(f);
}

/* A result counts once, under the epoch it was handed out with, and only when it is whole. */
static void twice(void **state)
{
    fixture *f = *state;
    make_requests(f, 1);
    frontend *front = opened(f);
    socket   *s = stranger(f), *other = stranger(f);
    document *d;
    char     *text;
    assert_int_equal(parcel_begin(&d, &f->requests[0], 0, &f->rules.parcels), DID_OK);
    sample_walk(d, 1000, 3);
    assert_int_equal(parcel_pack(&text, d, &f->requests[0]), DID_OK);
    frame hello[] = {of("did1"), of("hello"), of(HELLO)};
    frame ready[] = {of("did1"), of("ready"), of("{\"room\": 2}")};
    frame result[] = {of("did1"), of("result"), of("{\"serial\": 1, \"epoch\": 1}"), of(text)};
    say(s, hello, 3);
    hears(s, "welcome", "");
    say(other, hello, 3);
    hears(other, "welcome", "");
    say(s, ready, 3);
    hears(s, "work", "{\"serial\":1,\"epoch\":1,\"sample\":0}");
    hears(s, "over", "{}");
    say(other, ready, 3);
    hears(other, "over", "{}");
    result[2] = of("{\"serial\": 1, \"epoch\": 2}");
    say(other, result, 4);
    hears(other, "stale", "{\"serial\":1,\"epoch\":2}");
    result[2] = of("{\"serial\": 1, \"epoch\": 1}");
    result[3].size--;
    say(s, result, 4);
    hears(s, "error", "document: not JSON");
    result[3].size++;
    say(s, result, 4);
    for (int i = 0; i < 2; i++) { /* said again, the same answer */
        hears(s, "ack", "{\"serial\":1,\"epoch\":1}");
        if (i == 0) say(s, result, 4);
    }
    document_close(&d);
    free(text);
    socket_close(&s);
    socket_close(&other);
    frontend_view last;
    assert_int_equal(frontend_close(&front, &last), DID_OK);
    assert_int_equal(last.now.done, 1);
    assert_int_equal(last.refused, 2);
    each_once(f);
}

/* The disk is full: the leaders end with the reason, and so does frontend_close. */
static void a_full_disk(void **state)
{
    fixture *f = *state;
    make_requests(f, 5);
    f->settings.job.output = "/dev/full";
    frontend *front = opened(f);
    crew      c = one_leader(f, 0);
    crew_start(&c);
    crew_join(&c);
    assert_int_equal(c.outcome, DID_EFULL);
    assert_non_null(strstr(c.why, "/dev/full"));
    assert_int_equal(frontend_close(&front, NULL), DID_EFULL);
    assert_non_null(strstr(status_message(), "output /dev/full: cannot write"));
}

static void will_not_open(void **state)
{
    fixture  *f = *state;
    frontend *front;
    make_requests(f, 2);
    f->settings.job.output = "/nowhere/out";
    assert_int_equal(frontend_open(&front, &f->settings), DID_EIO);
    assert_null(front);
    f->settings.job.output = f->output;
    strcpy(f->door.endpoint, "ipc:///nowhere/front");
    assert_int_equal(frontend_open(&front, &f->settings), DID_EIO);
    assert_null(front);
    assert_non_null(strstr(status_message(), "/nowhere"));
}

/* Over TCP with keys, as between hosts; who holds no key is turned away and counted. */
static void over_tcp(void **state)
{
    fixture *f = *state;
    crew     crews[LEADERS];
    make_requests(f, 60);
    f->door.encrypted = true;
    assert_int_equal(socket_keys_make(&f->door.server), DID_OK);
    assert_int_equal(socket_keys_make(&f->door.sign.leader), DID_OK);
    memcpy(f->door.sign.server, f->door.server.public, SOCKET_KEY);
    assert_int_equal(socket_allow(f->door.context, f->door.sign.leader.public), DID_OK);
    strcpy(f->door.endpoint, "tcp://*:0");
    frontend *front = opened(f);
    assert_true(f->door.sign.n > 0 && f->door.sign.encrypted);

    socket_keys wrong;
    socket     *s;
    assert_int_equal(socket_keys_make(&wrong), DID_OK);
    assert_int_equal(socket_connect_dealer(&s, f->door.context, f->door.sign.address[0],
                                           f->door.sign.server, &wrong, 1 << 20),
                     DID_OK);
    for (int i = 0; i < LEADERS; i++) {
        crews[i] = one_leader(f, i);
        crew_start(&crews[i]);
    }
    for (int i = 0; i < LEADERS; i++) {
        crew_join(&crews[i]);
        if (crews[i].outcome != DID_OK) fail_msg("%s", crews[i].why);
    }
    double until = clock_seconds() + 20;
    while (frontend_look(front).refused == 0 && clock_seconds() < until) usleep(10000);
    frontend_view last;
    socket_close(&s);
    assert_int_equal(frontend_close(&front, &last), DID_OK);
    assert_int_equal(last.now.done, 60);
    assert_true(last.refused > 0);
    each_once(f);
}

int main(void)
{
#define WITH_DOOR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_DOOR(five_hundred), WITH_DOOR(stopped_and_resumed), WITH_DOOR(nonsense),
        WITH_DOOR(twice),        WITH_DOOR(a_full_disk),         WITH_DOOR(will_not_open),
        WITH_DOOR(over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
