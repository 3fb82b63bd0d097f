#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { FRAMES_MAX = 4 + MESSAGE_PARTS_MAX }; /* routing id, version, type, body, parts */

/* A message that waits, its bytes behind it. */
typedef struct letter {
    struct letter *next;
    int            n;
    size_t         size;
    frame          frames[FRAMES_MAX];
    unsigned char  bytes[];
} letter;

/* What waits for one peer, in the order of posting; a lane without letters does not exist. */
typedef struct lane {
    struct lane  *next;
    letter       *first, **last;
    int           waiting, left; /* letters; those that a flush could not send */
    size_t        size;
    double        since; /* when the first letter came, or the one before it left */
    size_t        peer_size;
    unsigned char peer[];
} lane;

struct outbox {
    socket *socket;
    lane   *lanes;
    int     waiting;
    size_t  size, lane_most, most; /* bytes; 0: no limit */
    long    dropped;
    bool    held;
};

/* A message as it is sent; its body is the sender's to free. */
typedef struct bundle {
    frame frames[FRAMES_MAX];
    int   n;
    char *body;
} bundle;

status outbox_open(outbox **out, socket *s)
{
    outbox *o = calloc(1, sizeof *o);
    *out = o;
    if (!o) return status_fail(DID_ENOMEM, "no memory for messages");
    o->socket = s;
    return DID_OK;
}

static void drop_letter(outbox *o, lane *at)
{
    letter *l = at->first;
    at->first = l->next;
    if (!at->first) at->last = &at->first;
    at->waiting--;
    at->left -= at->left > 0;
    at->size -= l->size;
    o->waiting--;
    o->size -= l->size;
    free(l);
}

static void drop_lane(lane **at)
{
    lane *gone = *at;
    *at = gone->next;
    free(gone);
}

void outbox_close(outbox **out)
{
    outbox *o = *out;
    *out = NULL;
    if (!o) return;
    while (o->lanes) {
        while (o->lanes->first) drop_letter(o, o->lanes);
        drop_lane(&o->lanes);
    }
    free(o);
}

void outbox_limit(outbox *o, size_t lane_most, size_t most)
{
    o->lane_most = lane_most;
    o->most = most;
}

size_t outbox_bytes(const outbox *o)
{
    return o->size;
}

long outbox_dropped(const outbox *o)
{
    return o->dropped;
}

int outbox_waiting(const outbox *o)
{
    return o->waiting;
}

static lane *find_lane(const outbox *o, const frame *peer)
{
    size_t size = peer ? peer->size : 0;
    for (lane *at = o->lanes; at; at = at->next)
        if (at->peer_size == size && (size == 0 || memcmp(at->peer, peer->data, size) == 0))
            return at;
    return NULL;
}

static lane *add_lane(outbox *o, const frame *peer)
{
    size_t size = peer ? peer->size : 0;
    lane  *at = malloc(sizeof *at + size);
    if (!at) return NULL;
    *at = (lane){.next = o->lanes, .since = clock_seconds(), .peer_size = size};
    at->last = &at->first;
    if (size) memcpy(at->peer, peer->data, size);
    o->lanes = at;
    return at;
}

static letter *copy(const bundle *b)
{
    size_t size = 0;
    for (int i = 0; i < b->n; i++) size += b->frames[i].size;
    letter *l = malloc(sizeof *l + size);
    if (!l) return NULL;
    unsigned char *to = l->bytes;
    for (int i = 0; i < b->n; i++) {
        l->frames[i] = (frame){to, b->frames[i].size};
        memcpy(to, b->frames[i].data, b->frames[i].size);
        to += b->frames[i].size;
    }
    l->n = b->n;
    l->next = NULL;
    l->size = sizeof *l + size;
    return l;
}

/* More waits than may: who has most waiting reads least. */
static void make_room(outbox *o)
{
    lane **fattest = &o->lanes;
    if (o->most == 0 || o->size <= o->most) return;
    for (lane **at = &o->lanes; *at; at = &(*at)->next)
        if ((*at)->size > (*fattest)->size) fattest = at;
    o->dropped += (*fattest)->waiting;
    while ((*fattest)->first) drop_letter(o, *fattest);
    drop_lane(fattest);
}

