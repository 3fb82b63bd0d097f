#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "clock.h"
#include "fault.h"
#include "lookup.h"
#include "zap.h"

/* A queue holds QUEUE messages for a peer that does not read. Milliseconds otherwise. */
enum {
    QUEUE = 256,
    LINGER = 1000,
    HANDSHAKE = 5000,
    RECONNECT = 100,
    RECONNECT_MAX = 5000,
    HEARTBEAT = 10000,
    HEARTBEAT_TIMEOUT = 30000,
    SUBSCRIPTION_MAX = 4096 /* bytes of what a subscriber may say; the handshake is among it */
};

struct socket_context {
    void      *zmq;
    zap       *zap;
    atomic_int open;      /* sockets not yet closed */
    atomic_int monitors;  /* made so far, for their names */
    int        queue;     /* messages of and for one peer */
};

struct socket {
    void           *zmq, *monitor;
    socket_context *context;
    zmq_msg_t       frames[SOCKET_FRAMES_MAX];  /* of the last message, `held` of them */
    int             held;
    char            user[SOCKET_KEY];
    socket_loss     loss;
    bool            connects; /* a DEALER */
    int             cut;      /* handshakes in a row that ended without a reason */
};

status socket_context_open(socket_context **out)
{
    *out = NULL;
    socket_context *c = calloc(1, sizeof *c);
    if (!c) return status_fail(DID_ENOMEM, "no memory for a ZeroMQ context");
    status s = DID_OK;
    c->queue = QUEUE;
    c->zmq = zmq_ctx_new();
    if (!c->zmq) s = status_fail(DID_EIO, "cannot start ZeroMQ: %s", zmq_strerror(errno));
    else s = zap_open(&c->zap, c->zmq);
    if (s == DID_OK) *out = c;
    else socket_context_close(&c);
    return s;
}

void socket_context_narrow(socket_context *c, int messages)
{
    c->queue = messages;
}

void socket_context_close(socket_context **c)
{
    if (!*c) return;
    assert(atomic_load(&(*c)->open) == 0);
    if ((*c)->zmq) zmq_ctx_shutdown((*c)->zmq);
    zap_close(&(*c)->zap);
    /* Ends when the last closed socket has sent what it had or its linger is over. */
    while ((*c)->zmq && zmq_ctx_term((*c)->zmq) != 0 && errno == EINTR) continue;
    free(*c);
    *c = NULL;
}

status socket_keys_make(socket_keys *out)
{
    if (zmq_curve_keypair(out->public, out->secret) == 0) return DID_OK;
    return status_fail(DID_EIO, "cannot make keys: %s (is this libzmq built with CURVE?)",
                       zmq_strerror(errno));
}

/* Is this text a key? The sentence names `whose` and never shows the text: it may be a secret. */
static status check_key(const char *key, const char *whose)
{
    uint8_t bytes[32];
    if (key && strnlen(key, SOCKET_KEY) == SOCKET_KEY - 1 && zmq_z85_decode(bytes, key))
        return DID_OK;
    return status_fail(DID_EINVAL, "%s is not a key: %s, expected %d characters of Z85", whose,
                       key ? "found something else" : "it is missing", SOCKET_KEY - 1);
}

static status check_pair(const socket_keys *keys, const char *endpoint)
{
    char derived[SOCKET_KEY];
    if (!keys)
        return status_fail(DID_EINVAL, "%s: TCP is for holders of keys and none were given; "
                           "without keys, use ipc:///DIRECTORY/NAME", endpoint);
    status s = check_key(keys->public, "the public key");
    if (s == DID_OK) s = check_key(keys->secret, "the secret key");
    if (s != DID_OK) return status_at(s, "%s", endpoint);
    if (zmq_curve_public(derived, keys->secret) == 0 && strcmp(derived, keys->public) == 0)
        return DID_OK;
    return status_fail(DID_EINVAL, "%s: the public and the secret key are not a pair", endpoint);
}

status socket_allow(socket_context *c, const char *public_key)
{
    TRY(check_key(public_key, "the public key to allow"));
    return zap_allow(c->zap, public_key);
}

/* Whoever can reach an ipc endpoint's file may use it, so its directory must keep others out. The
 * directory itself may not be a link: its owner could turn it elsewhere later. */
static status check_directory(const char *endpoint)
{
    const char *path = endpoint + strlen("ipc://"), *slash = strrchr(path, '/');
    char        folder[PATH_MAX];
    struct stat at;
    if (path[0] != '/' || slash[1] == '\0' || slash - path >= (long)sizeof folder)
        return status_fail(DID_EINVAL, "%s: expected ipc:///DIRECTORY/NAME", endpoint);
    snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (lstat(folder, &at) != 0)
        return status_fail(DID_EIO, "%s: cannot look at %s: %s", endpoint, folder, strerror(errno));
    if (!S_ISDIR(at.st_mode))
        return status_fail(DID_EIO, "%s: %s is not a directory", endpoint, folder);
    if (at.st_uid != geteuid() || (at.st_mode & 0777) != 0700)
        return status_fail(DID_EIO, "%s: %s has mode %04o and owner %u, expected mode 0700 and "
                           "owner %u", endpoint, folder, at.st_mode & 0777, at.st_uid, geteuid());
    return DID_OK;
}

