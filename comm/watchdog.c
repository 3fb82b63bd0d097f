#include "watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum { PEER_LOST = 7 };

static struct {
    pthread_t       thread;
    pthread_mutex_t lock; /* of quit */
    pthread_cond_t  changed;
    bool            started, quit;
    double          stall_s, tick_s;
    int             rank, size;
} dog;

void watchdog_bark(const char *fmt, ...)
{
    char    text[1024], host[256] = "";
    va_list list;
    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    gethostname(host, sizeof host - 1);
    fprintf(stderr, "did: error: %s (host %s)\nthe last events of this rank:\n", text, host);
    fflush(stderr);
    event_dump(STDERR_FILENO);
    _exit(PEER_LOST);
}

/* Sleep one tick; false when it is time to leave. */
static bool tick(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    long ns = until.tv_nsec + (long)(1e9 * dog.tick_s);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&dog.lock);
    int error = 0;
    while (!dog.quit && error == 0) error = pthread_cond_timedwait(&dog.changed, &dog.lock, &until);
    bool quit = dog.quit;
    pthread_mutex_unlock(&dog.lock);
    return !quit;
}

/* Ranks that wait for the same one would all speak at once; the first to end ends the others. */
static double my_limit(void)
{
    const double turn_s = 0.1;
    const int    turns = 20;
    return dog.stall_s + turn_s * (dog.rank < turns ? dog.rank : turns);
}

static void *watch(void *unused)
{
    (void)unused;
    long   number = -1;
    double waited = 0, last = clock_seconds();
    while (tick()) {
        double     now = clock_seconds(), step = now - last;
        event_open open = event_inside();
        last = now;
        if (open.number != number || open.number < 0 || open.e == EV_ROWS) {
            number = open.number;
            waited = 0;
            continue;
        }
        /* A tick that came late means that this process was stopped itself: it did not wait. */
        waited += step < 2 * dog.tick_s ? step : dog.tick_s;
        if (waited > my_limit())
            watchdog_bark("rank %d of %d has waited %.0f s for other ranks in event \"%s\" (%zu "
                          "bytes): one of them does not answer, so the run ends; see --stall",
                          dog.rank, dog.size, waited, event_name(open.e), open.bytes);
    }
    return NULL;
}

status watchdog_start(const comm *world, double stall_s)
{
    if (stall_s <= 0 || comm_size(world) == 1) return DID_OK;
    memset(&dog, 0, sizeof dog);
    dog.stall_s = stall_s;
    dog.tick_s = stall_s < 20 ? stall_s / 20 : 1;
    dog.rank = comm_rank(world);
    dog.size = comm_size(world);
    pthread_condattr_t steady;
    pthread_mutex_init(&dog.lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&dog.changed, &steady);
    pthread_condattr_destroy(&steady);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&dog.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    dog.started = error == 0;
    if (error) return status_fail(DID_EIO, "cannot start the watchdog: %s", strerror(error));
    return DID_OK;
}

void watchdog_stop(void)
{
    if (!dog.started) return;
    pthread_mutex_lock(&dog.lock);
    dog.quit = true;
    pthread_cond_signal(&dog.changed);
    pthread_mutex_unlock(&dog.lock);
    pthread_join(dog.thread, NULL);
    pthread_cond_destroy(&dog.changed);
    pthread_mutex_destroy(&dog.lock);
    dog.started = false;
}
