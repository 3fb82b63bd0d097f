#include "interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static volatile sig_atomic_t asked;

static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* The thread that says farewell; TERM wakes it through `wake`. */
static struct {
    void (*last)(void *context);
    void                 *context;
    int                   code;
    pthread_t             thread;
    sem_t                 wake;
    volatile sig_atomic_t ready, over;
} farewell;

/* The second TERM or INT finds the default action in place. USR1 is a scheduler's early warning and
 * is followed by a TERM, so it leaves the handler where it is. */
static void handle(int number)
{
    asked = 1;
    if (number == SIGTERM && farewell.ready) sem_post(&farewell.wake);
    if (number != SIGUSR1) {
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
    }
}

void interrupt_install(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &action, NULL);
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++) sigaddset(&set, signals[i]);
    pthread_sigmask(how, &set, NULL);
}

void interrupt_block(void)
{
    mask(SIG_BLOCK);
}

void interrupt_unblock(void)
{
    mask(SIG_UNBLOCK);
}

/* With nothing to say: others of the same launch have, and a launcher that sees one process end may
 * take the rest away. */
static void wait_a_moment(void *context)
{
    (void)context;
    clock_sleep(0.25);
}

static void *say_farewell(void *unused)
{
    (void)unused;
    while (sem_wait(&farewell.wake) != 0) continue;
    if (farewell.over) return NULL;
    farewell.last(farewell.context);
    _exit(farewell.code);
}

status interrupt_farewell(void (*last)(void *context), void *context, int code)
{
    farewell.last = last ? last : wait_a_moment;
    farewell.context = context;
    farewell.code = code;
    farewell.over = 0;
    if (sem_init(&farewell.wake, 0, 0) != 0)
        return status_fail(DID_EIO, "cannot make a semaphore: %s", strerror(errno));
    interrupt_block();
    int error = pthread_create(&farewell.thread, NULL, say_farewell, NULL);
    interrupt_unblock();
    if (error) return status_fail(DID_EIO, "cannot start a thread: %s", strerror(error));
    farewell.ready = 1;
    return DID_OK;
}

void interrupt_farewell_end(void)
{
    if (!farewell.ready) return;
    interrupt_block();
    farewell.ready = 0;
    interrupt_unblock();
    int said;
    sem_getvalue(&farewell.wake, &said);
    if (said == 0) {
        farewell.over = 1;
        sem_post(&farewell.wake);
    }
    pthread_join(farewell.thread, NULL); /* one that has begun ends the process instead */
    sem_destroy(&farewell.wake);
}

bool interrupt_asked(void)
{
    return asked != 0;
}
