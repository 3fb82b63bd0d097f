/* Fifty clients that submit at once and four worlds that do nothing but answer, against `did serve`:
 * every document comes home exactly once with its own record, the memory of the front-end does not
 * grow with their number, and a client and a world that stop reading hold up nobody.
 *
 *   test_crowd                     2,000 documents, as the tests run it
 *   test_crowd DOCUMENTS [LINES]   as many as you like, LINES of them in one message (10)
 *
 * $DID is the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "message.h"
#include "outbox.h"
#include "socket.h"

enum { CLIENTS = 50, WORLDS = 4, MESSAGE_MAX = 64 << 20, ROOM = 64 };
/* What the front-end may hold beyond what it held when it opened, however many documents. */
static const double GROWTH_MB = 64, PATIENCE_S = 240, AGAIN_S = 5;

static int documents = 2000, lines_each = 10;

typedef struct crowd crowd;

/* One of the fifty. */
typedef struct client {
    crowd         *all;
    int            number, documents, messages;
    char           job[16];
    double        *latency; /* [messages] seconds until the answer */
    unsigned char *seen;    /* [documents] */
    double         done;
} client;

struct crowd {
    char            folder[64], endpoint[96], state[96];
    pid_t           serve;
    socket_context *context;
    client          client[CLIENTS];
    atomic_int      finished;
    atomic_bool     quit;
    atomic_long     carried;
};

/* What a run came to. */
typedef struct outcome {
    double base_mb, peak_mb, seconds, rate, p50_ms, p99_ms, whole_s;
    json_t *state;
} outcome;

/* ---- speaking ---- */

static void die(const char *what)
{
    fprintf(stderr, "test_crowd: %s\n", what);
    exit(1);
}

static socket *guest(crowd *c)
{
    socket *s;
    if (socket_connect_dealer(&s, c->context, c->endpoint, NULL, NULL, MESSAGE_MAX) != DID_OK)
        die(status_message());
    return s;
}

static bool say(socket *s, message_type type, json_t *body, const char *text, size_t size)
{
    char *words = json_dumps(body, JSON_COMPACT);
    frame frames[4] = {{message_version(), strlen(message_version())},
                       {message_name(type), strlen(message_name(type))},
                       {words, strlen(words)},
                       {text, size}};
    bool  sent;
    if (socket_send(s, frames, text ? 4 : 3, &sent) != DID_OK) die(status_message());
    free(words);
    json_decref(body);
    return sent;
}

static bool hear(socket *s, int wait_ms, message *m)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    if (socket_recv(s, wait_ms, frames, &n) != DID_OK) die(status_message());
    if (n == 0) return false;
    if (message_read(m, frames, n) != DID_OK) die(status_message());
    return true;
}

/* Ask until there is an answer; the body is given back by the caller's message_clear. */
static void ask(socket *s, message_type type, json_t *body, const char *text, size_t size,
                message_type expected, message *m)
{
    double until = clock_seconds() + PATIENCE_S;
    while (!say(s, type, json_incref(body), text, size)) {
        if (clock_seconds() > until) die("the service does not take a question");
        clock_sleep(0.002);
    }
    while (!hear(s, 1000, m))
        if (clock_seconds() > until) die("the service does not answer");
    json_decref(body);
    if (m->type == expected) return;
    fprintf(stderr, "heard %s %s\n", message_name(m->type), json_dumps(m->body, 0));
    die("not the answer that was expected");
}

