#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonl.h"
#include "utf8.h"
#include "wish.h"

/* What is needed while reading and no longer afterwards. */
typedef struct reading {
    input             *in;
    const input_rules *rules;
    const char        *path; /* NULL: not from a file */
    long               line;
    json_t            *ids;  /* custom_id -> line it was first seen on */
    int                room; /* of in->request */
} reading;

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the requests");
}

static status reading_begin(reading *r, input *in, const char *path, const input_rules *rules)
{
    *in = (input){0};
    *r = (reading){.in = in, .rules = rules, .path = path, .ids = json_object()};
    return r->ids ? DID_OK : no_memory();
}

/* Remember the last failure as a mistake of this line and go on to the next. Memory that ran out is
 * no mistake of a line. */
static status problem(reading *r, status s, int column)
{
    input *in = r->in;
    char   where[32] = "";
    if (s == DID_ENOMEM) return s;
    if (column > 0) snprintf(where, sizeof where, ":%d", column);
    status_at(s, "%s:%ld%s", r->path, r->line, where);
    if (in->n_problems < INPUT_PROBLEMS_MAX) {
        in->problem[in->n_problems] = strdup(status_message());
        if (in->problem[in->n_problems] == NULL) return no_memory();
    }
    in->n_problems++;
    return DID_OK;
}

/* ---- from a wish to requests ---- */

/* The given tokens of a prompt: E in front, then ids; -1 is to be filled. */
typedef struct prompt {
    int32_t *id;
    int      n;
} prompt;

static status prompt_open(prompt *p, int n, int32_t end_id)
{
    p->id = malloc(((size_t)n + 1) * sizeof *p->id);
    if (p->id == NULL) return no_memory();
    p->id[0] = end_id;
    p->n = 1;
    return DID_OK;
}

static status id_check(int64_t id, size_t place, const geometry *g, bool may_be_open)
{
    if (id == g->mask_id)
        return status_fail(DID_EFORMAT,
                           "prompt_ids[%zu]: found the mask id %d; write -1 for a position to fill",
                           place, g->mask_id);
    if ((id >= 0 && id < g->vocab) || (may_be_open && id == -1)) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "prompt_ids[%zu]: found %lld, expected an id from 0 to %d or -1", place,
                       (long long)id, g->vocab - 1);
}

static status prompt_from_ids(prompt *p, const json_t *ids, const input_rules *rules)
{
    size_t n = json_array_size(ids);
    if (n > REQUEST_LENGTH_MAX)
        return status_fail(DID_EFORMAT, "prompt_ids: found %zu ids, expected at most %d", n,
                           REQUEST_LENGTH_MAX);
    TRY(prompt_open(p, (int)n, rules->end_id));
    for (size_t i = 0; i < n; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        TRY(id_check(id, i, &rules->models->shape[0], true));
        if (i == 0 && id == rules->end_id) continue;
        p->id[p->n++] = (int32_t)id;
    }
    return DID_OK;
}

static status prompt_from_text(prompt *p, const char *text, size_t size, const input_rules *rules)
{
    int32_t *ids = NULL;
    int      n = 0;
    if (rules->words == NULL)
        return status_fail(DID_EFORMAT,
                           "a prompt of text needs a tokenizer, and the model has none: "
                           "give --tokenizer, or \"prompt_ids\"");
    TRY(tokenizer_encode(rules->words, text, size, false, &ids, &n));
    status s = prompt_open(p, n, rules->end_id);
    if (s == DID_OK && n > 0) memcpy(p->id + 1, ids, (size_t)n * sizeof *ids);
    p->n += s == DID_OK ? n : 0;
    free(ids);
    return s;
}

static status prompt_read(prompt *p, const wish *w, const input_rules *rules)
{
    if (w->prompt_ids) return prompt_from_ids(p, w->prompt_ids, rules);
    if (w->prompt) return prompt_from_text(p, w->prompt, w->prompt_size, rules);
    return prompt_open(p, 0, rules->end_id);
}

/* How long the document is to be; the stages must be in already. */
static status length_choose(request *q, const wish *w, const prompt *p, const input_rules *rules)
{
    q->length = w->length ? w->length : rules->length;
    if (w->max_tokens >= 0) {
        q->length = stages_round(q->stage, q->n_stages, p->n + w->max_tokens);
        if (q->length > REQUEST_LENGTH_MAX)
            return status_fail(DID_EFORMAT,
                               "max_tokens: %d after a prompt of %d positions makes %d, at most %d "
                               "are allowed",
                               w->max_tokens, p->n, q->length, REQUEST_LENGTH_MAX);
    }
    if (p->n > q->length)
        return status_fail(DID_EFORMAT,
                           "the prompt takes %d positions (the first is <|endoftext|>) and the "
                           "length is %d",
                           p->n, q->length);
    return stages_check(q->stage, q->n_stages, q->length, rules->models);
}

static status stages_choose(request *q, const wish *w, const input_rules *rules)
{
    stage_defaults d = rules->defaults;
    if (w->temperature >= 0) d.temperature = w->temperature;
    if (w->top_p >= 0) d.nucleus = w->top_p;
    return stages_parse(q->stage, &q->n_stages, w->stages ? w->stages : rules->stages, &d,
                        rules->models);
}

