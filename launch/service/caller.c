#include "caller.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ending.h"
#include "field.h"
#include "herald.h"
#include "interrupt.h"
#include "keyring.h"
#include "outbox.h"

enum { MESSAGE_MAX = 64 << 20, WAIT_MS = 50 };
static const double AGAIN_S = 3;

struct caller {
    caller_settings settings;
    socket_context *context;
    socket         *socket;
    outbox         *outbox;
    socket         *herald; /* NULL: not yet heard of */
    keyring_file    file;
    json_int_t      asked;
};

static status bring_up(caller *c)
{
    const caller_settings *s = &c->settings;
    if (!s->connect) return status_fail(DID_EINVAL, "--connect is missing: say where did serve is");
    if (s->keys) TRY(keyring_read(&c->file, s->keys));
    TRY(socket_context_open(&c->context));
    TRY(socket_connect_dealer(&c->socket, c->context, s->connect, s->keys ? c->file.server : NULL,
                              s->keys ? &c->file.own : NULL, MESSAGE_MAX));
    return outbox_open(&c->outbox, c->socket);
}

status caller_open(caller **out, const caller_settings *settings)
{
    caller *c = calloc(1, sizeof *c);
    *out = c;
    if (!c) return status_fail(DID_ENOMEM, "no memory for a connection");
    c->settings = *settings;
    status s = bring_up(c);
    if (s != DID_OK) caller_close(out);
    return s;
}

void caller_close(caller **out)
{
    caller *c = *out;
    *out = NULL;
    if (!c) return;
    outbox_close(&c->outbox);
    if (c->herald) socket_close(&c->herald);
    if (c->socket) socket_close(&c->socket);
    if (c->context) socket_context_close(&c->context);
    free(c);
}

/* Is this what we wait for? An answer to an earlier question is passed over. */
static status judge(const caller *c, message_type expected, const message *m, bool *found)
{
    json_t *ask = json_object_get(m->body, "ask");
    *found = json_is_integer(ask) && json_integer_value(ask) == c->asked;
    if (m->type == MESSAGE_ERROR) {
        const char *reason;
        if (ask && !*found) return DID_OK;
        TRY(field_text(m->body, "reason", &reason));
        return status_fail(DID_EINVAL, "%s", reason);
    }
    if (!*found || m->type == expected) return DID_OK;
    return status_fail(DID_EFORMAT, "the service answers %s, expected %s", message_name(m->type),
                       message_name(expected));
}

static status listen(caller *c, message_type expected, message *answer, bool *found)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    *found = false;
    TRY(socket_recv(c->socket, WAIT_MS, frames, &n));
    if (n == 0) return DID_OK;
    TRY(message_read(answer, frames, n));
    status s = judge(c, expected, answer, found);
    if (s != DID_OK || !*found) message_clear(answer);
    return s;
}

static status check_hope(caller *c, double begun)
{
    const caller_settings *s = &c->settings;
    if (socket_losses(c->socket).handshakes > 0)
        return status_fail(DID_EPEER, "the service %s refuses our key%s", s->connect,
                           s->keys ? "" : ": give --keys");
    if (interrupt_asked()) return status_fail(DID_EPEER, "interrupted");
    if (clock_seconds() - begun < s->patience_s) return DID_OK;
    return status_fail(DID_EPEER, "the service %s does not answer (waited %.0f s)", s->connect,
                       s->patience_s);
}

static status ask(caller *c, message_type type, json_t *body, const frame *part, int n_parts,
                  message_type expected, message *answer)
{
    bool   found = false;
    double begun = clock_seconds(), said = 0;
    for (bool first = true; !found; first = false) {
        bool   connected_late = clock_seconds() - begun < 1; /* until it stands nothing is sent */
        double again = connected_late ? 0.1 : AGAIN_S;
        if (first || clock_seconds() - said > again) {
            TRY(outbox_offer(c->outbox, NULL, type, json_incref(body), part, n_parts,
                             NULL));
            said = clock_seconds();
        }
        TRY(listen(c, expected, answer, &found));
        if (!found) TRY(check_hope(c, begun));
    }
    return DID_OK;
}

status caller_ask(caller *c, message_type type, json_t *body, const frame *part, int n_parts,
                  message_type expected, message *answer)
{
    *answer = (message){0};
    if (!body || json_object_set_new(body, "ask", json_integer(++c->asked)) != 0) {
        json_decref(body);
        return status_fail(DID_ENOMEM, "no memory for a question");
    }
    status s = ask(c, type, body, part, n_parts, expected, answer);
    json_decref(body);
    return s;
}

/* ---- what everybody is told ---- */

static status find_herald(caller *c)
{
    const char *bound;
    char        address[HERALD_ADDRESS];
    message     m;
    bool        keys = c->settings.keys != NULL;
    TRY(caller_ask(c, MESSAGE_STATUS, json_object(), NULL, 0, MESSAGE_STATE, &m));
    status s = field_text(m.body, "progress", &bound);
    if (s == DID_OK) s = herald_address(address, c->settings.connect, bound);
    if (s == DID_OK)
        s = socket_connect_subscriber(&c->herald, c->context, address,
                                      keys ? c->file.server : NULL, keys ? &c->file.own : NULL,
                                      MESSAGE_MAX);
    message_clear(&m);
    return s;
}

/* The next of it, in place of the one before. What is not understood is passed over. */
static status take_news(caller *c, int wait_ms, json_t **news, bool *more)
{
    frame   frames[SOCKET_FRAMES_MAX];
    int     n;
    message m;
    TRY(socket_recv(c->herald, wait_ms, frames, &n));
    *more = n > 0;
    if (n == 0) return DID_OK;
    if (message_read(&m, frames, n) == DID_OK && m.type == MESSAGE_NEWS) {
        json_decref(*news);
        *news = json_incref(m.body);
    }
    message_clear(&m);
    return DID_OK;
}

status caller_news(caller *c, double seconds, json_t **news)
{
    double until = clock_seconds() + seconds;
    bool   more = true;
    *news = NULL;
    if (!c->herald) TRY(find_herald(c));
    while (!*news && clock_seconds() < until && !interrupt_asked())
        TRY(take_news(c, WAIT_MS, news, &more));
    while (more && *news) TRY(take_news(c, 0, news, &more));
    return DID_OK;
}

int caller_end(status s)
{
    if (s == DID_OK) return END_DONE;
    ending_explain();
    return (int)ending_of(s, s == DID_EINVAL    ? END_USAGE
                             : s == DID_EFORMAT ? END_INPUT
                                                : END_INTERNAL);
}
