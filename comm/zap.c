#include "zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { KEY_BYTES = 32, KEY_TEXT = 41, PART_MAX = 256 };

/* The frames of a request, in order; what follows the mechanism is its credentials. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS, PARTS };

typedef struct request {
    unsigned char part[PARTS][PART_MAX];
    int           size[PARTS];
} request;

struct zap {
    void           *socket;
    pthread_t       thread;
    pthread_mutex_t lock;  /* guards the list */
    char          (*allowed)[KEY_TEXT];
    int             n_allowed, room;
};

/* Expects the lock. */
static bool listed(const zap *z, const char *key)
{
    for (int i = 0; i < z->n_allowed; i++)
        if (strcmp(z->allowed[i], key) == 0) return true;
    return false;
}

/* The next request; false when the context is being shut down or the socket is of no more use. */
static bool hear(zap *z, request *r)
{
    int more = 1;
    *r = (request){0};
    for (int i = 0; more; i++) {
        unsigned char beyond[PART_MAX];
        int           kept = i < PARTS ? i : PARTS - 1, n;
        size_t        more_size = sizeof more;
        do n = zmq_recv(z->socket, i < PARTS ? r->part[i] : beyond, PART_MAX, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 || zmq_getsockopt(z->socket, ZMQ_RCVMORE, &more, &more_size) != 0) return false;
        /* More frames than CURVE has are no CURVE request: spoil the credentials. */
        r->size[kept] = i < PARTS ? n : 0;
    }
    return true;
}

static bool part_is(const request *r, int part, const char *text)
{
    size_t len = strlen(text);
    return (size_t)r->size[part] == len && memcmp(r->part[part], text, len) == 0;
}

/* Does this request come from a key on the list? `key` receives it as text. */
static bool admit(zap *z, const request *r, char key[KEY_TEXT])
{
    if (!part_is(r, VERSION, "1.0") || !part_is(r, MECHANISM, "CURVE")) return false;
    if (r->size[CREDENTIALS] != KEY_BYTES) return false;
    if (!zmq_z85_encode(key, r->part[CREDENTIALS], KEY_BYTES)) return false;
    pthread_mutex_lock(&z->lock);
    bool yes = listed(z, key);
    pthread_mutex_unlock(&z->lock);
    return yes;
}

static bool say(zap *z, const void *data, size_t size, int flags)
{
    int n;
    do n = zmq_send(z->socket, data, size, flags);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

static bool say_text(zap *z, const char *text)
{
    return say(z, text, strlen(text), ZMQ_SNDMORE);
}

/* The user named in the answer is what socket_user later reports for every message. */
static bool reply(zap *z, const request *r, const char *user)
{
    int id_size = r->size[REQUEST_ID] < PART_MAX ? r->size[REQUEST_ID] : PART_MAX;
    return say_text(z, "1.0") && say(z, r->part[REQUEST_ID], (size_t)id_size, ZMQ_SNDMORE) &&
           say_text(z, user ? "200" : "400") && say_text(z, user ? "OK" : "key not allowed") &&
           say_text(z, user ? user : "") && say(z, "", 0, 0);
}

/* The socket stays bound when this ends: with nobody bound there libzmq would admit every client,
 * while a question without an answer ends in a handshake that times out. */
static void *answer_all(void *arg)
{
    zap    *z = arg;
    request r;
    while (hear(z, &r)) {
        char key[KEY_TEXT];
        if (!reply(z, &r, admit(z, &r, key) ? key : NULL)) break;
    }
    return NULL;
}

/* A thread that no signal reaches: handlers run in the thread that expects them. */
static int start(zap *z)
{
    sigset_t all, before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error) return error;
    error = pthread_create(&z->thread, NULL, answer_all, z);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

status zap_open(zap **out, void *zmq_context)
{
    *out = NULL;
    zap *z = calloc(1, sizeof *z);
    if (!z) return status_fail(DID_ENOMEM, "no memory for the list of allowed keys");
    pthread_mutex_init(&z->lock, NULL);

    /* Bound here, so that the door is guarded before anybody can bind it. */
    int linger = 0, error = 0;
    z->socket = zmq_socket(zmq_context, ZMQ_REP);
    if (!z->socket || zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(z->socket, "inproc://zeromq.zap.01") != 0)
        error = errno;
    if (!error) error = start(z);
    if (error) {
        if (z->socket) zmq_close(z->socket);
        pthread_mutex_destroy(&z->lock);
        free(z);
        return status_fail(DID_EIO, "cannot start checking keys: %s", zmq_strerror(error));
    }
    *out = z;
    return DID_OK;
}

/* Expects the lock. */
static bool add(zap *z, const char *key)
{
    if (z->n_allowed == z->room) {
        int   room = z->room ? 2 * z->room : 16;
        void *more = realloc(z->allowed, (size_t)room * sizeof *z->allowed);
        if (!more) return false;
        z->allowed = more;
        z->room = room;
    }
    memcpy(z->allowed[z->n_allowed], key, KEY_TEXT - 1);
    z->allowed[z->n_allowed++][KEY_TEXT - 1] = '\0';
    return true;
}

status zap_allow(zap *z, const char *key)
{
    pthread_mutex_lock(&z->lock);
    bool ok = listed(z, key) || add(z, key);
    int  n = z->n_allowed;
    pthread_mutex_unlock(&z->lock);
    return ok ? DID_OK : status_fail(DID_ENOMEM, "no memory for allowed key number %d", n + 1);
}

void zap_close(zap **z)
{
    if (!*z) return;
    pthread_join((*z)->thread, NULL);
    zmq_close((*z)->socket);
    pthread_mutex_destroy(&(*z)->lock);
    free((*z)->allowed);
    free(*z);
    *z = NULL;
}
