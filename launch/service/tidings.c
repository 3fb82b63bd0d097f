#include "tidings.h"

#include "clock.h"
#include "report.h"

json_t *tidings_counts(const store_count *c)
{
    json_t *o = json_object();
    for (int i = 0; i < STORE_STATES; i++)
        json_object_set_new(o, store_word((store_state)i), json_integer(c->n[i]));
    return o;
}

static json_t *tell_refused(office *o)
{
    const desk_refusals *r = &o->desk->refused;
    socket_loss lost = socket_losses(o->desk->socket), deaf = herald_losses(o->herald);
    const struct {
        const char *word;
        long        n;
    } counts[] = {{"malformed", r->malformed + lost.messages},
                  {"unknown", r->unknown},
                  {"forbidden", r->forbidden},
                  {"refused", r->refused},
                  {"early", r->early},
                  {"replayed", r->replayed},
                  {"stale", r->stale},
                  {"unread", r->unread + outbox_dropped(o->desk->outbox)},
                  {"handshakes", lost.handshakes + deaf.handshakes},
                  {"strangers", lost.strangers + deaf.strangers},
                  {"foreign", lost.foreign + deaf.foreign},
                  {"broken", lost.broken + deaf.broken},
                  {"connections", lost.connections}};
    json_t *body = json_object();
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_object_set_new(body, counts[i].word, json_integer(counts[i].n));
    return body;
}

/* Bytes this process holds, and has held at most. */
static json_t *tell_memory(const office *o)
{
    return json_pack("{s:I, s:I, s:I}", "held", (json_int_t)report_resident(), "peak",
                     (json_int_t)report_peak(), "bound", (json_int_t)office_bound(o));
}

/* Connections to the desk, as libzmq has them: one that came in and was never heard is among them. */
static json_t *tell_guests(office *o)
{
    socket_loss all = socket_losses(o->desk->socket);
    return json_pack("{s:I, s:I}", "here", (json_int_t)all.guests, "admitted",
                     (json_int_t)all.admitted);
}

json_t *tidings_public(office *o)
{
    double      now = clock_seconds();
    store_count all = store_counts(o->store, 0);
    return json_pack("{s:f, s:o, s:o, s:o, s:o, s:o}", "up_s", now - o->begun, "all",
                     tidings_counts(&all), "worlds", muster_tell(&o->desk->muster, now), "guests",
                     tell_guests(o), "refused", tell_refused(o), "memory", tell_memory(o));
}
