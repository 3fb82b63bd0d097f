#include "submission.h"

#include <stdlib.h>
#include <string.h>

#include "expanse.h"
#include "jsonl.h"
#include "message.h"
#include "terms.h"
#include "utf8.h"
#include "wish.h"

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for a submission");
}

/* What a line is held against. */
typedef struct reading {
    submission *to;
    int         samples, length;
} reading;

static status keep(const reading *r, const json_t *object, const wish *w)
{
    submission *to = r->to;
    int         samples = w->n ? w->n : r->samples;
    char      **kept = &to->text[2 * to->n];
    if (samples > SUBMISSION_DOCUMENTS - to->documents)
        return status_fail(DID_EFORMAT, "more than %d documents in one message",
                           SUBMISSION_DOCUMENTS);
    kept[0] = strdup(w->custom_id);
    kept[1] = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    to->n++;
    to->documents += samples;
    if (!kept[0] || !kept[1]) return no_memory();
    to->line[to->n - 1] =
        (store_line){kept[0], samples, kept[1], expanse_of(w, strlen(kept[1]), r->length)};
    return DID_OK;
}

static status add_line(const reading *r, const char *text, size_t size)
{
    json_t *object;
    wish    w;
    int     column;
    if (r->to->n == SUBMISSION_LINES)
        return status_fail(DID_EFORMAT, "more than %d lines in one message", SUBMISSION_LINES);
    if (utf8_check(text, size) < size) return status_fail(DID_EFORMAT, "not UTF-8");
    if (message_deep(text, size, MESSAGE_DEPTH_MAX))
        return status_fail(DID_EFORMAT, "nests deeper than %d", MESSAGE_DEPTH_MAX);
    TRY(jsonl_parse(&object, text, size, &column));
    status s = wish_read(&w, object);
    if (s == DID_OK) s = keep(r, object, &w);
    json_decref(object);
    return s;
}

static status read_lines(const reading *r, const char *bytes, size_t length)
{
    jsonl *lines;
    char  *text;
    size_t size;
    TRY(jsonl_open_text(&lines, bytes, length));
    status s = jsonl_next(lines, &text, &size);
    while (s == DID_OK && text) {
        if (size > 0) s = add_line(r, text, size);
        if (s == DID_EFORMAT) s = status_at(s, "line %ld", jsonl_number(lines));
        if (s == DID_OK) s = jsonl_next(lines, &text, &size);
    }
    jsonl_close(&lines);
    return s;
}

static status read_all(submission *to, const json_t *said, const char *text, size_t size)
{
    terms   t;
    reading r = {.to = to};
    status  s = terms_read(&t, said);
    r.samples = t.set.samples;
    terms_clear(&t);
    TRY(s);
    to->terms = json_dumps(said, JSON_COMPACT | JSON_SORT_KEYS);
    if (!to->terms) return no_memory();
    r.length = expanse_length(to->terms);
    return read_lines(&r, text, size);
}

status submission_read(submission **out, const json_t *said, const char *text, size_t size)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return no_memory();
    status s = read_all(*out, said, text, size);
    if (s != DID_OK) submission_close(out);
    return s;
}

void submission_close(submission **out)
{
    submission *s = *out;
    *out = NULL;
    if (!s) return;
    for (int i = 0; i < 2 * s->n; i++) free(s->text[i]);
    free(s->terms);
    free(s);
}
