/* Threads share out items: each is done once, by the thread it belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hands.h"

enum { ITEMS_MAX = 1000 };

static comm *world;

typedef struct ledger {
    atomic_int done[ITEMS_MAX];
    int        by[ITEMS_MAX];
    atomic_int stretches, odd; /* stretches that begin where none should */
    int        unit;
} ledger;

static void enter(void *context, int thread, int from, int to)
{
    ledger *l = context;
    atomic_fetch_add(&l->stretches, 1);
    if (from % l->unit || to <= from) atomic_fetch_add(&l->odd, 1);
    for (int i = from; i < to; i++) {
        atomic_fetch_add(&l->done[i], 1);
        l->by[i] = thread;
    }
}

static void check_once(const ledger *l, int n)
{
    for (int i = 0; i < ITEMS_MAX; i++) assert_int_equal(l->done[i], i < n);
    for (int i = 0; i < n; i++) assert_in_range(l->by[i], 0, hands_count() - 1);
    assert_int_equal(l->odd, 0);
}

static const int COUNTS[] = {1, 2, 3, 5, 2, 1, 4};

static void every_item_is_shared_out_once(void **state)
{
    static const int N[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 1000};
    (void)state;
    for (size_t c = 0; c < sizeof COUNTS / sizeof *COUNTS; c++) {
        hands_use(COUNTS[c]);
        assert_int_equal(hands_count(), COUNTS[c]);
        for (size_t i = 0; i < sizeof N / sizeof *N; i++)
            for (int unit = 1; unit <= 32; unit *= 4) {
                ledger shared = {.unit = unit}, each = {.unit = 1};
                hands_share(N[i], unit, enter, &shared);
                check_once(&shared, N[i]);
                assert_true(shared.stretches <= COUNTS[c]);
                for (int j = 1; j < N[i]; j++) assert_true(shared.by[j - 1] <= shared.by[j]);
                hands_each(N[i], enter, &each);
                check_once(&each, N[i]);
                assert_int_equal(each.stretches, N[i]);
            }
    }
    hands_use(1);
}

/* The same thread gets the same stretch, and all of them get one. */
static void stretches_stay_where_they_are(void **state)
{
    (void)state;
    ledger first = {.unit = 4};
    hands_use(3);
    hands_share(96, 4, enter, &first);
    assert_int_equal(first.stretches, 3);
    for (int again = 0; again < 200; again++) {
        ledger next = {.unit = 4};
        hands_share(96, 4, enter, &next);
        assert_memory_equal(first.by, next.by, sizeof first.by);
    }
    hands_use(1);
}

static atomic_int heard;
static pthread_t  who;

static void hear(int signal)
{
    (void)signal;
    who = pthread_self();
    heard = 1;
}

/* A signal to the process is the master's, who may be asleep and has to wake up. */
static void signals_are_the_masters(void **state)
{
    (void)state;
    struct sigaction act = {.sa_handler = hear}, before;
    sigset_t         usr2;
    hands_use(4);
    sigaction(SIGUSR2, &act, &before);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    kill(getpid(), SIGUSR2);
    assert_int_equal(heard, 0); /* nobody else takes it */
    pthread_sigmask(SIG_UNBLOCK, &usr2, NULL);
    while (!heard) continue;
    assert_true(pthread_equal(who, pthread_self()));
    sigaction(SIGUSR2, &before, NULL);
    hands_use(1);
}

static void who_asks_is_heard(void **state)
{
    (void)state;
    setenv("OMP_NUM_THREADS", "2", 1);
    assert_int_equal(hands_open(3, world), DID_OK);
    assert_int_equal(hands_count(), 3);
    assert_int_equal(hands_open(0, world), DID_OK);
    assert_int_equal(hands_count(), 2);
    setenv("OMP_NUM_THREADS", "many", 1);
    assert_int_equal(hands_open(0, world), DID_OK);
    assert_true(hands_count() >= 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    assert_int_equal(hands_open(0, world), DID_OK);
    assert_int_equal(hands_count(), 1);
}

int main(void)
{
    /* As the program does: the threads of MPI take no signals either. */
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &usr2, NULL);
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_shared_out_once),
        cmocka_unit_test(stretches_stay_where_they_are),
        cmocka_unit_test(signals_are_the_masters),
        cmocka_unit_test(who_asks_is_heard),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
