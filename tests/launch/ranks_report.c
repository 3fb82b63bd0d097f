/* The table at the end of a run, at any number of ranks. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

#define CHECK(ok)                                                                             \
    do {                                                                                      \
        if (!(ok)) {                                                                          \
            fprintf(stderr, "rank %d, line %d: not so: %s\n%s\n", rank, __LINE__, #ok, text); \
            _exit(1);                                                                         \
        }                                                                                     \
    } while (0)

static comm *world;
static int   rank, size;
static char *text = "";

/* Rank r spent r + 1 seconds in linear layers, twice that in attention, 10 in all. */
static report report_of(size_t predicted)
{
    return (report){.totals = {.passes = 100,
                               .rows = 25600,
                               .drawn = 5000,
                               .nfe = 4000,
                               .commits = 900,
                               .seconds_linear = rank + 1,
                               .seconds_attention = 0.5 * (rank + 1),
                               .seconds_total = 10,
                               .seconds_passes = 8,
                               .seconds_worked = 5,
                               .predicted = {.seconds = 6, .bytes = 3 << 20}},
                    .leads = rank % 2 == 0,
                    .predicted = predicted,
                    .documents = 30,
                    .seconds = 12.5};
}

/* The table of rank 0, and what went to stderr meanwhile. */
static void print(const report *mine, char **table, char **errors)
{
    size_t n, m;
    FILE  *out = open_memstream(table, &n), *log = open_memstream(errors, &m), *before = stderr;
    stderr = log;
    status s = report_print(out, world, mine);
    stderr = before;
    fclose(out);
    fclose(log);
    CHECK(s == DID_OK);
}

static bool says(const char *fmt, double a, double b, double c, double d)
{
    char line[200];
    snprintf(line, sizeof line, fmt, a, b, c, d);
    return strstr(text, line) != NULL;
}

static void check_table(void)
{
    double avg = 0.5 * (size + 1), rows = (size + 1) / 2;
    CHECK(says("linear    | %10.3f | %10.3f | %10.3f | %6.2f\n", 1, avg, size, 10 * avg));
    CHECK(
        says("attention | %10.3f | %10.3f | %10.3f | %6.2f\n", 0.5, avg / 2, 0.5 * size, 5 * avg));
    CHECK(says("row-wise  | %10.3f | %10.3f | %10.3f | %6.2f\n", 0, 0, 0, 0));
    double least = 10 - 1.5 * size, most = 8.5;
    CHECK(says("other     | %10.3f | %10.3f | %10.3f | %6.2f\n", least, 0.5 * (least + most), most,
               5 * (least + most)));
    CHECK(says("Documents 30 in 12.500 s on %.0f row", rows, 0, 0, 0));
    CHECK(says("%.0f drawn, %.1f tokens/s, %.3f documents/s", 5000 * rows, 400 * rows, 2.4, 0));
    CHECK(says("Passes    %.0f, %.1f rows per pass, %.2f tokens per pass", 100 * rows, 256, 50, 0));
    CHECK(says("NFE       %.0f, commit segments %.0f", 4000 * rows, 900 * rows, 0, 0));
    CHECK(strstr(text, "Pass time 80.00 ms, 50.00 ms of the processor; predicted 60.00 ms, -25.0 % "
                       "and +20.0 %"));
    CHECK(says("predicted %.3f MiB", 3 * rows, 0, 0, 0));
    CHECK(strstr(text, "MiB on a rank at most; predicted "));
    CHECK(strstr(text, "status    |          3 |"));
    CHECK(!strstr(text, "mlp"));
}

int main(void)
{
    char *errors;
    if (comm_start(&world) != DID_OK) return 1;
    rank = comm_rank(world);
    size = comm_size(world);

    CHECK(report_resident() > 1 << 20 && report_resident() <= report_peak() + (1 << 20));
    for (int i = 0; i < 3; i++) CHECK(comm_barrier(world, EV_STATUS) == DID_OK);
    report mine = report_of(report_peak());
    print(&mine, &text, &errors);
    if (rank == 0) check_table();
    CHECK(rank == 0 || strlen(text) == 0);
    CHECK(!strstr(errors, "warning"));
    free(text);
    free(errors);

    /* The last rank held twice what was said before: its number is told. */
    text = "";
    mine = report_of(rank == size - 1 ? report_peak() / 2 : report_peak());
    print(&mine, &text, &errors);
    char name[32];
    snprintf(name, sizeof name, "rank %d held", size - 1);
    CHECK(rank > 0 || (strstr(errors, name) && strstr(errors, "% more than predicted")));
    CHECK(rank > 0 || strstr(text, "measured  |"));
    free(text);
    free(errors);
    text = "";
    comm_stop(&world);
    return 0;
}
