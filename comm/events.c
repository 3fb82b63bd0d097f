#include "events.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { JOURNAL = 64, LINE = 160 };

/* Written by the thread that communicates, read by a signal handler or the watchdog at any moment;
 * hence atomics. A line being overwritten while it is read may mix two events, never worse. */
typedef struct entry {
    atomic_int    e;
    atomic_size_t bytes;
    atomic_long   begin_us, end_us;  /* end_us is -1 while the call is still inside */
} entry;

static entry       journal[JOURNAL];
static atomic_long entries;  /* begun since the start */
static event_total totals[EV_COUNT];

const char *event_name(event e)
{
    static const char *const names[] = {
#define X(name, text) [EV_##name] = text,
        EVENT_MAP(X)
#undef X
    };
    assert(e >= 0 && e < EV_COUNT);
    return names[e];
}

event_total event_totals(event e)
{
    assert(e >= 0 && e < EV_COUNT);
    return totals[e];
}

static long now_us(void)
{
    return (long)(1e6 * clock_seconds());
}

void event_begin(event e, size_t bytes)
{
    assert(e >= 0 && e < EV_COUNT);
    long   n = atomic_load(&entries);
    entry *at = &journal[n % JOURNAL];
    atomic_store(&at->e, (int)e);
    atomic_store(&at->bytes, bytes);
    atomic_store(&at->begin_us, now_us());
    atomic_store(&at->end_us, -1);
    atomic_store(&entries, n + 1);
    totals[e].count++;
    totals[e].bytes += bytes;
}

void event_end(event e)
{
    long n = atomic_load(&entries);
    assert(n > 0);
    entry *at = &journal[(n - 1) % JOURNAL];
    assert(atomic_load(&at->e) == (int)e && atomic_load(&at->end_us) < 0);
    long end = now_us();
    atomic_store(&at->end_us, end);
    totals[e].seconds += 1e-6 * (double)(end - atomic_load(&at->begin_us));
}

event_open event_inside(void)
{
    long   n = atomic_load(&entries);
    entry *at = &journal[(n + JOURNAL - 1) % JOURNAL];
    if (n == 0 || atomic_load(&at->end_us) >= 0) return (event_open){.number = -1};
    return (event_open){n, (event)atomic_load(&at->e), atomic_load(&at->bytes)};
}

/* printf is not async-signal-safe; these few lines are. */
static char *put_text(char *to, const char *text)
{
    size_t len = strlen(text);
    memcpy(to, text, len);
    return to + len;
}

static char *put_number(char *to, unsigned long value, int digits_min)
{
    char digits[24];
    int  n = 0;
    while (value > 0 || n < digits_min) {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    }
    while (n > 0) *to++ = digits[--n];
    return to;
}

static char *put_seconds(char *to, long us)
{
    unsigned long all = us > 0 ? (unsigned long)us : 0;
    to = put_number(to, all / 1000000, 1);
    *to++ = '.';
    to = put_number(to, all % 1000000, 6);
    return put_text(to, " s");
}

static char *put_entry(char *to, long number)
{
    entry *at = &journal[number % JOURNAL];
    long   begin = atomic_load(&at->begin_us), end = atomic_load(&at->end_us);
    to = put_text(to, "event ");
    to = put_number(to, (unsigned long)number + 1, 1);
    to = put_text(to, " at ");
    to = put_seconds(to, begin);
    to = put_text(to, ": ");
    to = put_text(to, event_name((event)atomic_load(&at->e)));
    to = put_text(to, ", ");
    to = put_number(to, atomic_load(&at->bytes), 1);
    to = put_text(to, end < 0 ? " bytes, still inside after " : " bytes, took ");
    to = put_seconds(to, (end < 0 ? now_us() : end) - begin);
    return put_text(to, "\n");
}

/* A journal that cannot be written has nobody left to tell, so errors end the attempt. */
static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        text += n;
        len -= (size_t)n;
    }
    return 1;
}

void event_dump(int fd)
{
    int  saved = errno;  /* a handler must not change what the interrupted code sees */
    long last = atomic_load(&entries);
    for (long n = last > JOURNAL ? last - JOURNAL : 0; n < last; n++) {
        char line[LINE];
        if (!write_all(fd, line, (size_t)(put_entry(line, n) - line))) break;
    }
    errno = saved;
}
