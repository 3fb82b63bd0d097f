#include "interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* The second TERM or INT finds the default action in place. USR1 is a scheduler's early warning and
 * is followed by a TERM, so it leaves the handler where it is. */
static void handle(int number)
{
    asked = 1;
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

bool interrupt_asked(void)
{
    return asked != 0;
}
