#include "terms.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "samples",         "trace",   "ids",           "keep-eos",       "length",
    "variable-length", "seed",    "stages",        "sampler",        "steps",
    "order",           "nucleus", "policy",        "nucleus-rule",   "confidence",
    "temperature",     "reject",  "reject-window", "reject-entropy", "reject-restarts",
    "threshold",       "refine-cache"};
enum { NAMES = sizeof names / sizeof names[0], WORD_MAX = 4200 };
_Static_assert((int)NAMES == TERMS_MAX, "every term has a place");

static bool is_term(const char *name)
{
    for (int i = 0; i < NAMES; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

int terms_rows(option row[TERMS_ROWS_MAX])
{
    int n = 0;
    row[n++] = (option){.help = "Documents, as did generate makes them: the same for a whole job"};
    for (int i = 0; i < settings_table.n; i++) {
        const option *p = &settings_table.option[i];
        if (p->name && is_term(p->name) && n < TERMS_ROWS_MAX) row[n++] = *p;
    }
    return n;
}

/* "name value" or "name "text"", as options_line writes it. */
static int add_line(json_t *to, char *line)
{
    char *value = strchr(line, ' ');
    if (!value) return 0;
    *value++ = '\0';
    if (!is_term(line)) return 0;
    size_t len = strlen(value);
    if (len >= 2 && value[0] == '"') {
        value[len - 1] = '\0';
        value++;
    }
    return json_object_set_new(to, line, json_string(value));
}

json_t *terms_said(const options *said)
{
    json_t *object = json_object();
    char    line[2 * WORD_MAX];
    bool    given;
    int     bad = object == NULL;
    for (int i = 0; !bad && options_line(said, i, &given, line, sizeof line); i++)
        if (given) bad |= add_line(object, line);
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

static status check_term(const char *name, const json_t *value)
{
    if (!is_term(name))
        return status_fail(DID_EFORMAT, "settings: \"%.60s\" is not about documents", name);
    if (!json_is_string(value) || json_string_length(value) > WORD_MAX - 80)
        return status_fail(DID_EFORMAT, "settings: %s: expected a text, and not a long one", name);
    return DID_OK;
}

/* Into words "--name=value", which only options_read understands. */
static status to_words(terms *t, const json_t *said)
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)said); at;
         at = json_object_iter_next((json_t *)(uintptr_t)said, at)) {
        const char   *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        TRY(check_term(name, value));
        if (asprintf(&t->word[t->n], "--%s=%s", name, json_string_value(value)) < 0)
            return status_fail(DID_ENOMEM, "no memory for the settings of a job");
        t->n++;
    }
    return DID_OK;
}

status terms_read(terms *out, const json_t *said)
{
    *out = (terms){0};
    if (!json_is_object(said)) return status_fail(DID_EFORMAT, "settings: expected an object");
    TRY(to_words(out, said));
    status s = options_read(&out->said, &settings_table, &out->set, out->n, out->word);
    return s == DID_EINVAL ? status_at(DID_EFORMAT, "settings") : s;
}

void terms_clear(terms *t)
{
    options_close(&t->said);
    for (int i = 0; i < t->n; i++) free(t->word[i]);
    *t = (terms){0};
}