/* *tcp tells the two kinds of endpoints apart. `keyed`: the caller brought keys. */
static status check_endpoint(const char *endpoint, bool keyed, bool *tcp)
{
    *tcp = strncmp(endpoint, "tcp://", 6) == 0;
    if (*tcp) return DID_OK;
    if (strncmp(endpoint, "ipc://", 6) != 0)
        return status_fail(DID_EINVAL, "%s: expected tcp://HOST:PORT or ipc:///DIRECTORY/NAME",
                           endpoint);
    if (keyed)
        return status_fail(DID_EINVAL, "%s: keys were given, but ipc takes none: its directory is "
                           "the lock", endpoint);
    return check_directory(endpoint);
}

static bool set(socket *s, int option, int value)
{
    return zmq_setsockopt(s->zmq, option, &value, sizeof value) == 0;
}

static bool set_text(socket *s, int option, const char *text)
{
    return zmq_setsockopt(s->zmq, option, text, strlen(text)) == 0;
}

/* What every socket of ours does: finite queues, no patience with strangers, and nothing that waits
 * at the end unless socket_close asks for it. */
static bool set_manners(socket *s, int queue, size_t message_max)
{
    int64_t largest = (int64_t)message_max;
    return set(s, ZMQ_LINGER, 0) && set(s, ZMQ_SNDHWM, queue) && set(s, ZMQ_RCVHWM, queue) &&
           set(s, ZMQ_HANDSHAKE_IVL, HANDSHAKE) && set(s, ZMQ_IMMEDIATE, 1) &&
           set(s, ZMQ_RECONNECT_IVL, RECONNECT) && set(s, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX) &&
           zmq_setsockopt(s->zmq, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0;
}

/* Over TCP a host may vanish without a word; heartbeats notice. */
static bool set_heartbeat(socket *s)
{
    return set(s, ZMQ_HEARTBEAT_IVL, HEARTBEAT) && set(s, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT);
}

static bool set_server_keys(socket *s, const socket_keys *keys)
{
    return set(s, ZMQ_CURVE_SERVER, 1) && set_text(s, ZMQ_CURVE_SECRETKEY, keys->secret) &&
           set_text(s, ZMQ_ZAP_DOMAIN, "did");
}

static bool set_client_keys(socket *s, const char *server_public, const socket_keys *keys)
{
    return set_text(s, ZMQ_CURVE_SERVERKEY, server_public) &&
           set_text(s, ZMQ_CURVE_PUBLICKEY, keys->public) &&
           set_text(s, ZMQ_CURVE_SECRETKEY, keys->secret);
}

/* libzmq drops what it refuses without an answer; its monitor is where that can be counted. The
 * monitor's queue is unbounded because libzmq's own thread would wait for room in it. */
static bool open_monitor(socket *s)
{
    enum {
        EVENTS = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED |
                 ZMQ_EVENT_HANDSHAKE_SUCCEEDED
    };
    char name[64];
    int  none = 0;
    snprintf(name, sizeof name, "inproc://monitor-%d", atomic_fetch_add(&s->context->monitors, 1));
    if (zmq_socket_monitor(s->zmq, name, EVENTS) != 0) return false;
    s->monitor = zmq_socket(s->context->zmq, ZMQ_PAIR);
    return s->monitor && zmq_setsockopt(s->monitor, ZMQ_LINGER, &none, sizeof none) == 0 &&
           zmq_setsockopt(s->monitor, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
           zmq_connect(s->monitor, name) == 0;
}

static status make(socket **out, socket_context *c, int type, size_t message_max)
{
    *out = NULL;
    socket *s = calloc(1, sizeof *s);
    if (!s) return status_fail(DID_ENOMEM, "no memory for a socket");
    s->context = c;
    s->connects = type == ZMQ_DEALER;
    s->zmq = zmq_socket(c->zmq, type);
    atomic_fetch_add(&c->open, 1);
    *out = s;
    if (s->zmq && set_manners(s, c->queue, message_max) && open_monitor(s)) return DID_OK;
    status code = status_fail(DID_EIO, "cannot make a ZeroMQ socket: %s", zmq_strerror(errno));
    socket_close(out);
    return code;
}

/* libzmq binds to addresses and network interfaces; people write the host's name. A name that
 * nobody knows keeps libzmq's errno, ENODEV. */
static bool bind_named(void *zmq, const char *endpoint)
{
    if (zmq_bind(zmq, endpoint) == 0) return true;
    char        name[256], numbers[LOOKUP_TEXT] = "", address[LOOKUP_TEXT + 32];
    const char *host = endpoint + strlen("tcp://"), *port = strrchr(endpoint, ':');
    if (errno != ENODEV || port < host) return false;
    snprintf(name, sizeof name, "%.*s", (int)(port - host), host);
    bool known = lookup_address(numbers, name);
    errno = ENODEV;
    snprintf(address, sizeof address, "tcp://%s%.8s", numbers, port);
    return known && zmq_bind(zmq, address) == 0;
}

static status bind_to(socket **out, socket_context *c, int type, const char *endpoint,
                      const socket_keys *keys, size_t message_max, char *bound, size_t bound_size)
{
    bool tcp;
    *out = NULL;
    TRY(check_endpoint(endpoint, keys, &tcp));
    if (tcp) TRY(check_pair(keys, endpoint));

    socket *s;
    TRY(make(&s, c, type, message_max));
    bool ok = type != ZMQ_ROUTER || set(s, ZMQ_ROUTER_MANDATORY, 1);
    if (tcp) ok = ok && set_heartbeat(s) && set_server_keys(s, keys);
    ok = ok && bind_named(s->zmq, endpoint);
    if (bound) ok = ok && zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, bound, &bound_size) == 0;
    if (!ok) {
        status code = status_fail(DID_EIO, "%s: cannot bind: %s", endpoint, zmq_strerror(errno));
        socket_close(&s);
        return code;
    }
    *out = s;
    return DID_OK;
}

status socket_bind_router(socket **out, socket_context *c, const char *endpoint,
                          const socket_keys *keys, size_t message_max, char *bound,
                          size_t bound_size)
{
    return bind_to(out, c, ZMQ_ROUTER, endpoint, keys, message_max, bound, bound_size);
}

status socket_bind_publisher(socket **out, socket_context *c, const char *endpoint,
                             const socket_keys *keys, char *bound, size_t bound_size)
{
    return bind_to(out, c, ZMQ_PUB, endpoint, keys, SUBSCRIPTION_MAX, bound, bound_size);
}

static status connect_to(socket **out, socket_context *c, int type, const char *endpoint,
                         const char *server_public, const socket_keys *keys, size_t message_max)
{
    bool tcp;
    *out = NULL;
    TRY(check_endpoint(endpoint, keys || server_public, &tcp));
    if (tcp) {
        TRY(check_pair(keys, endpoint));
        status given = check_key(server_public, "the server's public key");
        if (given != DID_OK) return status_at(given, "%s", endpoint);
    }

    socket *s;
    TRY(make(&s, c, type, message_max));
    bool ok = type != ZMQ_SUB || zmq_setsockopt(s->zmq, ZMQ_SUBSCRIBE, "", 0) == 0;
    if (tcp) ok = ok && set_heartbeat(s) && set_client_keys(s, server_public, keys);
    if (!ok || zmq_connect(s->zmq, endpoint) != 0) {
        status code = status_fail(DID_EIO, "%s: cannot connect: %s", endpoint, zmq_strerror(errno));
        socket_close(&s);
        return code;
    }
    *out = s;
    return DID_OK;
}

status socket_connect_dealer(socket **out, socket_context *c, const char *endpoint,
                             const char *server_public, const socket_keys *keys,
                             size_t message_max)
{
    return connect_to(out, c, ZMQ_DEALER, endpoint, server_public, keys, message_max);
}

status socket_connect_subscriber(socket **out, socket_context *c, const char *endpoint,
                                 const char *server_public, const socket_keys *keys,
                                 size_t message_max)
{
    return connect_to(out, c, ZMQ_SUB, endpoint, server_public, keys, message_max);
}

static void let_go(socket *s)
{
    while (s->held > 0) zmq_msg_close(&s->frames[--s->held]);
    s->user[0] = '\0';
}

void socket_close(socket **s)
{
    if (!*s) return;
    let_go(*s);
    if ((*s)->zmq) {
        zmq_socket_monitor((*s)->zmq, NULL, 0);
        set(*s, ZMQ_LINGER, LINGER);
        zmq_close((*s)->zmq);
    }
    if ((*s)->monitor) zmq_close((*s)->monitor);
    atomic_fetch_sub(&(*s)->context->open, 1);
    free(*s);
    *s = NULL;
}

status socket_send(socket *s, const frame *frames, int n, bool *sent)
{
    assert(n > 0 && n <= SOCKET_FRAMES_MAX);
    *sent = true;
    for (int i = 0; i < n; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < n ? ZMQ_SNDMORE : 0), rc;
        do rc = i == 0 && fault_point(FAULT_SEND)
                    ? -1
                    : zmq_send(s->zmq, frames[i].data, frames[i].size, flags);
        while (rc < 0 && errno == EINTR);
        if (rc >= 0) continue;
        if (errno != EAGAIN && errno != EHOSTUNREACH)
            return status_fail(DID_EIO, "cannot send: %s", zmq_strerror(errno));
        *sent = false;
        /* Refused at the door. A peer lost in mid-message is another matter: libzmq then swallows
         * frames up to the last one, so it has to see that one. */
        if (i == 0) break;
    }
    return DID_OK;
}

