/* status.h - what went wrong, as a code to act on and a sentence to read.
 *
 * The world's mistakes (files, peers, users) are a status; our own are an assert. The sentence of
 * the last failure is kept per thread, so the code can travel up through many returns and be
 * explained once, where somebody decides what to do about it. */
#ifndef DID_STATUS_H
#define DID_STATUS_H

/* In rising order of badness: when ranks disagree, the largest is everybody's. */
#define STATUS_MAP(X)                         \
    X(OK, "ok")                               \
    X(EINVAL, "invalid argument")             \
    X(EFORMAT, "malformed file or message")   \
    X(ENOMEM, "out of memory")                \
    X(EFULL, "no room on the disk")           \
    X(EIO, "input or output failed")          \
    X(EPEER, "a rank is gone or out of step")

typedef enum {
#define X(name, text) DID_##name,
    STATUS_MAP(X)
#undef X
} status;

/* Record why and return which. The sentence names what was found and what was expected. It is one
 * line of UTF-8: control characters and bytes that are no character become "?". Local; never fails.
 */
status status_fail(status code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "where: " in front of the sentence of this thread's last failure and return `code`. Local. */
status status_at(status code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* This thread's last sentence; never NULL. Borrowed until the next failure. Local. */
const char *status_message(void);

/* The code's own words ("out of memory"). Local. */
const char *status_text(status code);

/* Leave the function with the first failure. */
#define TRY(expr)                      \
    do {                               \
        status try_ = (expr);          \
        if (try_ != DID_OK) return try_; \
    } while (0)

#endif
