#include "timesheet.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonl.h"
#include "log.h"

struct timesheet {
    FILE *file;
    char *path;
    bool  torn; /* something could not be written */
};

/* Does the file end in the middle of a line? */
static bool unfinished(FILE *file)
{
    return fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n';
}

static status begin(timesheet *t, const char *path)
{
    t->path = strdup(path);
    t->file = fopen(path, "a+e");
    if (!t->path) return status_fail(DID_ENOMEM, "no memory for the times of a sweep");
    if (!t->file) return status_fail(DID_EIO, "cannot write %s: %s", path, strerror(errno));
    if (unfinished(t->file)) fputc('\n', t->file);
    return DID_OK;
}

status timesheet_open(timesheet **out, const char *path)
{
    timesheet *t = *out = calloc(1, sizeof *t);
    if (!t) return status_fail(DID_ENOMEM, "no memory for the times of a sweep");
    status s = begin(t, path);
    if (s == DID_OK) return s;
    if (t->file) fclose(t->file);
    free(t->path);
    free(t);
    *out = NULL;
    return s;
}

void timesheet_note(timesheet *t, const char *custom_id, double seconds, const char *after)
{
    json_t *o = json_pack("{s:s, s:f}", "custom_id", custom_id, "seconds", seconds);
    if (o && after) t->torn |= json_object_set_new(o, "after", json_string(after)) != 0;
    t->torn |= !o || json_dumpf(o, t->file, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0;
    t->torn |= fputc('\n', t->file) == EOF || fflush(t->file) != 0;
    json_decref(o);
}

status timesheet_close(timesheet **out)
{
    timesheet *t = *out;
    status     s = DID_OK;
    *out = NULL;
    if (!t) return s;
    t->torn |= fclose(t->file) != 0;
    if (t->torn) s = status_fail(DID_EIO, "cannot write %s", t->path);
    free(t->path);
    free(t);
    return s;
}

/* Keep the line under its document's name. */
static bool keep(json_t *lines, const char *text, size_t size)
{
    int         column;
    json_t     *line = NULL;
    bool        good = jsonl_parse(&line, text, size, &column) == DID_OK;
    const char *id = json_string_value(json_object_get(line, "custom_id"));
    double      seconds = json_number_value(json_object_get(line, "seconds"));
    good = good && id && json_is_number(json_object_get(line, "seconds")) && seconds >= 0;
    good = good && json_object_set(lines, id, line) == 0;
    json_decref(line);
    return good;
}

static status keep_all(json_t *lines, const char *path)
{
    jsonl *file = NULL;
    char  *text = NULL;
    size_t size;
    int    lost = 0;
    TRY(jsonl_open(&file, path));
    status s = jsonl_next(file, &text, &size);
    for (; s == DID_OK && text; s = jsonl_next(file, &text, &size))
        lost += size > 0 && !keep(lines, text, size);
    jsonl_close(&file);
    if (lost > 0) log_warn("sweep", "%s: %d lines are no times and were passed over", path, lost);
    return s;
}

/* With what came before; NAN where that is not known. A document goes on from at most as many as it
 * has stages. */
static double whole_of(const json_t *lines, const json_t *line)
{
    double sum = 0;
    for (int k = 0; k < STAGES_MAX; k++) {
        const char *after = json_string_value(json_object_get(line, "after"));
        sum += json_number_value(json_object_get(line, "seconds"));
        if (!after) return sum;
        if (!(line = json_object_get(lines, after))) break;
    }
    return NAN;
}

status timesheet_read(harvest *h, const char *path)
{
    const char *id;
    json_t     *lines = json_object(), *line;
    if (!lines) return status_fail(DID_ENOMEM, "no memory for the times of a sweep");
    status s = keep_all(lines, path);
    if (s == DID_OK) json_object_foreach(lines, id, line) harvest_time(h, id, whole_of(lines, line));
    json_decref(lines);
    return s;
}