/* A server that dies in the middle of a handshake looks like one that refuses our key, but only
 * once: ZeroMQ connects again, and the one that refuses does so each time. */
static void count_handshake(socket *s, uint16_t number)
{
    enum { CUTS_MAX = 3 };
    bool         cut = number == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    socket_loss *loss = &s->loss;
    if (cut && s->connects && ++s->cut < CUTS_MAX) return;
    loss->handshakes++;
    if (cut) loss->broken++;
    else if (number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) loss->strangers++;
    else loss->foreign++;
}

/* Count what the monitor has to tell. A report is two frames, number and address. */
static void read_monitor(socket *s)
{
    unsigned char report[512];
    while (zmq_recv(s->monitor, report, sizeof report, ZMQ_DONTWAIT) >= 0) {
        uint16_t number;
        int      more = 0;
        size_t   more_size = sizeof more;
        zmq_getsockopt(s->monitor, ZMQ_RCVMORE, &more, &more_size);
        if (!more) continue;
        memcpy(&number, report, sizeof number);
        if (number == ZMQ_EVENT_DISCONNECTED) s->loss.connections++;
        else if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) s->loss.admitted++, s->cut = 0;
        else if (number != ZMQ_EVENT_MONITOR_STOPPED) count_handshake(s, number);
    }
}

