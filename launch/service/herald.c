#include "herald.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

struct herald {
    socket *socket;
    char    bound[HERALD_ADDRESS];
};

static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

/* "tcp://host:5555" becomes "tcp://host:*", "ipc:///d/front" becomes "ipc:///d/front-progress". */
static void beside(char out[HERALD_ADDRESS], const char *endpoint)
{
    const char *port = strrchr(endpoint, ':');
    if (!is_tcp(endpoint)) snprintf(out, HERALD_ADDRESS, "%.480s-progress", endpoint);
    else snprintf(out, HERALD_ADDRESS, "%.*s:*", (int)(port - endpoint), endpoint);
}

status herald_open(herald **out, socket_context *c, const char *endpoint, const char *where,
                   const socket_keys *keys)
{
    herald *h = calloc(1, sizeof *h);
    char    address[HERALD_ADDRESS];
    *out = h;
    if (!h) return status_fail(DID_ENOMEM, "no memory for progress");
    beside(address, endpoint);
    status s = socket_bind_publisher(&h->socket, c, where ? where : address, keys, h->bound,
                                     sizeof h->bound);
    if (s != DID_OK) herald_close(out);
    return s;
}

void herald_close(herald **out)
{
    herald *h = *out;
    *out = NULL;
    if (!h) return;
    if (h->socket) socket_close(&h->socket);
    free(h);
}

socket_loss herald_losses(herald *h)
{
    return socket_losses(h->socket);
}

const char *herald_bound(const herald *h)
{
    return h->bound;
}

status herald_tell(herald *h, json_t *news)
{
    char  *text = news ? json_dumps(news, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    status s = DID_OK;
    bool   sent;
    json_decref(news);
    if (text) {
        frame frames[] = {{message_version(), strlen(message_version())},
                          {message_name(MESSAGE_NEWS), strlen(message_name(MESSAGE_NEWS))},
                          {text, strlen(text)}};
        s = socket_send(h->socket, frames, 3, &sent);
    }
    free(text);
    return s;
}

status herald_address(char out[HERALD_ADDRESS], const char *connect, const char *bound)
{
    const char *port = strrchr(bound, ':'), *own = strrchr(connect, ':');
    size_t      digits = port ? strspn(port + 1, "0123456789") : 0;
    if (!is_tcp(connect)) {
        beside(out, connect);
        return DID_OK;
    }
    if (!is_tcp(bound) || digits == 0 || digits > 5 || port[1 + digits])
        return status_fail(DID_EFORMAT, "progress: expected an endpoint of TCP");
    snprintf(out, HERALD_ADDRESS, "%.*s%s", (int)(own - connect), connect, port);
    return DID_OK;
}