static status given_fill(request *q, const prompt *p)
{
    q->given = malloc((size_t)q->length * sizeof *q->given);
    if (q->given == NULL) return no_memory();
    for (int i = 0; i < q->length; i++) {
        q->given[i] = i < p->n ? p->id[i] : -1;
        q->prompt_tokens += q->given[i] >= 0;
    }
    return DID_OK;
}

/* Everything but custom_id, sample and what is sealed. */
static status request_from(request *q, const wish *w, const input_rules *rules)
{
    prompt p = {0};
    q->has_seed = w->has_seed;
    q->seed = w->has_seed ? w->seed : rules->seed;
    q->reject = rules->reject;
    q->variable_length = w->variable_length < 0 ? rules->variable_length : w->variable_length;
    status s = stages_choose(q, w, rules);
    if (s == DID_OK) s = prompt_read(&p, w, rules);
    if (s == DID_OK) s = length_choose(q, w, &p, rules);
    if (s == DID_OK) s = given_fill(q, &p);
    free(p.id);
    if (s != DID_OK || w->n_stop == 0) return s;
    if (rules->words == NULL)
        return status_fail(DID_EFORMAT, "stop strings need a tokenizer, and the model has none");
    q->stop = calloc((size_t)w->n_stop, sizeof *q->stop);
    if (q->stop == NULL) return no_memory();
    for (; q->n_stop < w->n_stop; q->n_stop++)
        if (!(q->stop[q->n_stop] = strdup(w->stop[q->n_stop]))) return no_memory();
    return DID_OK;
}

static status copy_of(request *to, const request *from)
{
    *to = *from;
    to->custom_id = strdup(from->custom_id);
    to->given = malloc((size_t)from->length * sizeof *to->given);
    to->stop = from->n_stop ? calloc((size_t)from->n_stop, sizeof *to->stop) : NULL;
    bool good = to->custom_id && to->given && (to->stop || !from->n_stop);
    if (to->given) memcpy(to->given, from->given, (size_t)from->length * sizeof *to->given);
    if (to->stop == NULL) to->n_stop = 0;
    for (int i = 0; i < to->n_stop; i++) good &= (to->stop[i] = strdup(from->stop[i])) != NULL;
    if (good) return DID_OK;
    request_clear(to);
    return no_memory();
}

/* One more place for a request, zeroed. */
static status place(reading *r, request **out)
{
    input *in = r->in;
    if (in->n == INPUT_REQUESTS_MAX)
        return status_fail(DID_EFORMAT, "more than %d documents are asked for", INPUT_REQUESTS_MAX);
    if (in->n == r->room) {
        int      room = r->room ? 2 * r->room : 16;
        request *more = realloc(in->request, (size_t)room * sizeof *more);
        if (more == NULL) return no_memory();
        in->request = more;
        r->room = room;
    }
    *out = &in->request[in->n++];
    memset(*out, 0, sizeof **out);
    return DID_OK;
}

/* The n samples a wish asks for. When it fails nothing of it stays. */
static status wish_grant(reading *r, const wish *w)
{
    int      first = r->in->n, n = w->n ? w->n : r->rules->samples, only = r->rules->only;
    request *q;
    if (only > n)
        return status_fail(DID_EFORMAT, "sample %d of %d was asked for", only - 1, n);
    status s = place(r, &q);
    if (s == DID_OK) s = request_from(q, w, r->rules);
    if (s == DID_OK && !(q->custom_id = strdup(w->custom_id))) s = no_memory();
    if (s == DID_OK && only) q->sample = only - 1;
    for (int i = 1; s == DID_OK && i < n && !only; i++) {
        s = place(r, &q);
        if (s == DID_OK) s = copy_of(q, &r->in->request[first]);
        if (s == DID_OK) q->sample = i;
    }
    for (int i = first; s == DID_OK && i < r->in->n; i++) request_seal(&r->in->request[i]);
    while (s != DID_OK && r->in->n > first) request_clear(&r->in->request[--r->in->n]);
    if (s == DID_OK && q->length > r->in->length_max) r->in->length_max = q->length;
    return s;
}

/* ---- lines ---- */

/* On which line was this id used already? 0: on none; it is remembered now, even when its line
 * turns out to be wrong otherwise, so that its double is told as well. */
static long id_claim(reading *r, const char *custom_id)
{
    json_t *before = json_object_get(r->ids, custom_id);
    if (before) return (long)json_integer_value(before);
    json_object_set_new(r->ids, custom_id, json_integer(r->line));
    return 0;
}

static status object_read(reading *r, wish *w, const json_t *line)
{
    const char *id = json_string_value(json_object_get(line, "custom_id"));
    long        before = id ? id_claim(r, id) : 0;
    char        quoted[80];
    TRY(wish_read(w, line));
    w->key = "custom_id";
    if (before)
        return status_fail(DID_EFORMAT, "custom_id: \"%s\" was used on line %ld already",
                           utf8_quote(quoted, sizeof quoted, id, strlen(id)), before);
    w->key = NULL;
    return wish_grant(r, w);
}

