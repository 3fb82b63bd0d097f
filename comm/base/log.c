#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "utf8.h"

enum { TEXT_MAX = 2020 };

static int my_rank, my_width = 1, my_quiet, my_json;

void log_identity(int rank, int size, int quiet)
{
    my_rank = rank;
    my_quiet = quiet;
    my_width = 1;
    for (int n = size - 1; n >= 10; n /= 10) my_width++;
}

void log_as_json(void)
{
    my_json = 1;
}

/* The text as it stands between quotes in JSON. It has been tidied: there are no control characters
 * left. */
static void escape(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 3 < size; text++) {
        if (*text == '"' || *text == '\\') out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
}

static int as_json(char *line, size_t size, const char *room, const char *level, const char *text)
{
    char            escaped[2 * TEXT_MAX], when[32];
    struct timespec now;
    struct tm       utc;
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    escape(escaped, sizeof escaped, text);
    return snprintf(line, size,
                    "{\"time\": \"%s.%03ldZ\", \"s\": %.3f, \"rank\": %d, \"level\": \"%s\","
                    " \"room\": \"%s\", \"text\": \"%s\"}\n",
                    when, now.tv_nsec / 1000000, clock_seconds(), my_rank, level, room, escaped);
}

/* One write per line, so that lines of several ranks do not run into each other. */
static void line(const char *room, bool warning, const char *fmt, va_list args)
{
    char text[TEXT_MAX], whole[2 * TEXT_MAX + 256];
    int  n;
    vsnprintf(text, sizeof text, fmt, args);
    utf8_tidy(text);
    if (my_json)
        n = as_json(whole, sizeof whole, room, warning ? "warning" : "info", text);
    else
        n = snprintf(whole, sizeof whole, "%9.3f r%0*d %s: %s%s\n", clock_seconds(), my_width,
                     my_rank, room, warning ? "warning: " : "", text);
    fwrite(whole, 1, (size_t)n, stderr);
}

void log_say(const char *room, const char *fmt, ...)
{
    if (my_rank != 0 || my_quiet) return;
    va_list args;
    va_start(args, fmt);
    line(room, false, fmt, args);
    va_end(args);
}

void log_warn(const char *room, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    line(room, true, fmt, args);
    va_end(args);
}
