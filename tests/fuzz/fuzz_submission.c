/* What a client submits: the terms of its job on the first line, then its documents. */
#include <jansson.h>

#include "expanse.h"
#include "fuzz.h"
#include "submission.h"

static void check(const submission *s)
{
    int documents = 0;
    assert(s->terms && s->n >= 0 && s->n <= SUBMISSION_LINES);
    for (int i = 0; i < s->n; i++) {
        const store_line *l = &s->line[i];
        assert(l->custom_id[0] && l->samples >= 1 && l->samples <= REQUEST_SAMPLES_MAX);
        assert(l->bytes == expanse_of_line(l->line, expanse_length(s->terms)));
        assert(l->bytes > (int64_t)strlen(l->line) && !strchr(l->line, '\n'));
        documents += l->samples;
    }
    assert(documents == s->documents && documents <= SUBMISSION_DOCUMENTS);
}

/* What is kept of a line is read as the same line: a document that is submitted again is known. */
static void once_more(const submission *s)
{
    char       *text = NULL;
    size_t      size = 0;
    submission *again;
    json_t     *terms = json_loads(s->terms, 0, NULL);
    FILE       *to = open_memstream(&text, &size);
    assert(terms && to);
    for (int i = 0; i < s->n; i++) fprintf(to, "%s\n", s->line[i].line);
    fclose(to);
    assert(submission_read(&again, terms, text, size) == DID_OK);
    assert(again->n == s->n && !strcmp(again->terms, s->terms));
    for (int i = 0; i < s->n; i++) {
        assert(!strcmp(again->line[i].line, s->line[i].line));
        assert(!strcmp(again->line[i].custom_id, s->line[i].custom_id));
        assert(again->line[i].samples == s->line[i].samples);
    }
    submission_close(&again);
    json_decref(terms);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t         first = end ? (size_t)(end - data) : size;
    json_t        *terms = json_loadb((const char *)data, first, JSON_REJECT_DUPLICATES, NULL);
    const char    *lines = end ? (const char *)end + 1 : "";
    submission    *s;
    status         found = submission_read(&s, terms, lines, end ? size - first - 1 : 0);
    if (found == DID_OK) {
        check(s);
        once_more(s);
    } else {
        fuzz_refused(found, DID_EFORMAT);
        assert(!s);
    }
    submission_close(&s);
    json_decref(terms);
    return 0;
}
