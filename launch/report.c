#include "report.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "log.h"

enum { SECTIONS = 7 };
static const char *const section_name[SECTIONS] = {"linear", "attention", "row-wise", "draw",
                                                   "wire",   "wait",      "other"};
static const double      MEMORY_TOLERANCE = 0.10;

/* What all ranks exchange. */
typedef struct sheet {
    report      mine;
    event_total events[EV_COUNT];
    size_t      peak;
} sheet;

typedef struct spread {
    double min, avg, max, sum;
} spread;

/* A line like "VmHWM: 123 kB" of the kernel's account of this process, in bytes; 0: no such line. */
static size_t account(const char *name)
{
    char   line[256];
    size_t kilobytes = 0, len = strlen(name);
    FILE  *file = fopen("/proc/self/status", "re");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            kilobytes = strtoul(line + len + 1, NULL, 10);
    fclose(file);
    return kilobytes * 1024;
}

size_t report_resident(void)
{
    return account("VmRSS");
}

size_t report_peak(void)
{
    return account("VmHWM");
}

static double section_of(const sheet *s, int i)
{
    const engine_progress *p = &s->mine.totals;
    const double           known[] = {p->seconds_linear, p->seconds_attention, p->seconds_rowwise,
                                      p->seconds_draw,   p->seconds_wire,      p->seconds_wait};
    if (i < SECTIONS - 1) return known[i];
    double other = p->seconds_total;
    for (int k = 0; k < SECTIONS - 1; k++) other -= known[k];
    return other > 0 ? other : 0;
}

/* Minimum, mean and maximum over ranks of what `value` says about them. */
static spread spread_over(const sheet *all, int ranks, double (*value)(const sheet *, int),
                          int which)
{
    spread out = {.min = HUGE_VAL};
    for (int r = 0; r < ranks; r++) {
        double x = value(&all[r], which);
        out.min = x < out.min ? x : out.min;
        out.max = x > out.max ? x : out.max;
        out.sum += x;
    }
    out.avg = out.sum / ranks;
    return out;
}

static double total_of(const sheet *s, int unused)
{
    (void)unused;
    return s->mine.totals.seconds_total;
}

