#include "specimens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "excerpt.h"
#include "field.h"
#include "quality.h"
#include "tidy.h"

typedef struct collecting {
    specimens             *to;
    const specimens_rules *rules;
} collecting;

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the texts");
}

/* ---- from text to ids ---- */

/* Encode text[size] with E in front; what lies beyond `length` (0: nothing) is dropped. */
static status encode(specimen *s, const char *text, size_t size, int length,
                     const specimens_rules *rules)
{
    int32_t *ids = NULL;
    int      n = 0;
    TRY(tokenizer_encode(rules->words, text, size, true, &ids, &n));
    bool ended = n > 0 && ids[0] == rules->end_id;
    s->told = malloc(((size_t)n + 1) * sizeof *s->told);
    if (!s->told) {
        free(ids);
        return no_memory();
    }
    s->told[0] = rules->end_id;
    if (n > ended) memcpy(s->told + 1, ids + ended, (size_t)(n - ended) * sizeof *ids);
    s->n_told = n - ended + 1;
    if (length > 0 && s->n_told > length) s->n_told = length;
    free(ids);
    return DID_OK;
}

/* The text the ids stand for, as a library that knows no broken characters would give it. */
static status decode(char **out, size_t *size, const specimen *s, const specimens_rules *rules)
{
    char  *raw = NULL;
    size_t raw_size = 0;
    TRY(tokenizer_decode(rules->words, s->ids, s->n_ids, true, &raw, &raw_size));
    status done = tokenizer_repair(raw, raw_size, out, size);
    free(raw);
    return done;
}

static status tell(specimen *s, const excerpt *e, const specimens_rules *rules)
{
    char  *text = NULL;
    size_t size = e->text_size;
    int    length = rules->length ? rules->length : s->n_ids;
    if (!rules->words)
        return status_fail(DID_EFORMAT, "a text needs a tokenizer, and the model has none: give "
                                        "--tokenizer, or lines with \"ids\"");
    if (s->ids) {
        TRY(decode(&text, &size, s, rules));
    } else {
        text = malloc(size + 1);
        if (!text) return no_memory();
        memcpy(text, e->text, size);
        text[size] = '\0';
    }
    if (rules->cleanup) tidy_text(text, &size);
    status done = encode(s, text, size, length, rules);
    free(text);
    return done;
}

/* ---- one line ---- */

static void cut(int32_t *ids, int *n, specimens *to, const specimens_rules *rules)
{
    if (!ids || rules->length_max == 0 || *n <= rules->length_max) return;
    *n = rules->length_max;
    to->cut++;
}

/* One stage's ids (NULL: the line has none), and the text where it is wanted or all there is. */
static status make(collecting *c, specimen *s, const excerpt *e, const json_t *ids,
                   const char *name)
{
    const specimens_rules *rules = c->rules;
    bool                   both = rules->want == WANT_BOTH && rules->words;
    if (ids) TRY(excerpt_ids(&s->ids, &s->n_ids, ids, name, rules->shape, rules->end_id));
    if (rules->want == WANT_TEXT || both || !ids) TRY(tell(s, e, rules));
    if (s->ids && rules->length && s->n_ids > rules->length) s->n_ids = rules->length;
    cut(s->ids, &s->n_ids, c->to, rules);
    cut(s->told, &s->n_told, c->to, rules);
    return DID_OK;
}

/* Ids are of use where they mean the same words: our records say which id their E was. */
static status same_words(const excerpt *e, const specimens_rules *rules, bool *same)
{
    int end_id;
    *same = true;
    if (!e->trace) return DID_OK;
    TRY(field_int(e->trace, "end_id", -1, INT32_MAX, &end_id));
    *same = end_id == rules->end_id;
    if (*same || (rules->want == WANT_TEXT && e->text)) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "the ids are of another tokenizer than the model's (<|endoftext|> is %d "
                       "there, %d here); --text scores the texts",
                       end_id, rules->end_id);
}

/* Which positions were given, as far as `n` of them. */
static status given_of(bool **out, const json_t *trace, int n)
{
    const json_t *given;
    TRY(field_array(trace, "given", -1, &given));
    *out = malloc(((size_t)n + 1) * sizeof **out);
    if (!*out) return no_memory();
    for (int i = 0; i < n; i++)
        (*out)[i] = json_integer_value(json_array_get(given, (size_t)i)) >= 0;
    return DID_OK;
}

