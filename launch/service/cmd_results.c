#include "cmd_results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "field.h"
#include "interrupt.h"
#include "log.h"
#include "results.h"
#include "rng.h"

enum { ROOM = 256 };
static const double LOOK_S = 0.2;

typedef struct fetch {
    caller_settings service;
    const char     *job, *output;
    bool            follow, quiet;
} fetch;

#define AT(member) .offset = offsetof(fetch, member)

static const option table[] = {
    CALLER_TABLE(fetch, service),
    {.help = "What to fetch, and where to"},
    {"job", 0, OPTION_TEXT, "NAME", "default", AT(job), .help = "one of your jobs"},
    {"follow", 0, OPTION_FLAG, AT(follow),
     .help = "go on until nothing of the job is unfinished; without it: what there is now"},
    {"output", 0, OPTION_TEXT, "FILE", .silent = "stdout", AT(output),
     .help = "made whole and then named; one that exists is only continued, and only where every "
             "line of it is among what the service has"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "warnings and errors only"},
};

const option_table cmd_results_table = {
    .command = "results",
    .summary = "fetch the records of a job, in the order they were finished.",
    .usage = "--connect ENDPOINT [--job NAME] [--follow] [--output FILE]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

/* A line that was in the file when it was opened. */
typedef struct known {
    uint64_t hash;
    size_t   size;
    long     line;
    bool     confirmed; /* the service has it too */
} known;

typedef struct fetching {
    const fetch *how;
    caller      *service;
    results     *to;
    known       *known; /* sorted once all are noted */
    long         n, room, confirmed, seen, written;
    int64_t      after, open;
} fetching;

static known known_of(const char *line, size_t size)
{
    return (known){.hash = rng_hash(0, line, (int)size), .size = size};
}

static status note_line(void *context, const char *line, size_t size)
{
    fetching *f = context;
    if (f->n == f->room) {
        long   more = f->room ? 2 * f->room : 1024;
        known *grown = realloc(f->known, (size_t)more * sizeof *grown);
        if (!grown) return status_fail(DID_ENOMEM, "no memory for the lines of the output");
        f->known = grown;
        f->room = more;
    }
    f->known[f->n] = known_of(line, size);
    f->known[f->n].line = f->n + 1;
    f->n++;
    return DID_OK;
}

static int compare(const void *x, const void *y)
{
    const known *a = x, *b = y;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return (a->size > b->size) - (a->size < b->size);
}

/* A record that the service tells: one of the file, or a new one. */
typedef status taker(fetching *f, char *line, size_t size);

static status confirm(fetching *f, char *line, size_t size)
{
    known  one = known_of(line, size);
    known *at = f->n ? bsearch(&one, f->known, (size_t)f->n, sizeof one, compare) : NULL;
    f->confirmed += at && !at->confirmed;
    if (at) at->confirmed = true;
    return DID_OK;
}

static status put(fetching *f, char *line, size_t size)
{
    known one = known_of(line, size);
    f->seen++;
    if (f->n && bsearch(&one, f->known, (size_t)f->n, sizeof one, compare)) return DID_OK;
    f->written++;
    return results_append(f->to, line);
}

static status take_all(fetching *f, const message *m, taker *take)
{
    const char *text = m->part[0].data;
    size_t      left = m->part[0].size;
    status      s = DID_OK;
    while (s == DID_OK && left > 0) {
        const char *end = memchr(text, '\n', left);
        if (!end) return status_fail(DID_EFORMAT, "records: the last line has no end");
        size_t size = (size_t)(end - text);
        char  *line = strndup(text, size);
        if (!line) return status_fail(DID_ENOMEM, "no memory for a record");
        s = take(f, line, size);
        free(line);
        left -= size + 1;
        text = end + 1;
    }
    return s;
}

/* The next records; *n says how many they were. */
static status fetch_some(fetching *f, taker *take, int *n)
{
    message m;
    json_t *body = json_pack("{s:s, s:I, s:i}", "job", f->how->job, "after", (json_int_t)f->after,
                             "room", ROOM);
    TRY(caller_ask(f->service, MESSAGE_RESULTS, body, NULL, 0, MESSAGE_RECORDS, &m));
    status s = field_int(m.body, "records", 0, ROOM, n);
    if (s == DID_OK) s = field_number(m.body, "after", 0, INT64_MAX, &f->after);
    if (s == DID_OK) s = field_number(m.body, "open", 0, INT64_MAX, &f->open);
    if (s == DID_OK) s = take_all(f, &m, take);
    message_clear(&m);
    return s;
}

static status strange(const fetching *f)
{
    long i = 0, line = f->n + 1;
    for (; i < f->n; i++)
        if (!f->known[i].confirmed && f->known[i].line < line) line = f->known[i].line;
    return status_fail(DID_EINVAL,
                       "output %s: line %ld is not what the service has of job \"%s\", so the file "
                       "stays as it is: it is another's, or the service had to give a damaged record "
                       "up and generates it again; %lld documents are unfinished%s",
                       f->how->output, line, f->how->job, (long long)f->open,
                       f->open > 0 ? ", and with --follow they are waited for" : "");
}

/* Nothing is added to a file before the service has told every line of it. Their order does not
 * matter: a record that the service lost to damage comes again later. */
static status prove(fetching *f)
{
    int n = 1;
    if (f->n > 0) qsort(f->known, (size_t)f->n, sizeof *f->known, compare);
    while (f->confirmed < f->n) {
        TRY(fetch_some(f, confirm, &n));
        if (n == 0 && f->confirmed < f->n) {
            if (!f->how->follow || f->open == 0) return strange(f);
            clock_sleep(LOOK_S);
        }
    }
    f->after = 0;
    return DID_OK;
}

static status fetch_all(fetching *f)
{
    bool follow = f->how->follow;
    int  n = 1;
    TRY(prove(f));
    f->open = 1;
    while (n > 0 || (follow && f->open > 0)) {
        TRY(fetch_some(f, put, &n));
        if (n == 0 && follow && f->open > 0) clock_sleep(LOOK_S);
    }
    return DID_OK;
}

/* A file that is not there yet gets its name when it is whole; one that grows under the eyes of
 * others, or goes on, has it from the start. */
static status open_output(fetching *f, char *fresh, size_t size)
{
    const char *path = f->how->output;
    struct stat st;
    *fresh = '\0';
    if (path && !f->how->follow && stat(path, &st) != 0 && errno == ENOENT)
        snprintf(fresh, size, "%.3900s.%ld.part", path, (long)getpid());
    TRY(results_open(&f->to, *fresh ? fresh : path));
    return results_resume(f->to, note_line, f);
}

static status close_output(fetching *f, const char *fresh, status s)
{
    status closed = f->to ? results_close(&f->to) : DID_OK;
    if (s == DID_OK) s = closed;
    if (!*fresh) return s;
    if (s == DID_OK && link(fresh, f->how->output) != 0)
        s = status_fail(DID_EIO, "output %s: %s", f->how->output, strerror(errno));
    unlink(fresh);
    return s;
}

static status run(const fetch *how)
{
    fetching f = {.how = how};
    char     fresh[4096];
    TRY(caller_open(&f.service, &how->service));
    status s = open_output(&f, fresh, sizeof fresh);
    if (s == DID_OK) s = fetch_all(&f);
    s = close_output(&f, fresh, s);
    caller_close(&f.service);
    free(f.known);
    if (s == DID_OK)
        log_say("results", "%ld records, %ld of them new; %lld documents are unfinished", f.seen,
                f.written, (long long)f.open);
    return s;
}

int cmd_results(int argc, char *const *argv)
{
    fetch    how = {0};
    options *said;
    interrupt_install();
    status s = options_read(&said, &cmd_results_table, &how, argc, argv);
    log_identity(0, 1, how.quiet);
    if (s == DID_OK) s = run(&how);
    options_close(&said);
    return caller_end(s);
}