static void print_sections(FILE *out, const sheet *all, int ranks)
{
    double whole = spread_over(all, ranks, total_of, 0).avg;
    fprintf(out, "\nTime of %d rank%s, seconds\n", ranks, ranks == 1 ? "" : "s");
    fprintf(out, "Section   |   min time |   avg time |   max time | %%total\n");
    fprintf(out, "----------+------------+------------+------------+-------\n");
    for (int i = 0; i < SECTIONS; i++) {
        spread s = spread_over(all, ranks, section_of, i);
        fprintf(out, "%-9s | %10.3f | %10.3f | %10.3f | %6.2f\n", section_name[i], s.min, s.avg,
                s.max, whole > 0 ? 100 * s.avg / whole : 0);
    }
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* Rows count once: their leaders speak for them. */
static void print_counts(FILE *out, const sheet *all, int ranks)
{
    double passes = 0, rows = 0, drawn = 0, nfe = 0, commits = 0;
    int    leaders = 0;
    for (int r = 0; r < ranks; r++) {
        const engine_progress *p = &all[r].mine.totals;
        if (!all[r].mine.leads) continue;
        leaders++;
        passes += (double)p->passes;
        rows += (double)p->rows;
        drawn += (double)p->drawn;
        nfe += (double)p->nfe;
        commits += (double)p->commits;
    }
    const report *first = &all[0].mine;
    fprintf(out, "\nDocuments %d in %.3f s on %d row%s of %d rank%s\n", first->documents,
            first->seconds, leaders, leaders == 1 ? "" : "s", leaders ? ranks / leaders : 0,
            ranks == leaders ? "" : "s");
    fprintf(out, "Tokens    %.0f drawn, %.1f tokens/s, %.3f documents/s\n", drawn,
            ratio(drawn, first->seconds), ratio(first->documents, first->seconds));
    fprintf(out, "Passes    %.0f, %.1f rows per pass, %.2f tokens per pass\n", passes,
            ratio(rows, passes), ratio(drawn, passes));
    fprintf(out, "NFE       %.0f, commit segments %.0f\n", nfe, commits);
}

static double event_count(const sheet *s, int e)
{
    return (double)s->events[e].count;
}

static double event_bytes(const sheet *s, int e)
{
    return (double)s->events[e].bytes;
}

static double event_seconds(const sheet *s, int e)
{
    return s->events[e].seconds;
}

static void print_events(FILE *out, const sheet *all, int ranks)
{
    fprintf(out, "\nCommunication, per rank unless marked\n");
    fprintf(out, "Event     |  max count | bytes of all | min time   | avg time   | max time\n");
    fprintf(out, "----------+------------+--------------+------------+------------+-----------\n");
    for (int e = 0; e < EV_COUNT; e++) {
        spread n = spread_over(all, ranks, event_count, e);
        if (n.max == 0) continue;
        spread t = spread_over(all, ranks, event_seconds, e);
        fprintf(out, "%-9s | %10.0f | %12.0f | %10.3f | %10.3f | %10.3f\n", event_name((event)e),
                n.max, spread_over(all, ranks, event_bytes, e).sum, t.min, t.avg, t.max);
    }
}

static double predicted_of(const sheet *s, int unused)
{
    (void)unused;
    return (double)s->mine.predicted;
}

static double peak_of(const sheet *s, int unused)
{
    (void)unused;
    return (double)s->peak;
}

static void print_memory(FILE *out, const sheet *all, int ranks)
{
    const double MIB = 1 << 20;
    spread       said = spread_over(all, ranks, predicted_of, 0),
           held = spread_over(all, ranks, peak_of, 0);
    fprintf(out, "\nMemory    |    min MiB |    max MiB\n");
    fprintf(out, "----------+------------+-----------\n");
    fprintf(out, "predicted | %10.1f | %10.1f\n", said.min / MIB, said.max / MIB);
    fprintf(out, "measured  | %10.1f | %10.1f\n", held.min / MIB, held.max / MIB);
    for (int r = 0; r < ranks; r++) {
        double off = ratio((double)all[r].peak, (double)all[r].mine.predicted) - 1;
        if (fabs(off) > MEMORY_TOLERANCE)
            log_warn("report", "rank %d held %.1f MiB at most, %.0f %% %s than predicted", r,
                     (double)all[r].peak / MIB, 100 * fabs(off), off > 0 ? "more" : "less");
    }
}

/* What ranks say to each other so that passes can run; the model of cost knows these. */
static double wire_bytes(const sheet *s)
{
    static const event passes[] = {EV_PLAN, EV_SUM_EMBEDDING, EV_SUM_ATTENTION, EV_SUM_MLP,
                                   EV_DRAW, EV_KEYS, EV_DEPTHS};
    double sum = 0;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        sum += (double)s->events[passes[i]].bytes;
    return sum;
}

static void print_pass_time(FILE *out, const engine_progress *sum)
{
    double each = 1e3 / (double)sum->passes, said = sum->predicted.seconds;
    fprintf(out,
            "Pass time %.2f ms, %.2f ms of the processor; predicted %.2f ms, %+.1f %% and %+.1f %%\n",
            each * sum->seconds_passes, each * sum->seconds_worked, each * said,
            100 * (said / sum->seconds_passes - 1), 100 * (said / sum->seconds_worked - 1));
}

/* Time where there is a calibration; bytes are known without one. */
static void print_forecast(FILE *out, const sheet *all, int ranks)
{
    engine_progress sum = {0};
    double          wire = 0, mib = 1.0 / (1 << 20);
    double held = spread_over(all, ranks, peak_of, 0).max;
    double said = spread_over(all, ranks, predicted_of, 0).max;
    for (int r = 0; r < ranks; r++) {
        const engine_progress *p = &all[r].mine.totals;
        wire += wire_bytes(&all[r]);
        if (!all[r].mine.leads) continue;
        sum.passes += p->passes;
        sum.seconds_passes += p->seconds_passes;
        sum.seconds_worked += p->seconds_worked;
        sum.predicted.seconds += p->predicted.seconds;
        sum.predicted.bytes += p->predicted.bytes;
    }
    fprintf(out, "\nPredicted against measured\n");
    if (sum.predicted.seconds > 0 && sum.passes > 0) print_pass_time(out, &sum);
    if (sum.predicted.bytes > 0)
        fprintf(out, "Wire      %.3f MiB brought to collectives; predicted %.3f MiB, %+.1f %%\n",
                wire * mib, sum.predicted.bytes * mib, 100 * (ratio(sum.predicted.bytes, wire) - 1));
    fprintf(out, "Memory    %.1f MiB on a rank at most; predicted %.1f MiB, %+.1f %%\n", held * mib,
            said * mib, 100 * (ratio(said, held) - 1));
}

status report_print(FILE *out, comm *world, const report *mine)
{
    int    ranks = comm_size(world);
    sheet  own = {.mine = *mine, .peak = report_peak()};
    sheet *all = malloc((size_t)ranks * sizeof *all);
    for (int e = 0; e < EV_COUNT; e++) own.events[e] = event_totals((event)e);
    status s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for a table of %d ranks", ranks);
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, &own, sizeof own, EV_REPORT);
    if (s == DID_OK && comm_rank(world) == 0) {
        print_sections(out, all, ranks);
        print_counts(out, all, ranks);
        print_events(out, all, ranks);
        print_memory(out, all, ranks);
        print_forecast(out, all, ranks);
        fflush(out);
    }
    free(all);
    return s;
}
