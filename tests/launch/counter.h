/* counter.h - a day at the counter of a service, without sockets and worlds: two clients
 * submit, fetch and cancel, documents are lent, saved, lost and finished. Their records are
 * known beforehand. */
#ifndef DID_TESTS_COUNTER_H
#define DID_TESTS_COUNTER_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "standing.h"

/* The fourth of the first client's documents is cancelled; the last is the second client's. */
enum { COUNTER_N = 6, COUNTER_CANCELLED = 3, COUNTER_LAST = 5, COUNTER_LINE = 1800 };

typedef struct counter {
    char folder[64], state[96], log[104], undo[104], acks[96], fetched[96], said[96];
} counter;

/* Memory where there is such a thing: nothing here depends on what a sync does to a disk. */
static inline int counter_set_up(void **state)
{
    counter *f = calloc(1, sizeof *f);
    strcpy(f->folder, access("/dev/shm", W_OK) ? "/tmp/did-counter-XXXXXX" : "/dev/shm/did-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->state, sizeof f->state, "%s/state", f->folder);
    snprintf(f->log, sizeof f->log, "%s-wal", f->state);
    snprintf(f->undo, sizeof f->undo, "%s-journal", f->state);
    snprintf(f->acks, sizeof f->acks, "%s/acks", f->folder);
    snprintf(f->fetched, sizeof f->fetched, "%s/fetched", f->folder);
    snprintf(f->said, sizeof f->said, "%s/said", f->folder);
    *state = f;
    return 0;
}

static inline void counter_clear(const counter *f)
{
    const char *const path[] = {f->state, f->log, f->undo, f->acks, f->fetched, f->said};
    for (int i = 0; i < 6; i++) unlink(path[i]);
}

static inline int counter_tear_down(void **state)
{
    counter *f = *state;
    counter_clear(f);
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static inline const char *counter_owner(int i)
{
    return i == COUNTER_LAST ? "bob" : "alice";
}

static inline void counter_name(char name[16], int i)
{
    snprintf(name, 16, "d%d", i);
}

/* Long enough to fill pages of the state file. */
static inline void counter_record(char line[COUNTER_LINE], int i)
{
    char text[1500];
    memset(text, 'a' + i, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    snprintf(line, COUNTER_LINE, "{\"custom_id\": \"d%d\", \"sample\": 0, \"text\": \"%s\"}", i,
             text);
}

/* What somebody was told: "s0" document 0 is submitted, "c0" saved, "d0" finished, "x"
 * cancelled. */
static inline void counter_tell(int acks, char what, int i)
{
    char word[16];
    int  n = snprintf(word, sizeof word, "%c%d\n", what, i);
    if (write(acks, word, (size_t)n) != n) _exit(9);
}

static inline status counter_submit(store *s, int from, int to, int acks)
{
    static const store_quota quota = {100, 1 << 20};
    store_line               line[COUNTER_N];
    char                     name[COUNTER_N][16], text[COUNTER_N][32];
    int64_t                  job;
    int                      added, known;
    for (int i = from; i < to; i++) {
        counter_name(name[i], i);
        snprintf(text[i], sizeof text[i], "{\"prompt\": \"%d\"}", i);
        line[i - from] = (store_line){name[i], 1, text[i], 100};
    }
    TRY(store_begin_job(s, counter_owner(from), "job", "{}", 3, &job));
    TRY(store_submit(s, counter_owner(from), job, line, to - from, &quota, &added, &known));
    TRY(store_commit(s));
    for (int i = from; i < to; i++) counter_tell(acks, 's', i);
    return DID_OK;
}

static inline status counter_count(void *context, int64_t serial, int64_t epoch)
{
    (void)serial, (void)epoch;
    ++*(int *)context;
    return DID_OK;
}

static inline status counter_cancel(store *s, int acks)
{
    int64_t job;
    int     out = 0, n;
    char    name[16];
    counter_name(name, COUNTER_CANCELLED);
    TRY(store_find_job(s, "alice", "job", &job));
    TRY(standing_cancel(s, job, name, COUNTER_N, counter_count, &out, &n));
    TRY(store_commit(s));
    counter_tell(acks, 'x', COUNTER_CANCELLED);
    return DID_OK;
}

/* What an earlier life had lent comes back when its leases are over. */
typedef struct counter_out {
    int64_t serial[COUNTER_N];
    int     n;
} counter_out;

static inline status counter_note(void *context, int64_t serial, int64_t epoch)
{
    counter_out *o = context;
    (void)epoch;
    o->serial[o->n++] = serial;
    return DID_OK;
}

static inline status counter_recall(store *s)
{
    counter_out out = {.n = 0};
    TRY(store_each_out(s, counter_note, &out));
    for (int i = 0; i < out.n; i++) TRY(standing_put_back(s, out.serial[i]));
    return store_commit(s);
}

/* Which document is lent, by its line. */
static inline int counter_number(const standing_loan *loan)
{
    return atoi(strrchr(loan->line, ':') + 3);
}

/* One document through the hands of a world, or of two: one is lost once. */
static inline status counter_serve(store *s, const standing_loan *loan, int acks)
{
    char line[COUNTER_LINE];
    bool aside;
    int  i = counter_number(loan);
    TRY(standing_save(s, loan->serial, i % 2 == 1, "S", "a checkpoint"));
    TRY(store_commit(s));
    counter_tell(acks, 'c', i);
    if (i == 1 && loan->epoch == 1) return standing_strike(s, loan->serial, "lost", &aside);
    counter_record(line, i);
    TRY(standing_finish(s, loan->serial, line, false));
    TRY(store_commit(s));
    counter_tell(acks, 'd', i);
    return DID_OK;
}

static inline bool counter_keep(void *context, const char *record)
{
    FILE *to = context;
    fprintf(to, "%s\n", record);
    return false;
}

/* The first client fetches anew each time; what it was given once has to come again. */
static inline status counter_fetch(const counter *f, store *s)
{
    int64_t job, after = 0;
    TRY(store_find_job(s, "alice", "job", &job));
    FILE *to = fopen(f->fetched, "w");
    if (!to) return status_fail(DID_EIO, "no file to fetch to");
    status result = store_read(s, job, &after, counter_keep, to);
    fclose(to);
    return result;
}

static inline status counter_work(const counter *f, store *s, int acks)
{
    standing_loan loan;
    TRY(counter_submit(s, 0, COUNTER_LAST, acks));
    TRY(counter_cancel(s, acks));
    TRY(counter_submit(s, COUNTER_LAST, COUNTER_N, acks));
    TRY(counter_recall(s));
    do {
        TRY(standing_take(s, "S", true, &loan));
        status done = loan.serial ? counter_serve(s, &loan, acks) : DID_OK;
        standing_loan_clear(&loan);
        TRY(done);
        TRY(store_commit(s));
        TRY(counter_fetch(f, s));
    } while (loan.serial || store_waiting(s) > 0);
    return DID_OK;
}

#endif
