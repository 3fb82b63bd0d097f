#include "outlook.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "version.h"

/* Strong lines have the documents that so many hosts have in the weak ones: up to there rows have
 * enough of them, and beyond it shows what ranks without a document of their own are worth. */
enum { HOSTS_MAX = 1024, STRONG_HOSTS = 64 };

static const column columns[] = {
    {"hosts", "hosts", 5, 0},
    {"ranks", "ranks", 6, 0},
    {"weak_grid", "rows x cols", -11, 0},
    {"weak_s", "weak s", 9, 3},
    {"weak_percent", "effic %", 7, 1},
    {"strong_grid", "rows x cols", -11, 0},
    {"strong_s", "strong s", 9, 3},
    {"strong_percent", "effic %", 7, 1},
    {"check", "", -9, 0},
};

/* What a point of the curve is made of. */
typedef struct outlook {
    const geometry *model;
    calibration     machine;
    forecast_job    job;
    int             per_host;
} outlook;

static status read_machine(calibration *c, const kernels *k)
{
    char path[4096];
    TRY(calibration_path(path, sizeof path));
    TRY(calibration_read(c, path));
    TRY(calibration_match(c, path, DID_VERSION, machine_cpu(), (int)sysconf(_SC_NPROCESSORS_ONLN)));
    if (strcmp(c->set[k->precision], k->name))
        return status_fail(DID_EINVAL, "%s: found kernels %.30s, expected %s", path,
                           c->set[k->precision], k->name);
    return DID_OK;
}

/* Seconds of the soonest grid of so many hosts, and its name. */
static double soonest(char grid[24], const outlook *o, int hosts, double documents)
{
    int          ranks = hosts * o->per_host;
    double       best = 0;
    forecast_job job = o->job;
    /* Between hosts, where nobody measured a link: 10 Gbit/s and 50 us. */
    calibration_link link = {false, 50e-6, 1.25e9};
    job.documents = documents;
    if (o->machine.link.measured) link = o->machine.link;
    for (int q = 1; q <= ranks && q <= o->model->n_heads; q++) {
        if (ranks % q) continue;
        cost_place at = {.model = o->model,
                         .machine = &o->machine,
                         .link = link,
                         .layout = {.rows = ranks / q, .cols = q, .depth = 1, .span = 1,
                                    .groups = 1, .per_host = o->per_host}};
        double seconds = forecast_of(&at, &job).seconds;
        if (q > 1 && seconds >= best) continue;
        best = seconds;
        snprintf(grid, 24, "%d x %d", ranks / q, q);
    }
    return best;
}

static void tell_points(table *t, const outlook *o)
{
    double one = 0, one_strong = 0, each = o->job.documents;
    for (int hosts = 1; hosts <= HOSTS_MAX; hosts *= 2) {
        char    weak_grid[24] = "", strong_grid[24] = "";
        double  weak = soonest(weak_grid, o, hosts, each * hosts);
        double  strong = soonest(strong_grid, o, hosts, each * STRONG_HOSTS);
        json_t *line = json_object();
        if (hosts == 1) {
            one = weak;
            one_strong = strong;
        }
        json_object_set_new(line, "kind", json_string("curve"));
        json_object_set_new(line, "hosts", json_integer(hosts));
        json_object_set_new(line, "ranks", json_integer(hosts * o->per_host));
        json_object_set_new(line, "weak_grid", json_string(weak_grid));
        json_object_set_new(line, "weak_s", json_real(weak));
        json_object_set_new(line, "weak_percent", json_real(100 * one / weak));
        json_object_set_new(line, "strong_grid", json_string(strong_grid));
        json_object_set_new(line, "strong_s", json_real(strong));
        json_object_set_new(line, "strong_percent", json_real(100 * one_strong / strong / hosts));
        json_object_set_new(line, "check", json_string("predicted"));
        table_line(t, line);
    }
}

void outlook_tell(const ground *on, const geometry *g, const kernels *k, const forecast_job *job,
                  int per_host)
{
    char    title[256];
    outlook o = {.model = g, .job = *job, .per_host = per_host};
    if (!on->table) return;
    if (read_machine(&o.machine, k) != DID_OK) {
        table_remark(on->table, "\nNo curve to %d hosts is predicted: %s (did bench calibrate "
                     "measures this machine)", HOSTS_MAX, status_message());
        return;
    }
    snprintf(title, sizeof title,
             "predicted, nothing of it measured: hosts of %d rank%s, %.0f documents a host (weak) "
             "and %.0f in all (strong); efficiency against one host%s",
             per_host, per_host > 1 ? "s" : "", job->documents, job->documents * STRONG_HOSTS,
             o.machine.link.measured ? "" : "; over a link nobody measured (10 Gbit/s, 50 us)");
    table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
    tell_points(on->table, &o);
}
