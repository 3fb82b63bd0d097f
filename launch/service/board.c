#include "board.h"

#include <string.h>

static const char *const states[] = {"queued", "drafting", "drafted",  "refining",
                                     "done",   "failed",   "cancelled"};
enum { STATES = sizeof states / sizeof states[0] };

static long long whole(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static double real(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value ? value : "";
}

static void counts(FILE *to, const char *name, const json_t *o)
{
    fprintf(to, "%-20.20s", name);
    for (int i = 0; i < STATES; i++) fprintf(to, " %9lld", whole(o, states[i]));
    fputc('\n', to);
}

static void worlds(FILE *to, const json_t *list)
{
    size_t        i;
    const json_t *w;
    fprintf(to, "\n%-20s %-10s %5s %9s %9s %9s %9s %9s %7s\n", "world", "slurm", "row", "drafting",
            "refining", "passes", "nfe", "tokens/s", "silent");
    json_array_foreach(list, i, w)
    {
        char name[64];
        snprintf(name, sizeof name, "%.40s:%lld", text(w, "host"), whole(w, "pid"));
        fprintf(to, "%-20.20s %-10.10s %2lld/%-2lld %9lld %9lld %9lld %9lld %9.1f %6.1fs\n", name,
                *text(w, "slurm") ? text(w, "slurm") : "-", whole(w, "row"), whole(w, "rows"),
                whole(w, "drafting"), whole(w, "refining"), whole(w, "passes"), whole(w, "nfe"),
                real(w, "tokens_per_s"), real(w, "silent_s"));
    }
    if (json_array_size(list) == 0) fprintf(to, "(none is here)\n");
}

void board_table(FILE *to, const json_t *state)
{
    size_t        i;
    const char   *key;
    json_t       *value, *refused = json_object_get(state, "refused");
    const json_t *job;
    fprintf(to, "up %.0f s; turned away:", real(state, "up_s"));
    json_object_foreach(refused, key, value)
        if (json_integer_value(value) > 0)
            fprintf(to, " %lld %s", (long long)json_integer_value(value), key);
    fprintf(to, "\n\n%-20s", "job");
    for (int k = 0; k < STATES; k++) fprintf(to, " %9s", states[k]);
    fputc('\n', to);
    json_array_foreach(json_object_get(state, "jobs"), i, job) counts(to, text(job, "job"), job);
    counts(to, "(everybody)", json_object_get(state, "all"));
    worlds(to, json_object_get(state, "worlds"));
}

/* A label's value, with what the format wants escaped. */
static void label(FILE *to, const char *name, const char *value)
{
    fprintf(to, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') fputc('\\', to);
        if (*value == '\n') fputs("\\n", to);
        else fputc(*value, to);
    }
    fputc('"', to);
}

static void head(FILE *to, const char *name, const char *kind, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void prometheus_worlds(FILE *to, const json_t *list, const char *name, const char *key)
{
    size_t        i;
    const json_t *w;
    json_array_foreach(list, i, w)
    {
        char row[24];
        fprintf(to, "%s{", name);
        label(to, "host", text(w, "host"));
        fputc(',', to);
        label(to, "slurm", text(w, "slurm"));
        snprintf(row, sizeof row, "%lld", whole(w, "row"));
        fputc(',', to);
        label(to, "row", row);
        snprintf(row, sizeof row, "%lld", whole(w, "pid"));
        fputc(',', to);
        label(to, "pid", row);
        fprintf(to, "} %.15g\n", real(w, key));
    }
}

void board_prometheus(FILE *to, const json_t *state)
{
    const char   *key;
    json_t       *value;
    const json_t *all = json_object_get(state, "all"), *list = json_object_get(state, "worlds");
    head(to, "did_up_seconds", "gauge", "Seconds since the service was started.");
    fprintf(to, "did_up_seconds %.15g\n", real(state, "up_s"));
    head(to, "did_documents", "gauge", "Documents of all clients by state.");
    for (int i = 0; i < STATES; i++)
        fprintf(to, "did_documents{state=\"%s\"} %lld\n", states[i], whole(all, states[i]));
    head(to, "did_refused_total", "counter", "Messages, answers and handshakes turned away.");
    json_object_foreach(json_object_get(state, "refused"), key, value)
    {
        fprintf(to, "did_refused_total{");
        label(to, "reason", key);
        fprintf(to, "} %lld\n", (long long)json_integer_value(value));
    }
    head(to, "did_memory_bytes", "gauge", "What the front-end holds, held at most, and may hold.");
    json_object_foreach(json_object_get(state, "memory"), key, value)
    {
        fprintf(to, "did_memory_bytes{");
        label(to, "which", key);
        fprintf(to, "} %lld\n", (long long)json_integer_value(value));
    }
    head(to, "did_tokens_per_second", "gauge", "Tokens drawn per second, by row, smoothed.");
    prometheus_worlds(to, list, "did_tokens_per_second", "tokens_per_s");
    head(to, "did_passes_total", "counter", "Passes of a row since its world began.");
    prometheus_worlds(to, list, "did_passes_total", "passes");
    head(to, "did_nfe_total", "counter", "Network evaluations that drew tokens, by row.");
    prometheus_worlds(to, list, "did_nfe_total", "nfe");
}
