#include "manuscript.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "jsontext.h"
#include "request.h"

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the texts");
}

status manuscript_open(manuscript *m, int n)
{
    size_t size = (size_t)n;
    *m = (manuscript){.n = n,
                      .token = calloc(size, sizeof *m->token),
                      .given = calloc(size, sizeof *m->given),
                      .confidence = calloc(size, sizeof *m->confidence)};
    if (!m->token || !m->given || !m->confidence) return no_memory();
    m->given[0] = true;
    return DID_OK;
}

void manuscript_clear(manuscript *m)
{
    free(m->token);
    free(m->given);
    free(m->confidence);
    *m = (manuscript){0};
}

static bool has(const excerpt *e, const char *key)
{
    const json_t *value = json_object_get(e->line, key);
    return value && !json_is_null(value);
}

/* ---- tokens ---- */

/* E, unless the ids begin with it, and then ids[n]. */
static status take_ids(manuscript *m, const int32_t *ids, int n, int32_t end_id)
{
    int front = n > 0 && ids[0] == end_id ? 0 : 1;
    if (n + front > REQUEST_LENGTH_MAX)
        return status_fail(DID_EFORMAT, "found %d tokens, expected at most %d", n + front,
                           REQUEST_LENGTH_MAX);
    if (n + front < 2) return status_fail(DID_EFORMAT, "the text holds nothing to refine");
    TRY(manuscript_open(m, n + front));
    m->token[0] = end_id;
    memcpy(m->token + front, ids, (size_t)n * sizeof *ids);
    return DID_OK;
}

static status encode(int32_t **ids, int *n, const char *text, size_t size, const tokenizer *words)
{
    if (words) return tokenizer_encode(words, text, size, true, ids, n);
    return status_fail(DID_EFORMAT, "a text needs a tokenizer, and the model has none: give "
                                    "--tokenizer, or lines with \"ids\"");
}

/* A prompt is encoded apart from what follows it, as it was when somebody went on from there. */
static status read_prompted(manuscript *m, const excerpt *e, const char *prompt, size_t size,
                            const tokenizer *words, int32_t end_id)
{
    int32_t *head = NULL, *tail = NULL;
    int      n_head = 0, n_tail = 0;
    if (size > e->text_size || memcmp(e->text, prompt, size) != 0)
        return status_fail(DID_EFORMAT, "prompt: the text does not begin with it");
    TRY(encode(&head, &n_head, prompt, size, words));
    status s = encode(&tail, &n_tail, e->text + size, e->text_size - size, words);
    int32_t *all = s == DID_OK ? malloc(((size_t)n_head + (size_t)n_tail + 1) * sizeof *all) : NULL;
    if (s == DID_OK && !all) s = no_memory();
    if (s == DID_OK) {
        if (n_head > 0) memcpy(all, head, (size_t)n_head * sizeof *all);
        if (n_tail > 0) memcpy(all + n_head, tail, (size_t)n_tail * sizeof *all);
        s = take_ids(m, all, n_head + n_tail, end_id);
    }
    for (int i = 0; s == DID_OK && i < m->n - n_tail; i++) m->given[i] = true;
    free(all);
    free(head);
    free(tail);
    return s;
}

static status read_text(manuscript *m, const excerpt *e, const tokenizer *words, int32_t end_id)
{
    int32_t    *ids = NULL;
    int         n = 0;
    const char *prompt;
    if (has(e, "prompt") && !has(e, "given")) {
        TRY(field_text(e->line, "prompt", &prompt));
        size_t size = json_string_length(json_object_get(e->line, "prompt"));
        return read_prompted(m, e, prompt, size, words, end_id);
    }
    TRY(encode(&ids, &n, e->text, e->text_size, words));
    status s = take_ids(m, ids, n, end_id);
    free(ids);
    return s;
}

static status read_ids(manuscript *m, const excerpt *e, const geometry *g, int32_t end_id)
{
    int32_t *ids;
    int      n;
    TRY(excerpt_ids(&ids, &n, e->ids, "ids", g, end_id));
    status s = take_ids(m, ids, n, end_id);
    free(ids);
    return s;
}

/* ---- lists beside the tokens ---- */

/* The list `key` with an element for each token, or for each but the E in front, which *skip then
 * is 1 for. */
static status list_of(const excerpt *e, const char *key, int n, const json_t **list, int *skip)
{
    TRY(field_array(e->line, key, -1, list));
    size_t found = json_array_size(*list);
    *skip = found == (size_t)n - 1;
    if (found == (size_t)n || *skip) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: found %zu elements, expected %d, as many as tokens", key,
                       found, n - 1);
}

static status read_given(manuscript *m, const excerpt *e)
{
    const json_t *list;
    int           skip, whole = 1;
    if (has(e, "given")) {
        TRY(list_of(e, "given", m->n, &list, &skip));
        for (int i = skip; i < m->n; i++) {
            int32_t flag = 0;
            status  s = field_whole(json_array_get(list, (size_t)(i - skip)), "given", 0, 1, &flag);
            if (s != DID_OK) return status_at(s, "element %d", i - skip);
            m->given[i] = i == 0 || flag == 1;
        }
    } else if (has(e, "prompt_tokens") && !has(e, "prompt")) {
        TRY(field_int(e->line, "prompt_tokens", 0, m->n, &whole));
        for (int i = 0; i < whole; i++) m->given[i] = true;
    }
    return DID_OK;
}

static status read_confidences(manuscript *m, const excerpt *e)
{
    const json_t *list;
    int           skip;
    char          shown[JSONTEXT_SHOWN];
    if (!has(e, "confidences")) return DID_OK;
    TRY(list_of(e, "confidences", m->n, &list, &skip));
    for (int i = skip; i < m->n; i++) {
        const json_t *one = json_array_get(list, (size_t)(i - skip));
        double        x = json_number_value(one);
        if (json_is_null(one)) m->given[i] = true;
        else if (!json_is_number(one) || !(x >= 0 && x <= 1))
            return status_fail(DID_EFORMAT,
                               "confidences: element %d is %s, expected a probability or null",
                               i - skip, jsontext_show(shown, one));
        else m->confidence[i] = (float)fabs(x); /* minus nothing is nothing */
    }
    m->known = true;
    return DID_OK;
}

status manuscript_read(manuscript *m, const excerpt *e, const tokenizer *words, const geometry *g,
                       int32_t end_id)
{
    *m = (manuscript){0};
    if (has(e, "ids") && has(e, "prompt") && !has(e, "given"))
        return status_fail(DID_EFORMAT, "prompt: it belongs to a text; beside \"ids\" say "
                                        "\"given\" or \"prompt_tokens\"");
    if (e->ids) TRY(read_ids(m, e, g, end_id));
    else TRY(read_text(m, e, words, end_id));
    if (!e->line) return DID_OK;
    TRY(read_given(m, e));
    return read_confidences(m, e);
}
