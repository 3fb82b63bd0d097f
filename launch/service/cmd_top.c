#include "cmd_top.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "caller.h"
#include "clock.h"
#include "interrupt.h"

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

/* What is left, at the speed of now. Tokens are counted by worlds, documents by the service, so the
 * speed of documents is that of the last looks. */
typedef struct speed {
    double at, per_s;
    double finished;
} speed;

static void tell_eta(FILE *to, const json_t *state, speed *v)
{
    const json_t *all = json_object_get(state, "all");
    double        now = clock_seconds(), finished = 0, open = 0;
    const char   *key;
    json_t       *value;
    json_object_foreach((json_t *)(uintptr_t)all, key, value)
    {
        bool over = !strcmp(key, "done") || !strcmp(key, "failed");
        if (over) finished += json_number_value(value);
        else if (strcmp(key, "cancelled") != 0) open += json_number_value(value);
    }
    if (v->at > 0) {
        double past = now - v->at, weight = past / (past + 30);
        v->per_s += weight * ((finished - v->finished) / past - v->per_s);
    }
    v->at = now;
    v->finished = finished;
    fprintf(to, "\n%.0f documents unfinished", open);
    if (v->per_s > 0 && open > 0) fprintf(to, ", about %.0f s to go", open / v->per_s);
    fputc('\n', to);
}

/* One write per picture, so that it does not flicker. */
static status draw(caller *service, bool terminal, speed *v)
{
    message m;
    char   *text = NULL;
    size_t  size = 0;
    TRY(caller_ask(service, MESSAGE_STATUS, json_object(), NULL, 0, MESSAGE_STATE, &m));
    FILE *to = open_memstream(&text, &size);
    if (to && terminal) fputs("\033[H\033[2J", to);
    if (to) board_table(to, m.body);
    if (to) tell_eta(to, m.body, v);
    message_clear(&m);
    if (!to || fclose(to) != 0) return status_fail(DID_ENOMEM, "no memory for the table");
    fwrite(text, 1, size, stdout);
    fflush(stdout);
    free(text);
    return DID_OK;
}

static status watch_service(const top *t)
{
    caller *service;
    speed   v = {0};
    TRY(caller_open(&service, &t->service));
    status s = DID_OK;
    for (int i = 0; s == DID_OK && !interrupt_asked() && (t->count == 0 || i < t->count); i++) {
        if (i > 0) clock_sleep(t->interval_s);
        if (!interrupt_asked()) s = draw(service, isatty(STDOUT_FILENO), &v);
    }
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
