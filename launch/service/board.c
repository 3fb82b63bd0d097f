#include "board.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

static const char *const states[] = {"queued", "drafting", "drafted",  "refining",
                                     "done",   "failed",   "cancelled"};
enum { STATES = sizeof states / sizeof states[0] };
static const int wide[STATES] = {7, 8, 7, 8, 7, 6, 9}; /* columns of their counts */

enum { WIDTH = 80, FURNITURE = 12 }; /* columns; lines that are neither jobs nor worlds */

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

/* The same for a terminal, at most `width` of 15 to 24 columns: names are what strangers said. */
enum { SHOWN = 25 };
static const char *shown(char out[SHOWN], const json_t *o, const char *key, int width)
{
    const char *value = text(o, key);
    size_t      size = strlen(value);
    /* What fits is shown whole, what does not is cut with dots. */
    if ((int)size <= width && utf8_check(value, size) == size) {
        snprintf(out, SHOWN, "%s", value);
        utf8_tidy(out);
        return out;
    }
    return utf8_quote(out, (size_t)width + 1, value, size);
}

static void counts(FILE *to, const char *name, const json_t *o)
{
    fprintf(to, "%-20s", name);
    for (int i = 0; i < STATES; i++) fprintf(to, " %*lld", wide[i], whole(o, states[i]));
    fputc('\n', to);
}

static bool unfinished(const json_t *job)
{
    return whole(job, "queued") + whole(job, "drafting") + whole(job, "drafted") +
               whole(job, "refining") >
           0;
}

/* `most` jobs (0: all of them); where not all fit, those at work. */
static void jobs(FILE *to, const json_t *list, int most)
{
    size_t        i, left = 0;
    const json_t *job;
    char          name[SHOWN];
    bool          choose = most > 0 && (int)json_array_size(list) > most;
    fprintf(to, "%-20s", "job");
    for (int k = 0; k < STATES; k++) fprintf(to, " %*s", wide[k], states[k]);
    fputc('\n', to);
    json_array_foreach(list, i, job)
    {
        if (choose && (!unfinished(job) || most == 0)) {
            left++;
            continue;
        }
        counts(to, shown(name, job, "job", 20), job);
        if (choose) most--;
    }
    if (left > 0) fprintf(to, "(and %zu more)\n", left);
}

static void worlds(FILE *to, const json_t *list, int most)
{
    size_t        i;
    const json_t *w;
    fprintf(to, "\n%-15s %-15s %6s %5s %6s %7s %8s %4s %6s\n", "world", "slurm job", "row", "draft",
            "refine", "passes", "tokens/s", "wire", "silent");
    json_array_foreach(list, i, w)
    {
        char host[SHOWN], slurm[SHOWN], row[24];
        if (most > 0 && (int)i == most) {
            fprintf(to, "(and %zu more)\n", json_array_size(list) - i);
            break;
        }
        snprintf(row, sizeof row, "%lld/%lld", whole(w, "row"), whole(w, "rows"));
        fprintf(to, "%-15s %-15s %6s %5lld %6lld %7lld %8.1f %3.0f%% %5.0fs\n",
                shown(host, w, "host", 15), *text(w, "slurm") ? shown(slurm, w, "slurm", 15) : "-",
                row, whole(w, "drafting"), whole(w, "refining"), whole(w, "passes"),
                real(w, "tokens_per_s"), 100 * real(w, "wire_exposed"), real(w, "silent_s"));
    }
    if (json_array_size(list) == 0) fprintf(to, "(none is here)\n");
}

/* Those of which there are any, on one line where they find room. */
static void turned_away(FILE *to, json_t *refused)
{
    const char *key;
    json_t     *value;
    int         column = fprintf(to, "turned away:");
    json_object_foreach(refused, key, value)
    {
        char word[48];
        if (json_integer_value(value) == 0) continue;
        int width = snprintf(word, sizeof word, " %lld %.24s",
                             (long long)json_integer_value(value), key);
        if (column + width > WIDTH) column = fprintf(to, "\n            ") - 1;
        column += width;
        fputs(word, to);
    }
    fprintf(to, "\n\n");
}

void board_table(FILE *to, const json_t *state, int lines)
{
    const json_t *memory = json_object_get(state, "memory");
    const json_t *guests = json_object_get(state, "guests");
    int           room = lines > FURNITURE ? (lines - FURNITURE) / 2 : lines > 0;
    fprintf(to, "up %.0f s; %lld guests; memory %lld MB, at most %lld\n",
            real(state, "up_s"), whole(guests, "here"), whole(memory, "held") >> 20,
            whole(memory, "bound") >> 20);
    turned_away(to, json_object_get(state, "refused"));
    jobs(to, json_object_get(state, "jobs"), room);
    counts(to, "(everybody)", json_object_get(state, "all"));
    worlds(to, json_object_get(state, "worlds"), room);
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

static void prometheus_guests(FILE *to, const json_t *guests)
{
    head(to, "did_guests", "gauge", "Connections to the front-end that stand.");
    fprintf(to, "did_guests %lld\n", whole(guests, "here"));
    head(to, "did_guests_admitted_total", "counter", "Connections to the front-end that were let in.");
    fprintf(to, "did_guests_admitted_total %lld\n", whole(guests, "admitted"));
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
    prometheus_guests(to, json_object_get(state, "guests"));
    head(to, "did_memory_bytes", "gauge", "What the front-end holds, held at most, and may hold.");
    json_object_foreach(json_object_get(state, "memory"), key, value)
    {
        fprintf(to, "did_memory_bytes{");
        label(to, "which", key);
        fprintf(to, "} %lld\n", (long long)json_integer_value(value));
    }
    head(to, "did_tokens_per_second", "gauge", "Tokens drawn per second, by row, smoothed.");
    prometheus_worlds(to, list, "did_tokens_per_second", "tokens_per_s");
    head(to, "did_wire_exposed", "gauge", "Share of a row's time in sums that nothing hides, smoothed.");
    prometheus_worlds(to, list, "did_wire_exposed", "wire_exposed");
    head(to, "did_talk", "gauge", "Share of a row's time in talking to the service, smoothed.");
    prometheus_worlds(to, list, "did_talk", "talk");
    head(to, "did_passes_total", "counter", "Passes of a row since its world began.");
    prometheus_worlds(to, list, "did_passes_total", "passes");
    head(to, "did_nfe_total", "counter", "Network evaluations that drew tokens, by row.");
    prometheus_worlds(to, list, "did_nfe_total", "nfe");
}
