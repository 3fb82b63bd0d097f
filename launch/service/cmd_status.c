#include "cmd_status.h"

#include <stdio.h>

#include "board.h"
#include "caller.h"
#include "interrupt.h"

typedef struct asking {
    caller_settings service;
    bool            json, prometheus;
} asking;

#define AT(member) .offset = offsetof(asking, member)

static const option table[] = {
    CALLER_TABLE(asking, service),
    {.help = "How it is told (a table without these)"},
    {"json", 0, OPTION_FLAG, AT(json), .help = "as JSON"},
    {"prometheus", 0, OPTION_FLAG, AT(prometheus), .help = "in the text format of Prometheus"},
};

const option_table cmd_status_table = {
    .command = "status",
    .summary = "how a service stands: your jobs, everybody's totals, the worlds.",
    .usage = "--connect ENDPOINT [--json | --prometheus]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static void tell(const asking *how, const json_t *state)
{
    if (how->prometheus) {
        board_prometheus(stdout, state);
    } else if (how->json) {
        json_dumpf(state, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        board_table(stdout, state, 0);
    }
}

static status ask(const asking *how)
{
    caller *service;
    message m;
    TRY(caller_open(&service, &how->service));
    status s = caller_ask(service, MESSAGE_STATUS, json_object(), NULL, 0, MESSAGE_STATE, &m);
    if (s == DID_OK) tell(how, m.body);
    message_clear(&m);
    caller_close(&service);
    return s;
}

int cmd_status(int argc, char *const *argv)
{
    asking   how = {0};
    options *said;
    interrupt_install();
    status s = options_read(&said, &cmd_status_table, &how, argc, argv);
    if (s == DID_OK && how.json && how.prometheus)
        s = status_fail(DID_EINVAL, "--json and --prometheus exclude each other");
    if (s == DID_OK) s = ask(&how);
    options_close(&said);
    return caller_end(s);
}
