#include "lattice.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const samplers[] = {"fhs", "ancestral", "quota", "threshold", NULL};
static const char *const orders[] = {"random", "left", "confident", "drawn", NULL};
static const char *const rules[] = {"exclusive", "inclusive", NULL};
static const char *const policies[] = {"lowest", "random", "posthoc", NULL};
static const char *const confidences[] = {"raw", "nucleus", NULL};
static const char *const answers[] = {"no", "yes", NULL};

typedef enum { KEY_TEXT, KEY_WORD, KEY_WHOLE, KEY_REAL } key_kind;

/* What a setting has: where its value goes, and what it may be. */
typedef struct key_row {
    const char        *name;
    bool               lists;
    key_kind           kind;
    size_t             offset; /* in spec_setting */
    const char *const *words;
    double             low, high;
    bool               open; /* low itself is not allowed */
} key_row;

#define AT(member) offsetof(spec_setting, member)

static const key_row keys[] = {
    {.name = "stages", .lists = true, .kind = KEY_TEXT},
    {"length", true, KEY_WHOLE, AT(length), .low = 2, .high = 131072},
    {"sampler", true, KEY_WORD, AT(usual.sampler), .words = samplers},
    {"steps", true, KEY_WHOLE, AT(usual.steps), .low = 1, .high = 1000000},
    {"order", true, KEY_WORD, AT(usual.order), .words = orders},
    {"nucleus", true, KEY_REAL, AT(usual.nucleus), .low = 0, .high = 1, .open = true},
    {"nucleus-rule", true, KEY_WORD, AT(usual.rule), .words = rules},
    {"temperature", true, KEY_REAL, AT(usual.temperature), .low = 0, .high = 100},
    {"policy", true, KEY_WORD, AT(usual.policy), .words = policies},
    {"confidence", true, KEY_WORD, AT(usual.confidence), .words = confidences},
    {"reject", false, KEY_WORD, AT(reject), .words = answers},
};

enum { KEYS = sizeof keys / sizeof keys[0], TEXT_MAX = 4096, NAME_MAX_BYTES = 400 };

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the settings of a spec");
}

static const key_row *known(const char *key)
{
    for (int i = 0; i < KEYS; i++)
        if (!strcmp(keys[i].name, key)) return &keys[i];
    return NULL;
}

bool lattice_knows(const char *key)
{
    return known(key) != NULL;
}

bool lattice_lists(const char *key)
{
    const key_row *k = known(key);
    return k == NULL || k->lists;
}

const lattice_line *lattice_find(const grid *g, const char *key)
{
    for (int i = 0; i < g->n; i++)
        if (!strcmp(g->row[i].key, key)) return &g->row[i];
    return NULL;
}

void lattice_clear(grid *g)
{
    for (int i = 0; i < g->n; i++) {
        free(g->row[i].key);
        free(g->row[i].value);
    }
    free(g->name);
    *g = (grid){0};
}

/* ---- values of a list ---- */

static int count_words(const char *text)
{
    int n = 0;
    for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
        text += strcspn(text, " \t");
        n++;
    }
    return n;
}

/* Word `index` of a text that has so many, malloc'ed. */
static char *word_at(const char *text, int index)
{
    text += strspn(text, " \t");
    for (; index > 0; index--) {
        text += strcspn(text, " \t");
        text += strspn(text, " \t");
    }
    return strndup(text, strcspn(text, " \t"));
}

static status unlike(const key_row *k, const char *text)
{
    char list[80] = "";
    if (k->kind == KEY_REAL)
        return status_fail(DID_EFORMAT, "%s: found \"%.40s\", expected a number %s %g to %g",
                           k->name, text, k->open ? "above" : "from", k->low, k->high);
    if (k->kind == KEY_WHOLE)
        return status_fail(DID_EFORMAT,
                           "%s: found \"%.40s\", expected a whole number from %.0f to "
                           "%.0f",
                           k->name, text, k->low, k->high);
    for (int i = 0; k->words[i]; i++) {
        strcat(list, i ? ", " : "");
        strcat(list, k->words[i]);
    }
    return status_fail(DID_EFORMAT, "%s: found \"%.40s\", expected one of %s", k->name, text, list);
}