static int64_t whole(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* ---- clients ---- */

static void submit_all(client *c, socket *s)
{
    char *text = malloc((size_t)lines_each * 128);
    for (int first = 0, k = 0; first < c->documents; first += lines_each, k++) {
        size_t size = 0;
        int    n = 0;
        for (int i = first; i < first + lines_each && i < c->documents; i++, n++)
            size += (size_t)sprintf(text + size,
                                    "{\"custom_id\":\"c%d-%d\",\"prompt\":\"Once\",\"seed\":%d}\n",
                                    c->number, i, i);
        message m;
        double  since = clock_seconds();
        ask(s, MESSAGE_SUBMIT, json_pack("{s:s, s:{}}", "job", c->job, "terms"), text, size,
            MESSAGE_TAKEN, &m);
        c->latency[k] = clock_seconds() - since;
        if (whole(m.body, "added") + whole(m.body, "known") != n) die("lines were lost");
        message_clear(&m);
    }
    free(text);
}

/* Every record names its document and holds what only that document's world could write. */
static void check_record(client *c, const char *line, size_t size)
{
    int         number, i, seed;
    json_t     *o = json_loadb(line, size, 0, NULL);
    const char *id = json_string_value(json_object_get(o, "custom_id"));
    const char *text = json_string_value(json_object_get(o, "text"));
    if (!id || !text || sscanf(id, "c%d-%d", &number, &i) != 2) {
        fprintf(stderr, "%.*s\n", (int)size, line);
        die("a record that is none");
    }
    if (number != c->number || i < 0 || i >= c->documents) die("another's record");
    if (sscanf(text, "of %d", &seed) != 1 || seed != i)
        die("a record with another's text");
    c->seen[i]++;
    json_decref(o);
}

static void fetch_all(client *c, socket *s)
{
    int64_t after = 0, open = 1, n = 1;
    while (open > 0 || n > 0) {
        message m;
        ask(s, MESSAGE_RESULTS,
            json_pack("{s:s, s:I, s:i}", "job", c->job, "after", (json_int_t)after, "room", 200), NULL,
            0, MESSAGE_RECORDS, &m);
        n = whole(m.body, "records");
        after = whole(m.body, "after");
        open = whole(m.body, "open");
        const char *at = m.part[0].data, *end = at + m.part[0].size;
        for (const char *stop; at < end && (stop = memchr(at, '\n', (size_t)(end - at)));
             at = stop + 1)
            check_record(c, at, (size_t)(stop - at));
        message_clear(&m);
        if (n == 0 && open > 0) clock_sleep(0.2);
    }
}

static void *run_client(void *context)
{
    client *c = context;
    socket *s = guest(c->all);
    submit_all(c, s);
    c->done = clock_seconds();
    fetch_all(c, s);
    socket_close(&s);
    c->all->finished++;
    return NULL;
}

/* ---- worlds ---- */

static void on_work(crowd *c, socket *s, const message *m)
{
    char    text[256];
    json_t *o = json_loadb(m->part[0].data, m->part[0].size, 0, NULL);
    json_t *line = json_loads(json_string_value(json_object_get(o, "line")), 0, NULL);
    int     n = snprintf(text, sizeof text, "{\"custom_id\":\"%s\",\"sample\":0,\"text\":\"of %d\"}",
                         json_string_value(json_object_get(line, "custom_id")),
                         (int)whole(line, "seed"));
    json_t *body = json_pack("{s:O, s:O, s:b}", "serial", json_object_get(m->body, "serial"),
                             "epoch", json_object_get(m->body, "epoch"), "failed", 0);
    while (!say(s, MESSAGE_RESULT, json_incref(body), text, (size_t)n)) clock_sleep(0.001);
    json_decref(body);
    json_decref(line);
    json_decref(o);
    c->carried++;
}

static void *run_world(void *context)
{
    crowd  *c = context;
    socket *s = guest(c);
    message m;
    int     asked = 0, held = 0;
    double  beaten = 0, heard = 0;
    ask(s, MESSAGE_HELLO,
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "host", "nowhere", "slurm", "", "signature", "S",
                  "row", 0, "rows", 1, "pid", 1),
        NULL, 0, MESSAGE_WELCOME, &m);
    message_clear(&m);
    while (!c->quit) {
        if (asked == 0 && held == 0 && say(s, MESSAGE_READY, json_pack("{s:i}", "room", ROOM), NULL, 0))
            asked = ROOM, heard = clock_seconds();
        if (clock_seconds() - beaten > 0.5) {
            say(s, MESSAGE_PROGRESS,
                json_pack("{s:[], s:i, s:i, s:I, s:I, s:I, s:f}", "holding", "drafting", 0,
                          "refining", 0, "drawn", (json_int_t)0, "passes", (json_int_t)0, "nfe",
                          (json_int_t)0, "pass_s", 0.0),
                NULL, 0);
            beaten = clock_seconds();
        }
        if (!hear(s, 20, &m)) {
            if (clock_seconds() - heard > AGAIN_S) asked = held = 0;
            continue;
        }
        heard = clock_seconds();
        if (m.type == MESSAGE_WORK) on_work(c, s, &m), asked--, held++;
        if (m.type == MESSAGE_ACK || m.type == MESSAGE_STALE) held--;
        if (m.type == MESSAGE_IDLE) asked = 0, clock_sleep(held ? 0 : 0.02);
        message_clear(&m);
    }
    say(s, MESSAGE_BYE, json_object(), NULL, 0);
    socket_close(&s);
    return NULL;
}