static status keep(outbox *o, const frame *peer, const bundle *b)
{
    lane *at = find_lane(o, peer);
    if (at && at->waiting >= OUTBOX_LANE_MAX)
        return status_fail(DID_EPEER, "%d messages wait for a peer that does not read",
                           at->waiting);
    if (at && o->lane_most && at->left > 0 && at->size > o->lane_most)
        return status_fail(DID_EPEER, "%zu bytes wait for a peer that does not read", at->size);
    letter *l = copy(b);
    if (l && !at) at = add_lane(o, peer);
    if (!l || !at) {
        free(l);
        return status_fail(DID_ENOMEM, "no memory for a message");
    }
    *at->last = l;
    at->last = &l->next;
    at->waiting++;
    at->size += l->size;
    o->waiting++;
    o->size += l->size;
    make_room(o);
    return DID_OK;
}

static frame of_text(const char *text)
{
    return (frame){text, strlen(text)};
}

static status wrap(bundle *b, const frame *peer, message_type type, json_t *body, const frame *part,
                   int n_parts)
{
    *b = (bundle){0};
    b->body = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : strdup("{}");
    json_decref(body);
    if (!b->body) return status_fail(DID_ENOMEM, "no memory for a message");
    if (peer) b->frames[b->n++] = *peer;
    b->frames[b->n++] = of_text(message_version());
    b->frames[b->n++] = of_text(message_name(type));
    b->frames[b->n++] = of_text(b->body);
    for (int i = 0; i < n_parts; i++) b->frames[b->n++] = part[i];
    return DID_OK;
}

/* What already waits for the peer has to go first. */
static status send_in_turn(outbox *o, const frame *peer, const bundle *b, bool *sent)
{
    *sent = false;
    return o->held || find_lane(o, peer) ? DID_OK : socket_send(o->socket, b->frames, b->n, sent);
}

status outbox_post(outbox *o, const frame *peer, message_type type, json_t *body, const frame *part,
                   int n_parts)
{
    bundle b;
    bool   sent;
    TRY(wrap(&b, peer, type, body, part, n_parts));
    status s = send_in_turn(o, peer, &b, &sent);
    if (s == DID_OK && !sent) s = keep(o, peer, &b);
    free(b.body);
    return s;
}

status outbox_offer(outbox *o, const frame *peer, message_type type, json_t *body,
                    const frame *part, int n_parts, bool *sent)
{
    bundle b;
    bool   left;
    TRY(wrap(&b, peer, type, body, part, n_parts));
    status s = send_in_turn(o, peer, &b, &left);
    if (sent) *sent = s == DID_OK && left;
    free(b.body);
    return s;
}

status outbox_flush(outbox *o)
{
    lane **at = &o->lanes;
    while (*at && !o->held) {
        bool sent = true;
        while ((*at)->first && sent) {
            letter *l = (*at)->first;
            TRY(socket_send(o->socket, l->frames, l->n, &sent));
            if (sent) drop_letter(o, *at), (*at)->since = clock_seconds();
        }
        if (sent) {
            drop_lane(at);
            continue;
        }
        (*at)->left = (*at)->waiting;
        at = &(*at)->next;
    }
    return DID_OK;
}

void outbox_hold(outbox *o, bool held)
{
    o->held = held;
}

int outbox_expire(outbox *o, double seconds)
{
    int    before = o->waiting;
    double now = clock_seconds();
    lane **at = &o->lanes;
    while (*at) {
        bool late = now - (*at)->since > seconds;
        while (late && (*at)->first) drop_letter(o, *at);
        if (late) drop_lane(at);
        else at = &(*at)->next;
    }
    return before - o->waiting;
}

int outbox_unread(const outbox *o, const frame *peer)
{
    const lane *at = find_lane(o, peer);
    return at ? at->left : 0;
}