/* How much of the draft was edited until this stage left it. */
static status compare(specimen *s, const json_t *trace, const json_t *draft,
                      const specimens_rules *rules)
{
    int32_t *before = NULL;
    bool    *given = NULL;
    int      n = 0;
    TRY(excerpt_ids(&before, &n, draft, "trace left 1", rules->shape, rules->end_id));
    if (n > s->n_ids) n = s->n_ids;
    status done = given_of(&given, trace, n);
    if (done == DID_OK) s->edited = quality_edited(before, s->ids, given, n);
    free(before);
    free(given);
    return done;
}

static status traced(collecting *c, specimens_sample *sample, const excerpt *e)
{
    const specimens_rules *rules = c->rules;
    const json_t          *left;
    char                   name[32];
    TRY(field_array(e->trace, "left", -1, &left));
    int n = (int)json_array_size(left), first = rules->stage, last = rules->stage;
    if (n < 1 || n > STAGES_MAX)
        return status_fail(DID_EFORMAT, "trace left: found %d stages, expected 1 to %d", n,
                           STAGES_MAX);
    if (rules->stage == SPECIMENS_LAST) first = last = n - 1;
    if (rules->stage == SPECIMENS_ALL) first = 0, last = n - 1;
    if (first >= n)
        return status_fail(DID_EFORMAT, "--stage %d: the record has %d stages", first + 1, n);
    for (int k = first; k <= last; k++) {
        specimen *s = &sample->of[sample->n++];
        *s = (specimen){.stage = k, .edited = NAN};
        snprintf(name, sizeof name, "trace left %d", k + 1);
        TRY(make(c, s, e, json_array_get(left, (size_t)k), name));
        if (s->ids) TRY(compare(s, e->trace, json_array_get(left, 0), rules));
    }
    return DID_OK;
}

static status untraced(collecting *c, specimens_sample *sample, const excerpt *e, bool use_ids)
{
    const specimens_rules *rules = c->rules;
    const json_t          *ids = use_ids ? e->ids : NULL;
    specimen              *s = &sample->of[sample->n++];
    *s = (specimen){.edited = NAN};
    if (rules->stage != SPECIMENS_LAST && !e->trace)
        return status_fail(DID_EFORMAT,
                           "--stage needs records that were made with --trace; this one was not");
    if (rules->want == WANT_IDS && !ids)
        return status_fail(DID_EFORMAT, "--raw-ids needs \"ids\", and the line has none");
    return make(c, s, e, ids, "ids");
}

static status place(specimens *to, specimens_sample **out)
{
    if (to->n == to->room) {
        int               room = to->room ? 2 * to->room : 64;
        specimens_sample *more = realloc(to->sample, (size_t)room * sizeof *more);
        if (!more) return no_memory();
        to->sample = more;
        to->room = room;
    }
    *out = &to->sample[to->n++];
    **out = (specimens_sample){0};
    return DID_OK;
}

static status collect(void *context, const excerpt *e)
{
    collecting       *c = context;
    specimens_sample *sample = NULL;
    bool              same;
    TRY(place(c->to, &sample));
    sample->sample = e->sample;
    sample->custom_id = strdup(e->custom_id);
    if (!sample->custom_id) return no_memory();
    TRY(same_words(e, c->rules, &same));
    if (e->trace && same) TRY(traced(c, sample, e));
    else TRY(untraced(c, sample, e, same));
    if (sample->n > c->to->stages) c->to->stages = sample->n;
    return DID_OK;
}

static status verdict(const specimens *s, const char *path)
{
    if (s->n > 0) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: the file holds no texts%s", path,
                       s->left_out ? " that were finished" : "");
}

status specimens_read(specimens *s, const char *path, const specimens_rules *rules)
{
    collecting c = {s, rules};
    *s = (specimens){0};
    TRY(excerpt_each(path, collect, &c, &s->left_out));
    return verdict(s, path);
}

status specimens_parse(specimens *s, const char *text, size_t size, const char *where,
                       const specimens_rules *rules)
{
    collecting c = {s, rules};
    *s = (specimens){0};
    TRY(excerpt_each_of(text, size, where, collect, &c, &s->left_out));
    return verdict(s, where);
}

void specimens_clear(specimens *s)
{
    for (int i = 0; i < s->n; i++) {
        for (int k = 0; k < s->sample[i].n; k++) {
            free(s->sample[i].of[k].ids);
            free(s->sample[i].of[k].told);
        }
        free(s->sample[i].custom_id);
    }
    free(s->sample);
    *s = (specimens){0};
}