/* ---- who does not read ---- */

/* Asks as fast as it can and reads nothing. */
static void *run_stalled_client(void *context)
{
    crowd  *c = context;
    socket *s = guest(c);
    while (!c->quit)
        if (!say(s, MESSAGE_RESULTS,
                 json_pack("{s:s, s:i, s:i}", "job", "j0", "after", 0, "room", 1000), NULL, 0))
            clock_sleep(0.001);
    socket_close(&s);
    return NULL;
}

/* Takes as much as it is given and is never heard of again. */
static void *run_stalled_world(void *context)
{
    crowd  *c = context;
    socket *s = guest(c);
    message m;
    ask(s, MESSAGE_HELLO,
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "host", "asleep", "slurm", "", "signature", "S",
                  "row", 0, "rows", 1, "pid", 2),
        NULL, 0, MESSAGE_WELCOME, &m);
    message_clear(&m);
    say(s, MESSAGE_READY, json_pack("{s:i}", "room", 1000), NULL, 0);
    while (!c->quit) clock_sleep(0.05);
    socket_close(&s);
    return NULL;
}

/* ---- the service ---- */

/* "VmHWM: 123 kB" of the front-end, in MB. */
static double memory_of(pid_t pid, const char *name)
{
    char   path[64], line[256];
    double kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0) kilobytes = strtod(line + strlen(name) + 1, NULL);
    if (f) fclose(f);
    return kilobytes / 1024;
}

static void open_service(crowd *c)
{
    char lease[32];
    strcpy(c->folder, "/tmp/did-crowd-XXXXXX");
    if (!mkdtemp(c->folder)) die("no directory");
    snprintf(c->state, sizeof c->state, "%s/state", c->folder);
    snprintf(c->endpoint, sizeof c->endpoint, "ipc://%s/front", c->folder);
    /* What the world that sleeps was given comes back after this; a machine that is busy with very
     * many may take longer for honest work. */
    snprintf(lease, sizeof lease, "%d", documents > 5000 ? 30 : 4);
    c->serve = fork();
    if (c->serve == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(getenv("DID"), "did", "serve", "--state", c->state, "--bind", c->endpoint,
              "--lease-s", lease, "--quiet", (char *)NULL);
        _exit(127);
    }
    if (socket_context_open(&c->context) != DID_OK) die(status_message());
    socket *s = guest(c);
    message m;
    ask(s, MESSAGE_STATUS, json_object(), NULL, 0, MESSAGE_STATE, &m);
    message_clear(&m);
    socket_close(&s);
}

