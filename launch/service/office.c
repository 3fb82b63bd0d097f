#include "office.h"

#include <stdlib.h>

#include "archive.h"
#include "clients.h"
#include "clock.h"
#include "report.h"
#include "tidings.h"

static const double TEND_S = 0.2, NEWS_S = 0.5, NO_NEWS_S = 2;

/* Over ipc everybody is everything. */
static bool allows(void *context, const char *owner, bool leader)
{
    const office *o = context;
    const char   *name;
    role          part = o->keys ? keyring_role(o->keys, owner, &name) : ROLE_BOTH;
    return part & (leader ? ROLE_WORLD : ROLE_CLIENT);
}

static status obey(void *context, const desk_guest *from, const message *m)
{
    return clients_obey(context, from, m);
}

static const socket_keys *own_keys(const office *o)
{
    return o->keys ? keyring_server(o->keys) : NULL;
}

static status open_desk(office *o)
{
    const office_settings *s = &o->settings;
    desk_settings          d = {.context = o->context,
                                .endpoint = s->endpoint,
                                .keys = own_keys(o),
                                .message_max = s->message_max,
                                .lane_bytes = OFFICE_LANE_BYTES,
                                .outbox_bytes = OFFICE_OUTBOX_BYTES,
                                .lease_s = s->lease_s,
                                .book = archive_book(o->store),
                                .host = {o, allows, clients_word, obey}};
    return desk_open(&o->desk, &d);
}

static status bring_up(office *o)
{
    const office_settings *s = &o->settings;
    TRY(socket_context_open(&o->context));
    socket_context_narrow(o->context, OFFICE_QUEUE);
    if (s->keys) TRY(keyring_open(&o->keys, s->keys, o->context));
    TRY(store_open(&o->store, s->state));
    if (s->strikes > 0) store_set_strikes(o->store, s->strikes);
    TRY(open_desk(o));
    TRY(herald_open(&o->herald, o->context, o->desk->bound, s->progress, own_keys(o)));
    o->held = report_resident();
    return DID_OK;
}

status office_open(office **out, const office_settings *settings)
{
    office *o = calloc(1, sizeof *o);
    *out = o;
    if (!o) return status_fail(DID_ENOMEM, "no memory for the service");
    o->settings = *settings;
    o->begun = clock_seconds();
    status s = bring_up(o);
    if (s != DID_OK) office_close(out);
    return s;
}

void office_close(office **out)
{
    office *o = *out;
    *out = NULL;
    if (!o) return;
    herald_close(&o->herald);
    desk_close(&o->desk);
    store_close(&o->store);
    keyring_close(&o->keys);
    if (o->context) socket_context_close(&o->context);
    free(o);
}

size_t office_bound(const office *o)
{
    return o->held + OFFICE_OUTBOX_BYTES + DESK_BATCH_BYTES +
           (size_t)o->desk->guests * OFFICE_QUEUE * (OFFICE_FETCH_BYTES + o->desk->largest);
}

/* Who may come in is read again when it has changed. */
static void tend(office *o)
{
    double now = clock_seconds();
    if (!o->keys || now - o->tended < TEND_S) return;
    o->tended = now;
    keyring_refresh(o->keys);
}

/* Everybody who listens hears soon what is new, and now and then that there is nothing. */
static status tell(office *o)
{
    double now = clock_seconds();
    if (now - o->told < (o->desk->stirred ? NEWS_S : NO_NEWS_S)) return DID_OK;
    o->told = now;
    o->desk->stirred = false;
    return herald_tell(o->herald, tidings_public(o));
}

status office_turn(office *o, int wait_ms)
{
    TRY(desk_turn(o->desk, wait_ms));
    tend(o);
    return tell(o);
}
