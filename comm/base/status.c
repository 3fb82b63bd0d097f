#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

status status_fail(status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return code;
}

status status_at(status code, const char *fmt, ...)
{
    char    where[sizeof message], whole[sizeof message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(where, sizeof where, fmt, args);
    va_end(args);
    size_t len = strlen(where);
    memcpy(whole, where, len);
    snprintf(whole + len, sizeof whole - len, ": %s", message);
    memcpy(message, whole, sizeof message);
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
