#include "hands.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cores.h"
#include "log.h"

enum { HOST_BYTES = 64 };

/* Where a rank may run. */
typedef struct seat {
    char  host[HOST_BYTES];
    cores cores;
} seat;

/* Who waits looks so many times, for about 50 microseconds, before it sleeps: there is less between
 * two products of a pass. Longer would take the core from another rank, or from a thread of this
 * one: the waiting of OpenMP's threads made a pass on two shared cores four times as long. */
enum { LOOKS = 1500 };

/* The threads beside the master, and the job they are at. Its fields are written by the master
 * while all of them wait, and read after `number` changed. */
static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t  begun, ended;
    pthread_t       thread[HANDS_MAX];
    unsigned        born[HANDS_MAX]; /* before which job */
    int             made;   /* threads that exist, all of which come to every job */
    atomic_uint     number; /* of the job */
    atomic_int      left;   /* threads that are still at it */
    atomic_int      next;   /* item, where they are given out one after another */
    int             n, unit;
    bool            each;
    hands_work   *work;
    void           *context;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .begun = PTHREAD_COND_INITIALIZER,
          .ended = PTHREAD_COND_INITIALIZER};

static int count = 1;

static void pause_briefly(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

/* What thread `me` does of a job. */
static void take_part(int me)
{
    if (me >= count) return;
    if (pool.each) {
        for (int i; (i = atomic_fetch_add(&pool.next, 1)) < pool.n;)
            pool.work(pool.context, me, i, i + 1);
        return;
    }
    long units = (pool.n + pool.unit - 1) / pool.unit;
    int  from = (int)(units * me / count) * pool.unit;
    int  to = (int)(units * (me + 1) / count) * pool.unit;
    if (to > pool.n) to = pool.n;
    if (from < to) pool.work(pool.context, me, from, to);
}

static void await_job(unsigned seen)
{
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&pool.number) != seen) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.number) == seen) pthread_cond_wait(&pool.begun, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

static void await_end(void)
{
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&pool.left) == 0) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.left) > 0) pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

static void *live(void *number)
{
    int      me = (int)(intptr_t)number;
    for (unsigned seen = pool.born[me];; seen++) {
        await_job(seen);
        take_part(me);
        if (atomic_fetch_sub(&pool.left, 1) > 1) continue;
        pthread_mutex_lock(&pool.lock);
        pthread_cond_signal(&pool.ended);
        pthread_mutex_unlock(&pool.lock);
    }
    return NULL;
}

/* At least n - 1 threads beside the master, or as many as the system gives. Signals are the
 * master's: a thread that blocks them all leaves every one to it. The master is bound to nothing,
 * since what it starts later would be bound with it. */
static void make(int n, const cores *bind)
{
    sigset_t all, before;
    int      failed = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.made < n - 1 && !failed) {
        int me = pool.made + 1;
        pool.born[me] = atomic_load(&pool.number);
        failed = pthread_create(&pool.thread[me], NULL, live, (void *)(intptr_t)me);
        if (!failed) pool.made = me;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        log_warn("threads", "%d instead of %d: %s", pool.made + 1, n, strerror(failed));
    count = pool.made + 1 < n ? pool.made + 1 : n;
    for (int i = 1; bind && i < count; i++) cores_keep(bind, i, pool.thread[i]);
}

void hands_use(int n)
{
    make(n, NULL);
}

int hands_count(void)
{
    return count;
}

static void run_job(int n, int unit, bool each, hands_work *work, void *context)
{
    pool.n = n;
    pool.unit = unit;
    pool.each = each;
    pool.work = work;
    pool.context = context;
    atomic_store(&pool.next, 0);
    atomic_store(&pool.left, pool.made);
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.number, 1);
    pthread_cond_broadcast(&pool.begun);
    pthread_mutex_unlock(&pool.lock);
    take_part(0);
    await_end();
}

/* Ranks of this host that may run where I may, me among them. */
static int sharers(const seat *all, int ranks, const seat *mine)
{
    int n = 0;
    for (int r = 0; r < ranks; r++)
        n += !strcmp(all[r].host, mine->host) && cores_meet(&all[r].cores, &mine->cores);
    return n > 0 ? n : 1;
}

static int from_environment(void)
{
    const char *said = getenv("OMP_NUM_THREADS");
    long        n = said ? strtol(said, NULL, 10) : 0;
    return n > 0 && n <= HANDS_MAX ? (int)n : 0;
}

static void settle(int asked, const seat *mine, int others)
{
    int room = mine->cores.n / others, said = asked > 0 ? asked : from_environment();
    count = said > 0 ? said : room > 1 ? room : 1;
    if (count > HANDS_MAX) count = HANDS_MAX;
    if (count > 1 && mine->cores.n > 0 && mine->cores.n < count)
        log_warn("threads", "this rank has %d threads and is bound to %d core%s; give it more "
                 "(mpirun --map-by slot:PE=%d --bind-to core) or ask for fewer (--threads)",
                 count, mine->cores.n, mine->cores.n == 1 ? "" : "s", count);
    else if (count > room && count > 1 && mine->cores.n > 0)
        log_warn("threads", "this rank has %d threads, and %d ranks share its %d cores", count,
                 others, mine->cores.n);
    bool alone = others == 1 && count <= mine->cores.n;
    make(count, alone ? &mine->cores : NULL);
    if (count > 1)
        log_say("threads", "%d per rank%s: %d core%s for %d rank%s", count,
                said > 0 ? "" : ", since the cores are there", mine->cores.n,
                mine->cores.n == 1 ? "" : "s", others, others == 1 ? "" : "s");
}

status hands_open(int asked, comm *world)
{
    int   ranks = comm_size(world);
    seat  mine = {0};
    seat *all = malloc((size_t)ranks * sizeof *all);
    status s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    s = comm_agree(world, s);
    gethostname(mine.host, sizeof mine.host - 1);
    cores_mine(&mine.cores);
    if (s == DID_OK) s = comm_gather(world, all, &mine, sizeof mine, EV_SETUP);
    if (s == DID_OK) settle(asked, &mine, sharers(all, ranks, &mine));
    free(all);
    return s;
}

void hands_share(int n, int unit, hands_work *work, void *context)
{
    if (count > 1 && n > unit)
        run_job(n, unit, false, work, context);
    else if (n > 0)
        work(context, 0, 0, n);
}

void hands_each(int n, hands_work *work, void *context)
{
    if (count > 1 && n > 1) {
        run_job(n, 1, true, work, context);
        return;
    }
    for (int i = 0; i < n; i++) work(context, 0, i, i + 1);
}