static status line_json(reading *r, const char *text, size_t size)
{
    wish    w;
    int     column = 0;
    json_t *line = NULL;
    status  s = jsonl_parse(&line, text, size, &column);
    if (s != DID_OK) return problem(r, s, column);
    s = object_read(r, &w, line);
    if (s != DID_OK && w.key) column = jsonl_column(text, size, w.key, w.depth);
    if (s != DID_OK) s = problem(r, s, column);
    json_decref(line);
    return s;
}

static status line_plain(reading *r, const char *text, size_t size)
{
    char name[32];
    wish w;
    wish_init(&w);
    snprintf(name, sizeof name, "line-%ld", r->line);
    w.custom_id = name;
    w.prompt = text;
    w.prompt_size = size;
    status s = wish_grant(r, &w);
    return s == DID_OK ? DID_OK : problem(r, s, 0);
}

typedef enum { FORM_UNKNOWN, FORM_PLAIN, FORM_JSON } form;

static status line_read(reading *r, const char *text, size_t size, form *how)
{
    size_t blank = strspn(text, " \t\r");
    if (blank == size) return DID_OK;
    if (*how == FORM_UNKNOWN) *how = text[blank] == '{' ? FORM_JSON : FORM_PLAIN;
    size_t good = utf8_check(text, size);
    if (good < size) {
        status_fail(DID_EFORMAT, "not UTF-8: byte 0x%02x", (unsigned char)text[good]);
        return problem(r, DID_EFORMAT, jsonl_column_at(text, good));
    }
    return *how == FORM_JSON ? line_json(r, text, size) : line_plain(r, text, size);
}

static status lines_read(reading *r, jsonl *file)
{
    form   how = FORM_UNKNOWN;
    char  *text;
    size_t size;
    for (;;) {
        status s = jsonl_next(file, &text, &size);
        r->line = jsonl_number(file);
        if (s == DID_OK && text == NULL) return DID_OK;
        if (s == DID_OK) s = line_read(r, text, size, &how);
        else if (s == DID_EFORMAT) s = problem(r, s, 0);
        else return status_at(s, "%s", r->path);
        if (s != DID_OK) return s;
    }
}

static status verdict(const input *in, const char *path)
{
    if (in->n_problems == 1) return status_fail(DID_EFORMAT, "%s", in->problem[0]);
    if (in->n_problems > INPUT_PROBLEMS_MAX)
        return status_fail(DID_EFORMAT,
                           "%s: %d lines are wrong, the first %d were named; nothing "
                           "was generated",
                           path, in->n_problems, INPUT_PROBLEMS_MAX);
    if (in->n_problems > 1)
        return status_fail(DID_EFORMAT, "%s: %d lines are wrong; nothing was generated", path,
                           in->n_problems);
    if (in->n == 0) return status_fail(DID_EFORMAT, "%s: the file holds no lines to work on", path);
    return DID_OK;
}

/* All lines of `file`, which is called `path`. */
static status file_read(input *in, jsonl *file, const char *path, const input_rules *rules)
{
    reading r;
    TRY(reading_begin(&r, in, path, rules));
    status s = lines_read(&r, file);
    if (s == DID_OK) s = verdict(in, path);
    json_decref(r.ids);
    return s;
}

status input_read(input *in, const char *path, const input_rules *rules)
{
    jsonl *file;
    *in = (input){0};
    TRY(jsonl_open(&file, path));
    status s = file_read(in, file, path, rules);
    jsonl_close(&file);
    return s;
}

status input_parse(input *in, const char *text, size_t size, const char *where,
                   const input_rules *rules)
{
    jsonl *file;
    *in = (input){0};
    TRY(jsonl_open_text(&file, text, size));
    status s = file_read(in, file, where, rules);
    jsonl_close(&file);
    return s;
}

status input_prompt(input *in, const char *text, const input_rules *rules)
{
    reading r;
    wish    w;
    TRY(reading_begin(&r, in, NULL, rules));
    wish_init(&w);
    w.custom_id = "prompt";
    w.prompt = text;
    w.prompt_size = strlen(text);
    status s = wish_grant(&r, &w);
    json_decref(r.ids);
    return s == DID_OK ? DID_OK : status_at(s, "--prompt");
}

status input_count(input *in, int count, const input_rules *rules)
{
    reading r;
    status  s = reading_begin(&r, in, NULL, rules);
    for (int i = 0; s == DID_OK && i < count; i++) {
        char name[32];
        wish w;
        wish_init(&w);
        snprintf(name, sizeof name, "sample-%06d", i);
        w.custom_id = name;
        s = wish_grant(&r, &w);
    }
    json_decref(r.ids);
    return s;
}

void input_clear(input *in)
{
    for (int i = 0; i < in->n; i++) request_clear(&in->request[i]);
    for (int i = 0; i < INPUT_PROBLEMS_MAX; i++) free(in->problem[i]);
    free(in->request);
    *in = (input){0};
}
