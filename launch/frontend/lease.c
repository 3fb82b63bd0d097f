#include "lease.h"

#include <stdlib.h>
#include <string.h>

/* The place of a serial, or where it belongs. */
static int place(const leases *l, int64_t serial)
{
    int low = 0, high = l->n;
    while (low < high) {
        int mid = low + (high - low) / 2;
        if (l->list[mid].serial < serial) low = mid + 1;
        else high = mid;
    }
    return low;
}

static bool is_at(const leases *l, int at, int64_t serial)
{
    return at < l->n && l->list[at].serial == serial;
}

static void remove_at(leases *l, int at)
{
    memmove(&l->list[at], &l->list[at + 1], (size_t)(l->n - at - 1) * sizeof *l->list);
    l->n--;
}

status leases_grant(leases *l, const lease *one)
{
    int at = place(l, one->serial);
    if (is_at(l, at, one->serial)) {
        l->list[at] = *one;
        return DID_OK;
    }
    if (l->n == l->room) {
        int    more = l->room ? 2 * l->room : 64;
        lease *grown = realloc(l->list, (size_t)more * sizeof *grown);
        if (!grown) return status_fail(DID_ENOMEM, "no memory for %d leases", more);
        l->list = grown;
        l->room = more;
    }
    memmove(&l->list[at + 1], &l->list[at], (size_t)(l->n - at) * sizeof *l->list);
    l->list[at] = *one;
    l->n++;
    return DID_OK;
}

lease *leases_find(const leases *l, int64_t serial, int64_t epoch)
{
    int at = place(l, serial);
    return is_at(l, at, serial) && l->list[at].epoch == epoch ? &l->list[at] : NULL;
}

bool leases_prolong(leases *l, int64_t serial, int64_t epoch, int64_t holder, double until)
{
    lease *one = leases_find(l, serial, epoch);
    if (!one) return false;
    one->holder = holder;
    if (until > one->until) one->until = until;
    return true;
}

void leases_shift(leases *l, double seconds)
{
    for (int i = 0; i < l->n; i++) l->list[i].until += seconds;
}

void leases_end(leases *l, int64_t serial)
{
    int at = place(l, serial);
    if (is_at(l, at, serial)) remove_at(l, at);
}

bool leases_expired(leases *l, double now, lease *out)
{
    for (int i = 0; i < l->n; i++)
        if (l->list[i].until < now) {
            *out = l->list[i];
            remove_at(l, i);
            return true;
        }
    return false;
}

bool leases_take(leases *l, int64_t holder, lease *out)
{
    for (int i = 0; i < l->n; i++)
        if (l->list[i].holder == holder) {
            *out = l->list[i];
            remove_at(l, i);
            return true;
        }
    return false;
}

int leases_held(const leases *l, int64_t holder, bool *suspect)
{
    int n = 0;
    *suspect = false;
    for (int i = 0; i < l->n; i++)
        if (l->list[i].holder == holder) {
            n++;
            *suspect |= l->list[i].suspect;
        }
    return n;
}

void leases_clear(leases *l)
{
    free(l->list);
    *l = (leases){0};
}