static void close_service(crowd *c)
{
    static const char *const names[] = {"state", "state-wal", "front", "front-progress"};
    char                     path[128];
    int                      code;
    kill(c->serve, SIGTERM);
    waitpid(c->serve, &code, 0);
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    socket_context_close(&c->context);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", c->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(c->folder), 0);
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sum_up(crowd *c, double begun, outcome *o)
{
    double *all = malloc((size_t)documents * sizeof *all), last = begun;
    int     n = 0;
    for (int k = 0; k < CLIENTS; k++) {
        memcpy(all + n, c->client[k].latency, (size_t)c->client[k].messages * sizeof *all);
        n += c->client[k].messages;
        if (c->client[k].done > last) last = c->client[k].done;
    }
    qsort(all, (size_t)n, sizeof *all, rising);
    o->seconds = last - begun;
    o->rate = documents / o->seconds;
    o->p50_ms = 1e3 * all[n / 2];
    o->p99_ms = 1e3 * all[(int)(0.99 * (n - 1))];
    free(all);
}

static void check_home(const crowd *c)
{
    for (int k = 0; k < CLIENTS; k++)
        for (int i = 0; i < c->client[k].documents; i++) assert_int_equal(c->client[k].seen[i], 1);
}

static void run(outcome *o, bool disturbed)
{
    crowd     c = {.quit = false};
    pthread_t client_at[CLIENTS], world_at[WORLDS], stalled[2];
    open_service(&c);
    *o = (outcome){.base_mb = memory_of(c.serve, "VmRSS")};
    if (disturbed) {
        pthread_create(&stalled[0], NULL, run_stalled_client, &c);
        pthread_create(&stalled[1], NULL, run_stalled_world, &c);
    }
    double begun = clock_seconds();
    for (int k = 0; k < WORLDS; k++) pthread_create(&world_at[k], NULL, run_world, &c);
    for (int k = 0; k < CLIENTS; k++) {
        client *one = &c.client[k];
        one->all = &c;
        one->number = k;
        snprintf(one->job, sizeof one->job, "j%d", k);
        one->documents = documents / CLIENTS;
        one->messages = (one->documents + lines_each - 1) / lines_each;
        one->latency = calloc((size_t)one->messages, sizeof *one->latency);
        one->seen = calloc((size_t)one->documents, 1);
        pthread_create(&client_at[k], NULL, run_client, one);
    }
    for (int k = 0; k < CLIENTS; k++) pthread_join(client_at[k], NULL);
    o->whole_s = clock_seconds() - begun;
    socket *s = guest(&c);
    message m;
    ask(s, MESSAGE_STATUS, json_object(), NULL, 0, MESSAGE_STATE, &m);
    o->state = json_incref(m.body);
    message_clear(&m);
    socket_close(&s);
    c.quit = true;
    for (int k = 0; k < WORLDS; k++) pthread_join(world_at[k], NULL);
    for (int k = 0; k < 2 && disturbed; k++) pthread_join(stalled[k], NULL);
    o->peak_mb = memory_of(c.serve, "VmHWM");
    sum_up(&c, begun, o);
    check_home(&c);
    close_service(&c);
    for (int k = 0; k < CLIENTS; k++) free(c.client[k].latency), free(c.client[k].seen);
}

/* What the front-end says it may come to hold with these guests. */
static double bound_mb(const outcome *o)
{
    return (double)whole(json_object_get(o->state, "memory"), "bound") / (1 << 20);
}

static void tell(const char *how, const outcome *o)
{
    const json_t *all = json_object_get(o->state, "all");
    printf("%s: %d documents of %d clients, %d in a message, %d worlds\n"
           "  submitted in %.2f s: %.0f documents/s, %.0f messages/s; an answer takes %.1f ms"
           " (median), %.1f ms (p99)\n"
           "  all home after %.2f s: %.0f documents/s; done %lld, failed %lld\n"
           "  memory of the front-end: %.1f MB when open, %.1f MB at most, bound %.0f MB\n",
           how, documents, CLIENTS, lines_each, WORLDS, o->seconds, o->rate, o->rate / lines_each,
           o->p50_ms, o->p99_ms, o->whole_s, documents / o->whole_s, (long long)whole(all, "done"),
           (long long)whole(all, "failed"), o->base_mb, o->peak_mb, bound_mb(o));
    fflush(stdout);
}

static void all_come_home(void **state)
{
    (void)state;
    outcome calm, disturbed;
    run(&calm, false);
    tell("undisturbed", &calm);
    run(&disturbed, true);
    tell("with a client and a world that do not read", &disturbed);
    char *refused = json_dumps(json_object_get(disturbed.state, "refused"), 0);
    printf("  turned away: %s\n", refused);
    free(refused);

    const outcome *o[] = {&calm, &disturbed};
    for (int i = 0; i < 2; i++) {
        const json_t *all = json_object_get(o[i]->state, "all");
        assert_int_equal(whole(all, "done"), documents);
        assert_int_equal(whole(all, "failed"), 0);
        if (!getenv("DID_TEST_SANITIZED") || strcmp(getenv("DID_TEST_SANITIZED"), "1") != 0)
            assert_true(o[i]->peak_mb < o[i]->base_mb + GROWTH_MB &&
                        o[i]->peak_mb < bound_mb(o[i]));
    }
    assert_true(whole(json_object_get(disturbed.state, "refused"), "unread") > 0);
    assert_true(disturbed.p99_ms < 5 * calm.p99_ms + 500);
    json_decref(calm.state);
    json_decref(disturbed.state);
}

int main(int argc, char **argv)
{
    const char *sanitized = getenv("DID_TEST_SANITIZED");
    if (sanitized && strcmp(sanitized, "1") == 0) documents = 500;
    if (argc > 1) documents = atoi(argv[1]);
    if (argc > 2) lines_each = atoi(argv[2]);
    if (!getenv("DID")) die("DID must name the program");
    documents -= documents % CLIENTS;
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_come_home)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
