/* caller.h - a client's side of the service: one question, one answer.
 *
 * A question that stays without an answer is asked again: the desk may be restarting, and asking
 * twice changes nothing. */
#ifndef DID_CALLER_H
#define DID_CALLER_H

#include <jansson.h>

#include "message.h"
#include "options.h"
#include "status.h"

typedef struct caller caller;

/* How every client command reaches the service. */
typedef struct caller_settings {
    const char *connect, *keys;
    double      patience_s; /* without an answer */
} caller_settings;

/* Rows of --help for these, at offset `at` of the command's structure. */
enum { CALLER_ROWS = 4 };
#define CALLER_TABLE(type, member)                                                              \
    {.help = "Which service"},                                                                  \
    {"connect", 0, OPTION_TEXT, "ENDPOINT", .silent = "must be given",                          \
     .offset = offsetof(type, member.connect),                                                  \
     .help = "where did serve is: tcp://HOST:PORT or ipc:///DIRECTORY/NAME"},                   \
    {"keys", 0, OPTION_TEXT, "FILE", .silent = "none, over ipc",                                \
     .offset = offsetof(type, member.keys), .help = "key file, as did keys makes them"},        \
    {"patience-s", 0, OPTION_REAL, "SECONDS", "30", .max = 1e6, .open = true,                   \
     .offset = offsetof(type, member.patience_s),                                               \
     .help = "how long to wait for an answer; the service may be restarting"}

/* Fails DID_EINVAL (settings), DID_EIO, DID_EFORMAT (key file). Local. */
status caller_open(caller **out, const caller_settings *settings);
void   caller_close(caller **c); /* Safe on NULL. */

/* Ask, and wait for the answer of type `expected`, which is the caller's to clear; its part is
 * borrowed until the next question. `body` is taken over, NULL when out of memory. Fails DID_EINVAL
 * with the service's own sentence, DID_EPEER when there is no answer. */
status caller_ask(caller *c, message_type type, json_t *body, const frame *part, int n_parts,
                  message_type expected, message *answer);

/* Wait up to `seconds` for what the service tells everybody (herald.h) and take the last of it; *news
 * is NULL when there was nothing. The first time this asks where it is told. A service that tells
 * nothing, or cannot be heard, is waited for and is no failure. *news is the caller's. */
status caller_news(caller *c, double seconds, json_t **news);

/* The exit code for `s`; a failure's sentence goes to stderr. Local. */
int caller_end(status s);

#endif
