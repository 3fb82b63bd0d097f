#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static _Thread_local char message[1024];

status status_fail(status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    utf8_tidy(message); /* it quotes what strangers wrote, and is cut where it grows long */
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
    utf8_tidy(message);
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