/* One word for a key that settings have. */
static status put(spec_setting *s, const key_row *k, const char *text)
{
    char  *to = (char *)s + k->offset, *end;
    double x = strtod(text, &end);
    bool   number = end != text && *end == '\0' && x >= k->low && x <= k->high;
    int    word = 0;
    switch (k->kind) {
    case KEY_TEXT: return DID_OK;
    case KEY_WORD:
        while (k->words[word] && strcmp(k->words[word], text)) word++;
        if (!k->words[word]) return unlike(k, text);
        if (k->words == answers) *(bool *)to = word;
        else *(int *)to = word;
        return DID_OK;
    case KEY_WHOLE:
        if (!number || x != floor(x)) return unlike(k, text);
        *(int *)to = (int)x;
        return DID_OK;
    case KEY_REAL:
        if (!number || (k->open && x == k->low)) return unlike(k, text);
        *(double *)to = x;
        return DID_OK;
    }
    return DID_OK;
}

/* ---- one combination ---- */

typedef struct choice {
    const grid *common, *own;
    int         word[GRID_LINES_MAX]; /* of each line of `own` */
} choice;

/* The value that `key` has in this combination, malloc'ed; *line is where it stands. NULL when it
 * has none. */
static char *value_of(const choice *c, const char *key, size_t size, int *line)
{
    for (int g = 0; g < 2; g++) {
        const grid *from = g == 0 ? c->own : c->common;
        for (int i = 0; i < from->n; i++) {
            if (strlen(from->row[i].key) != size || memcmp(from->row[i].key, key, size)) continue;
            *line = from->row[i].line;
            return word_at(from->row[i].value, g == 0 ? c->word[i] : 0);
        }
    }
    return NULL;
}

/* Stages with every {key} filled in. */
static status fill_stages(spec_setting *s, const choice *c)
{
    char   text[TEXT_MAX];
    size_t used = 0;
    int    line = c->own->line;
    char  *from = value_of(c, "stages", strlen("stages"), &line);
    status good = from ? DID_OK
                       : status_fail(DID_EFORMAT, "%d: section \"%.60s\" has no stages",
                                     c->own->line, c->own->name);
    s->line = line;
    for (const char *p = from; good == DID_OK && *p;) {
        char  *value = NULL;
        size_t plain = strcspn(p, "{"), name = 0;
        int    ignored;
        if (p[plain] == '{') {
            name = strcspn(p + plain + 1, "}");
            value = p[plain + 1 + name] == '}' ? value_of(c, p + plain + 1, name, &ignored) : NULL;
            if (!value)
                good = status_fail(DID_EFORMAT, "%d: stages: {%.*s} is no key of section \"%.60s\"",
                                   line, (int)name, p + plain + 1, c->own->name);
        }
        size_t more = plain + (value ? strlen(value) : 0);
        if (good == DID_OK && used + more + 1 > sizeof text)
            good = status_fail(DID_EFORMAT, "%d: stages: longer than %d bytes", line, TEXT_MAX - 1);
        if (good == DID_OK) {
            memcpy(text + used, p, plain);
            if (value) memcpy(text + used + plain, value, strlen(value));
            used += more;
            p += plain + (value ? name + 2 : 0);
        }
        free(value);
    }
    free(from);
    TRY(good);
    s->stages = strndup(text, used);
    return s->stages ? DID_OK : no_memory();
}

/* Common keys first, so that the section's own win. */
static status fill_keys(spec_setting *s, const choice *c)
{
    for (int g = 0; g < 2; g++) {
        const grid *from = g == 0 ? c->common : c->own;
        for (int i = 0; i < from->n; i++) {
            const key_row *k = known(from->row[i].key);
            if (!k) continue;
            char  *word = word_at(from->row[i].value, g == 0 ? 0 : c->word[i]);
            status good = word ? put(s, k, word) : no_memory();
            free(word);
            if (good != DID_OK) return status_at(good, "%d", from->row[i].line);
        }
    }
    return DID_OK;
}

