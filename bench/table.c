#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table {
    FILE         *people, *json;
    const column *columns;
    int           n, invalid;
};

status table_open(table **out, FILE *people, const char *json)
{
    table *t = calloc(1, sizeof *t);
    *out = t;
    if (!t) return status_fail(DID_ENOMEM, "no memory for a table");
    t->people = people;
    if (json && !(t->json = fopen(json, "w"))) {
        free(t);
        *out = NULL;
        return status_fail(DID_EIO, "--json %s: %s", json, strerror(errno));
    }
    return DID_OK;
}

status table_close(table **out)
{
    table *t = *out;
    *out = NULL;
    if (!t) return DID_OK;
    if (t->invalid > 0) fprintf(t->people, "\n%d INVALID\n", t->invalid);
    int lost = fflush(t->people) != 0 || ferror(t->people);
    if (t->json) {
        lost |= ferror(t->json);
        lost |= fclose(t->json) != 0;
    }
    free(t);
    return lost ? status_fail(DID_EIO, "the results could not be written") : DID_OK;
}

void table_begin(table *t, const char *title, const column *columns, int n)
{
    if (!t) return;
    t->columns = columns;
    t->n = n;
    fprintf(t->people, "\n%s\n", title);
    for (int i = 0; i < n; i++)
        fprintf(t->people, "%s%*s", i ? "  " : "", columns[i].width, columns[i].title);
    fputc('\n', t->people);
    fflush(t->people);
}

static void cell(FILE *to, const column *c, const json_t *value)
{
    if (json_is_string(value)) fprintf(to, "%*s", c->width, json_string_value(value));
    else if (json_is_integer(value))
        fprintf(to, "%*lld", c->width, (long long)json_integer_value(value));
    else if (json_is_real(value))
        fprintf(to, "%*.*f", c->width, c->decimals, json_real_value(value));
    else fprintf(to, "%*s", c->width, "-");
}

/* What a wrong line has before its first missing column tells which it is. */
static void show(const table *t, const json_t *line, int invalid)
{
    for (int i = 0; i < t->n; i++) {
        const json_t *value = json_object_get(line, t->columns[i].key);
        if (invalid && !value) break;
        if (i) fputs("  ", t->people);
        cell(t->people, &t->columns[i], value);
    }
    if (invalid)
        fprintf(t->people, "  INVALID: %s", json_string_value(json_object_get(line, "why")));
    fputc('\n', t->people);
    fflush(t->people);
}

void table_line(table *t, json_t *line)
{
    if (t) {
        int invalid = json_is_false(json_object_get(line, "valid"));
        t->invalid += invalid;
        if (t->n > 0) show(t, line, invalid);
        if (t->json) {
            json_dumpf(line, t->json, JSON_COMPACT | JSON_REAL_PRECISION(7));
            fputc('\n', t->json);
            fflush(t->json);
        }
    }
    json_decref(line);
}

void table_remark(table *t, const char *fmt, ...)
{
    if (!t) return;
    va_list args;
    va_start(args, fmt);
    vfprintf(t->people, fmt, args);
    va_end(args);
    fputc('\n', t->people);
    fflush(t->people);
}

int table_invalid(const table *t)
{
    return t ? t->invalid : 0;
}

void table_times(json_t *line, const measured *m)
{
    char slowest[MEASURE_HOST + 16];
    snprintf(slowest, sizeof slowest, "r%d %s", m->slowest, m->host);
    json_object_set_new(line, "ms_min", json_real(1e3 * m->min));
    json_object_set_new(line, "ms_median", json_real(1e3 * m->median));
    json_object_set_new(line, "ms_max", json_real(1e3 * m->max));
    json_object_set_new(line, "slowest", json_string(slowest));
    json_object_set_new(line, "samples", json_integer(m->samples));
    json_object_set_new(line, "calls", json_integer(m->calls));
}

void table_seconds(json_t *line, const measured *m)
{
    table_times(line, m);
    json_object_set_new(line, "s_min", json_real(m->min));
    json_object_set_new(line, "s_median", json_real(m->median));
    json_object_set_new(line, "s_max", json_real(m->max));
}

void table_check(json_t *line, bool wrong, const char *why)
{
    json_object_set_new(line, "valid", json_boolean(!wrong));
    json_object_set_new(line, "check", json_string(wrong ? "FAILED" : "PASSED"));
    if (wrong) json_object_set_new(line, "why", json_string(why));
}
