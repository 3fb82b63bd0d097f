#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"

static int my_rank, my_width = 1, my_quiet;

void log_identity(int rank, int size, int quiet)
{
    my_rank = rank;
    my_quiet = quiet;
    my_width = 1;
    for (int n = size - 1; n >= 10; n /= 10) my_width++;
}

/* One write per line, so that lines of several ranks do not run into each other. */
static void line(const char *room, const char *mark, const char *fmt, va_list args)
{
    char text[2048];
    int  n = snprintf(text, sizeof text, "%9.3f r%0*d %s: %s", clock_seconds(), my_width, my_rank,
                      room, mark);
    n += vsnprintf(text + n, sizeof text - (size_t)n, fmt, args);
    if (n > (int)sizeof text - 2) n = (int)sizeof text - 2;
    text[n] = '\n';
    fwrite(text, 1, (size_t)n + 1, stderr);
}

void log_say(const char *room, const char *fmt, ...)
{
    if (my_rank != 0 || my_quiet) return;
    va_list args;
    va_start(args, fmt);
    line(room, "", fmt, args);
    va_end(args);
}

void log_warn(const char *room, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    line(room, "warning: ", fmt, args);
    va_end(args);
}