static status add_value(spec_setting *s, const lattice_line *row, int word)
{
    char *end;
    if (s->n_values == SPEC_VALUES_MAX)
        return status_fail(DID_EFORMAT, "%d: %s: more than %d keys of a section vary", row->line,
                           row->key, SPEC_VALUES_MAX);
    spec_value *v = &s->value[s->n_values++];
    v->key = strdup(row->key);
    v->text = word_at(row->value, word);
    if (!v->key || !v->text) return no_memory();
    v->number = strtod(v->text, &end);
    if (end == v->text || *end) v->number = NAN;
    return DID_OK;
}

static status fill_name(spec_setting *s, const choice *c)
{
    char   name[NAME_MAX_BYTES];
    size_t used = (size_t)snprintf(name, sizeof name, "%s", c->own->name);
    for (int i = 0; i < s->n_values && used < sizeof name; i++)
        used += (size_t)snprintf(name + used, sizeof name - used, " %s=%s", s->value[i].key,
                                 s->value[i].text);
    if (used >= sizeof name)
        return status_fail(DID_EFORMAT, "%d: the name of a setting is longer than %d bytes",
                           c->own->line, NAME_MAX_BYTES - 1);
    s->name = strdup(name);
    return s->name ? DID_OK : no_memory();
}

static status fill(spec_setting *s, const choice *c, int section)
{
    *s = (spec_setting){.section = section,
                        .usual = {.sampler = -1, .nucleus = 0.9, .temperature = 1}};
    TRY(fill_keys(s, c));
    for (int i = 0; i < c->own->n; i++)
        if (lattice_lists(c->own->row[i].key) && count_words(c->own->row[i].value) > 1)
            TRY(add_value(s, &c->own->row[i], c->word[i]));
    TRY(fill_stages(s, c));
    return fill_name(s, c);
}

/* ---- all combinations ---- */

/* A key that nobody knows must at least be used. */
static status check_used(const grid *g)
{
    const lattice_line *stages = lattice_find(g, "stages");
    for (int i = 0; i < g->n; i++) {
        const lattice_line *row = &g->row[i];
        char             mark[80];
        snprintf(mark, sizeof mark, "{%.70s}", row->key);
        if (known(row->key) || (stages && strstr(stages->value, mark))) continue;
        return status_fail(DID_EFORMAT,
                           "%d: found \"%.60s\", which no setting has and the section's stages do "
                           "not use as %.70s",
                           row->line, row->key, mark);
    }
    return DID_OK;
}

static status check_lists(const grid *g)
{
    for (int i = 0; i < g->n; i++)
        if (!lattice_lists(g->row[i].key) && count_words(g->row[i].value) > 1)
            return status_fail(DID_EFORMAT, "%d: %s: found \"%.60s\", expected one value",
                               g->row[i].line, g->row[i].key, g->row[i].value);
    return DID_OK;
}

/* The next combination: the last list turns fastest. False after the last one. */
static bool turn(choice *c)
{
    for (int i = c->own->n - 1; i >= 0; i--) {
        if (++c->word[i] < count_words(c->own->row[i].value)) return true;
        c->word[i] = 0;
    }
    return false;
}

status lattice_expand(spec *out, const grid *common, const grid *g, int section)
{
    choice c = {.common = common, .own = g};
    TRY(check_used(g));
    TRY(check_lists(g));
    do {
        if (out->n_settings == SPEC_SETTINGS_MAX)
            return status_fail(DID_EFORMAT, "%d: more than %d settings", g->line,
                               SPEC_SETTINGS_MAX);
        size_t        n = (size_t)out->n_settings + 1;
        spec_setting *more = realloc(out->setting, n * sizeof *more);
        if (!more) return no_memory();
        out->setting = more;
        spec_setting *s = &more[out->n_settings++];
        TRY(fill(s, &c, section));
    } while (turn(&c));
    return DID_OK;
}
