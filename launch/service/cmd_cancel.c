#include "cmd_cancel.h"

#include "caller.h"
#include "interrupt.h"
#include "log.h"

typedef struct cancel {
    caller_settings service;
    const char     *job, *id;
} cancel;

#define AT(member) .offset = offsetof(cancel, member)

static const option table[] = {
    CALLER_TABLE(cancel, service),
    {.help = "What to cancel"},
    {"job", 0, OPTION_TEXT, "NAME", "default", AT(job), .help = "one of your jobs"},
    {"id", 0, OPTION_TEXT, "ID", .silent = "all that is unfinished", AT(id),
     .help = "the documents of this custom_id"},
};

const option_table cmd_cancel_table = {
    .command = "cancel",
    .summary = "take back what is not finished; what is running ends with its pass.",
    .usage = "--connect ENDPOINT [--job NAME] [--id ID]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static status cancel_all(const cancel *c)
{
    caller *service;
    message m;
    TRY(caller_open(&service, &c->service));
    long long documents = 0;
    bool      again = true;
    status    s = DID_OK;
    while (s == DID_OK && again) {
        json_t *body = json_pack("{s:s, s:s*}", "job", c->job, "custom_id", c->id);
        s = caller_ask(service, MESSAGE_CANCEL, body, NULL, 0, MESSAGE_CANCELLED, &m);
        documents += json_integer_value(json_object_get(m.body, "documents"));
        again = json_is_true(json_object_get(m.body, "again"));
        message_clear(&m);
    }
    if (s == DID_OK) log_say("cancel", "%lld documents cancelled", documents);
    caller_close(&service);
    return s;
}

int cmd_cancel(int argc, char *const *argv)
{
    cancel   c = {0};
    options *said;
    interrupt_install();
    status s = options_read(&said, &cmd_cancel_table, &c, argc, argv);
    if (s == DID_OK) s = cancel_all(&c);
    options_close(&said);
    return caller_end(s);
}
