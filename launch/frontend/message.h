/* message.h - what front-end, leaders and clients say to each other.
 *
 * Frames (after the routing id that a ROUTER puts in front): "did1", the type, one JSON object, and
 * for the types that carry documents one or two JSON texts. PROTOCOL.md has the words and what they
 * hold, those that only pass between the ranks of a `did generate` included. */
#ifndef DID_MESSAGE_H
#define DID_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "socket.h"
#include "status.h"

#define MESSAGE_MAP(X)          \
    X(HELLO, "hello")           \
    X(READY, "ready")           \
    X(CHECKPOINT, "checkpoint") \
    X(PROGRESS, "progress")     \
    X(RESULT, "result")         \
    X(PUT_DOWN, "put_down")     \
    X(BYE, "bye")               \
    X(WELCOME, "welcome")       \
    X(WORK, "work")             \
    X(OVER, "over")             \
    X(ACK, "ack")               \
    X(STALE, "stale")           \
    X(STOP, "stop")             \
    X(ERROR, "error")           \
    X(REFUSE, "refuse")         \
    X(IDLE, "idle")             \
    X(WHO, "who")               \
    X(DROP, "drop")             \
    X(SUBMIT, "submit")         \
    X(TAKEN, "taken")           \
    X(STATUS, "status")         \
    X(STATE, "state")           \
    X(RESULTS, "results")       \
    X(RECORDS, "records")       \
    X(CANCEL, "cancel")         \
    X(CANCELLED, "cancelled")   \
    X(NEWS, "news")

typedef enum {
#define X(name, text) MESSAGE_##name,
    MESSAGE_MAP(X)
#undef X
        MESSAGE_TYPES
} message_type;

enum { MESSAGE_PARTS_MAX = 2, MESSAGE_DEPTH_MAX = 32 };
enum { MESSAGE_BODY_MAX = 4 << 20 };    /* bytes of a body */
enum { MESSAGE_BYTES_MAX = 256 << 20 }; /* a traced document of 131000 positions needs 20 MB */

typedef struct message {
    message_type type;
    json_t      *body;                    /* an object */
    frame        part[MESSAGE_PARTS_MAX]; /* borrowed, as the frames are */
    int          n_parts;
} message;

/* Understand `n` frames, the routing id taken off. Fails DID_EFORMAT; a body that is too large or
 * nests too deep is not even parsed. Local. */
status message_read(message *out, const frame *frames, int n);
void   message_clear(message *m);

bool message_known(const frame *word); /* Is the second frame one of our words? Local. */

/* Does JSON in text[size] nest deeper than `most`? What is not JSON may be called either. Local. */
bool message_deep(const char *text, size_t size, int most);

const char *message_name(message_type type); /* Borrowed. Local. */
const char *message_version(void);           /* The first frame. Borrowed. Local. */

#endif
