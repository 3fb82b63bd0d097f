#include "status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static _Thread_local char message[1024];

/* Sentences quote what strangers wrote, and are cut where they grow long. What a terminal would obey
 * and what is no character becomes "?", so that a sentence can be shown, and sent as JSON. */
static void tidy(void)
{
    size_t size = strlen(message);
    bool   whole = true;
    for (size_t at = 0, step; at < size; at += step) {
        step = utf8_step(message + at, size - at, &whole);
        if (!whole) memset(message + at, '?', step);
        if ((unsigned char)message[at] < ' ' || message[at] == 0x7f) message[at] = '?';
    }
}

status status_fail(status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    tidy();
    return code;
}

status status_at(status code, const char *fmt, ...)
{
    char    where[sizeof message], whole[2 * sizeof message + 2];
    va_list args;
    va_start(args, fmt);
    vsnprintf(where, sizeof where, fmt, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", where, message);
    whole[sizeof message - 1] = '\0';
    strcpy(message, whole);
    tidy();
    return code;
}

const char *status_message(void)
{
    return message;
}

const char *status_text(status code)
{
    static const char *const text[] = {
#define X(name, words) [DID_##name] = words,
        STATUS_MAP(X)
#undef X
    };
    return text[code];
}
