#include "cmd_top.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "caller.h"
#include "clock.h"
#include "host.h"
#include "interrupt.h"

static const double MEMORY_S = 30; /* of the speed */

typedef struct top {
    caller_settings service;
    double          interval_s;
    int             count;
} top;

#define AT(member) .offset = offsetof(top, member)

static const option table[] = {
    CALLER_TABLE(top, service),
    {.help = "How often"},
    {"interval-s", 0, OPTION_REAL, "SECONDS", "1", .min = 0.1, .max = 3600, AT(interval_s),
     .help = "between two looks"},
    {"count", 'n', OPTION_COUNT, "COUNT", .silent = "until it is interrupted", .min = 1, .max = 1e9,
     AT(count), .help = "looks, and then the end"},
};

const option_table cmd_top_table = {
    .command = "top",
    .summary = "a service at work: queues, worlds, documents by stage, tokens per second, live.",
    .usage = "--connect ENDPOINT [--interval-s SECONDS]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

/* What is left, at the speed of now: documents as the service counts them. */
typedef struct speed {
    double at, per_s; /* when it was last looked at; documents per second, smoothed */
    double finished;
} speed;

static double counted(const json_t *state, const char *word)
{
    return json_number_value(json_object_get(json_object_get(state, "all"), word));
}

static void measure(speed *v, double finished)
{
    double now = clock_seconds(), past = now - v->at, weight = past / (past + MEMORY_S);
    if (v->at > 0 && past > 0) v->per_s += weight * ((finished - v->finished) / past - v->per_s);
    v->at = now;
    v->finished = finished;
}

static void tell_eta(FILE *to, const json_t *state, speed *v)
{
    double        open = counted(state, "queued") + counted(state, "drafting") +
                  counted(state, "drafted") + counted(state, "refining");
    double        tokens = 0;
    size_t        i;
    const json_t *w;
    measure(v, counted(state, "done") + counted(state, "failed"));
    json_array_foreach(json_object_get(state, "worlds"), i, w)
        tokens += json_number_value(json_object_get(w, "tokens_per_s"));
    fprintf(to, "\n%.0f unfinished, %.1f tokens/s, %.2f documents/s", open, tokens,
            v->per_s);
    if (v->per_s > 0 && open > 0) {
        long s = lround(open / v->per_s);
        fprintf(to, ", ETA %02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    }
    fputc('\n', to);
}

/* One write per picture, and no clearing before it, so that it does not flicker. */
static status draw(const json_t *state, bool terminal, speed *v)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *to = open_memstream(&text, &size);
    if (to) board_table(to, state, terminal ? host_terminal_lines(stdout) - 2 : 0);
    if (to) tell_eta(to, state, v);
    if (!to || fclose(to) != 0) return status_fail(DID_ENOMEM, "no memory for the table");
    if (terminal) fputs("\033[H", stdout);
    for (const char *at = text, *end; (end = strchr(at, '\n')); at = end + 1)
        printf("%.*s%s\n", (int)(end - at), at, terminal ? "\033[K" : "");
    if (terminal) fputs("\033[J", stdout);
    fflush(stdout);
    free(text);
    return DID_OK;
}

static status look(caller *service, json_t **state)
{
    message m;
    TRY(caller_ask(service, MESSAGE_STATUS, json_object(), NULL, 0, MESSAGE_STATE, &m));
    json_decref(*state);
    *state = json_incref(m.body);
    message_clear(&m);
    return DID_OK;
}

/* What the service tells everybody is put over what it last answered. It does not tell of jobs: when
 * its totals are others, one's own are asked for. */
static status listen(caller *service, double seconds, json_t **state)
{
    json_t *news;
    double  until = clock_seconds() + seconds;
    TRY(caller_news(service, seconds, &news));
    status s = DID_OK;
    if (!news) {
        s = interrupt_asked() ? DID_OK : look(service, state);
    } else {
        bool same = json_equal(json_object_get(news, "all"), json_object_get(*state, "all"));
        json_object_update(*state, news);
        if (!same) s = look(service, state);
    }
    json_decref(news);
    while (s == DID_OK && !interrupt_asked() && clock_seconds() < until) clock_sleep(0.05);
    return s;
}

static status watch_service(const top *t)
{
    caller *service;
    speed   v = {0};
    json_t *state = NULL;
    bool    terminal = isatty(STDOUT_FILENO);
    TRY(caller_open(&service, &t->service));
    status s = look(service, &state);
    if (terminal && s == DID_OK) fputs("\033[H\033[2J", stdout);
    for (int i = 0; s == DID_OK && !interrupt_asked() && (t->count == 0 || i < t->count); i++) {
        if (i > 0) s = listen(service, t->interval_s, &state);
        if (s == DID_OK && !interrupt_asked()) s = draw(state, terminal, &v);
    }
    json_decref(state);
    caller_close(&service);
    return interrupt_asked() ? DID_OK : s;
}

int cmd_top(int argc, char *const *argv)
{
    top      t = {0};
    options *said;
    interrupt_install();
    status s = options_read(&said, &cmd_top_table, &t, argc, argv);
    if (s == DID_OK) s = watch_service(&t);
    options_close(&said);
    return caller_end(s);
}