/* One frame; false when there is none or it failed, as errno tells. */
static bool take_frame(socket *s, zmq_msg_t *m)
{
    int n;
    zmq_msg_init(m);
    do n = fault_point(FAULT_RECEIVE) ? -1 : zmq_msg_recv(m, s->zmq, ZMQ_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

/* The next message if there is one. One with too many frames is counted and forgotten. */
static status take_message(socket *s)
{
    bool more = true, dropped = false;
    while (more) {
        zmq_msg_t spare, *m = s->held < SOCKET_FRAMES_MAX ? &s->frames[s->held] : &spare;
        if (!take_frame(s, m)) {
            int error = errno;
            zmq_msg_close(m);
            let_go(s);
            if (error == EAGAIN) return DID_OK;
            return status_fail(DID_EIO, "cannot receive: %s", zmq_strerror(error));
        }
        more = zmq_msg_more(m);
        if (m != &spare) {
            s->held++;
            continue;
        }
        dropped = true;
        zmq_msg_close(m);
    }
    if (dropped) {
        s->loss.messages++;
        let_go(s);
        return DID_OK;
    }
    const char *user = zmq_msg_gets(&s->frames[s->held - 1], "User-Id");
    snprintf(s->user, sizeof s->user, "%s", user ? user : "");
    return DID_OK;
}

status socket_recv(socket *s, int wait_ms, frame frames[SOCKET_FRAMES_MAX], int *n)
{
    double until = clock_seconds() + 1e-3 * wait_ms, left = 0;
    *n = 0;
    let_go(s);
    do {
        zmq_pollitem_t items[] = {{s->zmq, 0, ZMQ_POLLIN, 0}, {s->monitor, 0, ZMQ_POLLIN, 0}};
        left = until - clock_seconds();
        long ms = wait_ms < 0 ? -1 : left > 0 ? (long)(1e3 * left) + 1 : 0;
        if (zmq_poll(items, 2, ms) < 0) {
            if (errno == EINTR) return DID_OK;
            return status_fail(DID_EIO, "cannot wait for a message: %s", zmq_strerror(errno));
        }
        read_monitor(s);
        if (items[0].revents) TRY(take_message(s));
    } while (s->held == 0 && (wait_ms < 0 || left > 0));

    for (*n = 0; *n < s->held; ++*n)
        frames[*n] = (frame){zmq_msg_data(&s->frames[*n]), zmq_msg_size(&s->frames[*n])};
    return DID_OK;
}

const char *socket_user(const socket *s)
{
    return s->user;
}

socket_loss socket_losses(socket *s)
{
    read_monitor(s);
    /* A handshake that fails ends its connection too. */
    long left = s->loss.connections - s->loss.handshakes;
    s->loss.guests = s->loss.admitted > left ? s->loss.admitted - (left > 0 ? left : 0) : 0;
    return s->loss;
}
