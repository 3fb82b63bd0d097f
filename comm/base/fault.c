#include "fault.h"

#include <stdlib.h>

#ifndef DID_FAULTS

status fault_begin(void)
{
    if (!getenv("DID_FAULT")) return DID_OK;
    return status_fail(DID_EINVAL, "DID_FAULT is set, but this build has no faults: configure with "
                                   "-DDID_FAULTS=ON");
}

const char *fault_kinds(void)
{
    return NULL;
}

int fault_left(void)
{
    return 0;
}

#else

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ORDERS_MAX = 8, EXIT_KILLED = 137 /* what a shell says of kill -9 */ };

static const struct {
    const char *name;
    int         error;
} kinds[FAULT_KINDS] = {
    [FAULT_SEND] = {"send", EHOSTUNREACH}, [FAULT_RECEIVE] = {"receive", ENOMEM},
    [FAULT_WRITE] = {"write", ENOSPC},     [FAULT_FSYNC] = {"fsync", EIO},
    [FAULT_TRUNCATE] = {"truncate", EIO},  [FAULT_MEMORY] = {"memory", ENOMEM},
};

typedef struct order {
    fault_kind kind;
    long       at;
    bool       die;
} order;

/* Written by fault_begin alone, before there are threads; the counters by everybody. */
static order       orders[ORDERS_MAX];
static int         n_orders;
static atomic_long seen[FAULT_KINDS];
static atomic_int  happened;

static int kind_of(const char *text, size_t len)
{
    int k = 0;
    while (k < FAULT_KINDS &&
           (strlen(kinds[k].name) != len || strncmp(kinds[k].name, text, len) != 0))
        k++;
    return k;
}

/* "KIND:N:fail" or "KIND:N:die" up to a comma or the end. */
static bool read_order(order *o, const char *text, size_t len)
{
    const char *number = memchr(text, ':', len);
    if (!number) return false;
    int   kind = kind_of(text, (size_t)(number++ - text));
    char *what;
    errno = 0;
    long at = strtol(number, &what, 10);
    if (kind == FAULT_KINDS || errno || at < 1 || what == number || *what++ != ':') return false;
    size_t left = len - (size_t)(what - text);
    o->kind = (fault_kind)kind;
    o->at = at;
    o->die = left == 3 && strncmp(what, "die", left) == 0;
    return o->die || (left == 4 && strncmp(what, "fail", left) == 0);
}

status fault_begin(void)
{
    const char *text = getenv("DID_FAULT");
    n_orders = 0;
    atomic_store(&happened, 0);
    for (int k = 0; k < FAULT_KINDS; k++) atomic_store(&seen[k], 0);
    for (int n = 0; text && *text; n++) {
        size_t len = strcspn(text, ",");
        if (n == ORDERS_MAX)
            return status_fail(DID_EINVAL, "DID_FAULT: more than %d faults", ORDERS_MAX);
        if (!read_order(&orders[n], text, len))
            return status_fail(DID_EINVAL,
                               "DID_FAULT: found \"%.*s\", expected KIND:N:fail or KIND:N:die with "
                               "a kind of %s",
                               (int)(len < 40 ? len : 40), text, fault_kinds());
        n_orders = n + 1;
        text += len + (text[len] == ',');
    }
    return DID_OK;
}

const char *fault_kinds(void)
{
    return "send, receive, write, fsync, truncate, memory";
}

int fault_left(void)
{
    return n_orders - atomic_load(&happened);
}

/* stdio may hold what must not come out any more, and its memory may be what is being refused. */
static void tell(const order *o)
{
    char line[80];
    int  n = snprintf(line, sizeof line, "did: fault: %s %ld %s\n", kinds[o->kind].name, o->at,
                      o->die ? "is where this process dies" : "fails");
    if (write(STDERR_FILENO, line, (size_t)n) < 0) return;
}

bool fault_point(fault_kind kind)
{
    if (n_orders == 0) return false;
    long at = atomic_fetch_add(&seen[kind], 1) + 1;
    for (int i = 0; i < n_orders; i++) {
        if (orders[i].kind != kind || orders[i].at != at) continue;
        tell(&orders[i]);
        if (orders[i].die) _exit(EXIT_KILLED);
        atomic_fetch_add(&happened, 1);
        errno = kinds[kind].error;
        return true;
    }
    return false;
}

#endif
