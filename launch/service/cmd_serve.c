#include "cmd_serve.h"

#include <stdio.h>
#include <string.h>

#include "caller.h"
#include "ending.h"
#include "interrupt.h"
#include "log.h"
#include "office.h"

enum { WAIT_MS = 50 };

typedef struct serve {
    const char *state, *bind, *progress, *keys;
    double      lease_s;
    int         strikes, documents_max, mb_max, jobs_max, message_mb;
    bool        quiet;
    int         log;
    const char *options;
} serve;

#define AT(member) .offset = offsetof(serve, member)

static const option table[] = {
    {.help = "What it keeps and where it is reached"},
    {"state", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(state),
     .help = "every job and every result; start the same command again and all goes on"},
    {"bind", 0, OPTION_TEXT, "ENDPOINT", .silent = "must be given", AT(bind),
     .help = "tcp://HOST:PORT (encrypted; * is any host or any free port) or "
             "ipc:///DIRECTORY/NAME in a directory of mode 0700"},
    {"progress", 0, OPTION_TEXT, "ENDPOINT", .silent = "any port; NAME-progress over ipc",
     AT(progress), .help = "where totals and worlds are published, for did top and others"},
    {"keys", 0, OPTION_TEXT, "DIR", .silent = "none, over ipc", AT(keys),
     .help = "made by did keys: the service's pair and the list of who may come in, which is read "
             "again when it changes"},

    {.help = "What it puts up with"},
    {"lease-s", 0, OPTION_REAL, "SECONDS", "120", .min = 0.5, .max = 86400, AT(lease_s),
     .help = "silence of a world after which its documents are given to another"},
    {"strikes", 0, OPTION_COUNT, "COUNT", "3", .min = 1, .max = 1e6, AT(strikes),
     .help = "worlds that may be lost with a document, without a checkpoint in between, before it "
             "is set aside"},
    {"client-documents", 0, OPTION_COUNT, "COUNT", "1000000", .min = 1, .max = 1e9,
     AT(documents_max), .help = "unfinished documents one client may have"},
    {"client-mb", 0, OPTION_COUNT, "MB", "16384", .min = 1, .max = 1e9, AT(mb_max),
     .help = "what they may grow to: 4 bytes a position, and their lines"},
    {"client-jobs", 0, OPTION_COUNT, "COUNT", "10000", .min = 1, .max = 1e6, AT(jobs_max),
     .help = "jobs one client may have, finished ones included"},
    {"message-mb", 0, OPTION_COUNT, "MB", "64", .min = 1, .max = 1024, AT(message_mb),
     .help = "the largest text in a message; who sends a larger one is cut off"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "warnings and errors only"},
    {"log", 0, OPTION_CHOICE, "text|json", "text", AT(log),
     .help = "how stderr is written: for people, or a JSON object a line"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

const option_table cmd_serve_table = {
    .command = "serve",
    .summary = "take in documents from clients, hand them to worlds, keep what comes of them.",
    .usage = "--state FILE --bind ENDPOINT [--keys DIR]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static status check(const serve *s)
{
    if (!s->state) return status_fail(DID_EINVAL, "--state is missing: name a file");
    if (!s->bind) return status_fail(DID_EINVAL, "--bind is missing: name an endpoint");
    if (strncmp(s->bind, "tcp:", 4) == 0 && !s->keys)
        return status_fail(DID_EINVAL,
                           "--bind %s: TCP is always encrypted, loopback included: make"
                           " keys with did keys DIR and give --keys DIR",
                           s->bind);
    return DID_OK;
}

static status serve_all(const serve *s)
{
    office         *o;
    office_settings settings = {.state = s->state,
                              .endpoint = s->bind,
                              .progress = s->progress,
                              .keys = s->keys,
                              .lease_s = s->lease_s,
                              .strikes = s->strikes,
                              .quota = {s->documents_max, (int64_t)s->mb_max << 20},
                              .jobs_max = s->jobs_max,
                              .message_max = (size_t)s->message_mb << 20};
    TRY(office_open(&o, &settings));
    log_say("serve", "%s is open", o->desk->bound);
    log_say("serve", "progress is told at %s", herald_bound(o->herald));
    log_say("serve",
            "memory: %zu MB held; at most %d MB of answers that wait, and for each guest %d answers"
            " of %d KB and %d of its messages",
            o->held >> 20, OFFICE_OUTBOX_BYTES >> 20, OFFICE_QUEUE, OFFICE_FETCH_BYTES >> 10, OFFICE_QUEUE);
    status result = DID_OK;
    while (result == DID_OK && !interrupt_asked()) result = office_turn(o, WAIT_MS);
    log_say("serve", "%s is closed", o->desk->bound);
    office_close(&o);
    return result;
}

int cmd_serve(int argc, char *const *argv)
{
    serve    s = {0};
    options *said;
    interrupt_install();
    status result = options_read(&said, &cmd_serve_table, &s, argc, argv);
    log_identity(0, 1, s.quiet);
    if (s.log == 1) log_as_json();
    if (result == DID_OK) result = check(&s);
    if (result == DID_OK) {
        options_say(said);
        result = serve_all(&s);
    }
    options_close(&said);
    return caller_end(result);
}
