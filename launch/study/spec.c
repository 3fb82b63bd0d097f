#include "spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lattice.h"

/* What is needed while reading. */
typedef struct reading {
    spec *out;
    grid  common, own;         /* own.name is NULL before the first section */
    int   line;                /* 0: what is read stands in the changes */
    char *baseline, *frontier; /* names, until all settings are known */
    int   baseline_line, frontier_line;
    char *changes; /* keys that the file says in vain, ";" between and behind them */
} reading;

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for a spec");
}

/* Sentences begin with the line here and get the file's name at the door. */
static status wrong(const reading *r, const char *what, const char *found, const char *expected)
{
    return status_fail(DID_EFORMAT, "%d: %s: found \"%.60s\", expected %s", r->line, what, found,
                       expected);
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    for (size_t n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]);) text[--n] = '\0';
    return text;
}

/* A "#" in front, or after a blank, begins a comment. */
static void cut_comment(char *text)
{
    for (char *p = text; (p = strchr(p, '#')); p++)
        if (p == text || isspace((unsigned char)p[-1])) {
            *p = '\0';
            return;
        }
}

/* ---- keys of the whole spec ---- */

static status replace(char **to, const char *text)
{
    free(*to);
    *to = strdup(text);
    return *to ? DID_OK : no_memory();
}

/* One more sentence of an `about`. */
static status append(char **to, const char *text)
{
    char *longer;
    if (asprintf(&longer, "%s%s%s", *to, **to ? " " : "", text) < 0) return no_memory();
    free(*to);
    *to = longer;
    return DID_OK;
}

static status seeds_read(reading *r, const char *value)
{
    spec *s = r->out;
    for (s->n_seeds = 0; *value; value += strspn(value, " \t")) {
        char *end;
        errno = 0;
        uint64_t seed = strtoull(value, &end, 10);
        if (!isdigit((unsigned char)*value) || errno || (*end && !isspace((unsigned char)*end)))
            return wrong(r, "seeds", value, "whole numbers");
        for (int i = 0; i < s->n_seeds; i++)
            if (s->seed[i] == seed) return wrong(r, "seeds", value, "each seed once");
        if (s->n_seeds == SPEC_SEEDS_MAX) return wrong(r, "seeds", value, "at most 64 seeds");
        s->seed[s->n_seeds++] = seed;
        value = end;
    }
    return DID_OK;
}

static status documents_read(reading *r, const char *value)
{
    char *end;
    long  n = strtol(value, &end, 10);
    if (*end || n < 1 || n > SPEC_DOCUMENTS_MAX)
        return wrong(r, "documents", value, "a whole number from 1 to 100000");
    r->out->documents = (int)n;
    return DID_OK;
}

static status claim_add(reading *r, const char *value)
{
    spec  *s = r->out;
    claim *more = realloc(s->claim, ((size_t)s->n_claims + 1) * sizeof *more);
    if (!more) return no_memory();
    s->claim = more;
    status good = claim_parse(&more[s->n_claims++], value);
    more[s->n_claims - 1].line = r->line;
    return good == DID_OK ? good : status_at(good, "%d", r->line);
}

/* Has this key been changed, so that the file's word does not count? */
static bool overruled(const reading *r, const char *key)
{
    const char *at = r->changes;
    for (; at && *at; at = strchr(at, ';') + 1)
        if (strncmp(at, key, strlen(key)) == 0 && at[strlen(key)] == ';') return r->line > 0;
    return false;
}

/* *mine: the key was one of the whole spec. */
static status common_read(reading *r, const char *key, const char *value, bool *mine)
{
    *mine = true;
    if (!strcmp(key, "title")) return replace(&r->out->title, value);
    if (!strcmp(key, "about")) return append(&r->out->about, value);
    if (!strcmp(key, "seeds")) return seeds_read(r, value);
    if (!strcmp(key, "claim")) return claim_add(r, value);
    if (!strcmp(key, "documents")) return documents_read(r, value);
    if (!strcmp(key, "baseline")) {
        r->baseline_line = r->line;
        return replace(&r->baseline, value);
    }
    if (!strcmp(key, "frontier")) {
        r->frontier_line = r->line;
        return replace(&r->frontier, value);
    }
    *mine = false;
    return DID_OK;
}

/* ---- lines ---- */

static bool name_good(const char *name, const char *others)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr(others, *p)) return false;
    return *name != '\0';
}

static status keep(reading *r, grid *g, const char *key, const char *value)
{
    if (lattice_find(g, key)) return wrong(r, key, value, "the key once in a section");
    if (g->n == GRID_LINES_MAX) return wrong(r, key, value, "at most 64 keys in a section");
    lattice_line *row = &g->row[g->n++];
    *row = (lattice_line){strdup(key), strdup(value), r->line};
    return row->key && row->value ? DID_OK : no_memory();
}

static status key_read(reading *r, const char *key, const char *value)
{
    bool mine = false;
    if (!name_good(key, "-_")) return wrong(r, "key", key, "letters, digits, - and _");
    if (*value == '\0') return wrong(r, key, value, "a value");
    if (!r->own.name) {
        if (overruled(r, key)) return DID_OK;
        TRY(common_read(r, key, value, &mine));
        if (mine) return DID_OK;
        if (!lattice_knows(key) || !strcmp(key, "stages"))
            return wrong(
                r, "key", key,
                "title, about, documents, seeds, baseline, frontier, claim, or a setting like "
                "length");
        if (strpbrk(value, " \t"))
            return wrong(r, key, value, "one value; lists belong to a section");
        return keep(r, &r->common, key, value);
    }
    if (!strcmp(key, "documents"))
        return wrong(r, key, value, "it before the first section: settings are compared in pairs");
    if (!strcmp(key, "about")) return append(&r->out->section[r->out->n_sections - 1].about, value);
    return keep(r, &r->own, key, value);
}

/* The section that was being read is complete. */
static status section_end(reading *r)
{
    if (!r->own.name) return DID_OK;
    status s = lattice_expand(r->out, &r->common, &r->own, r->out->n_sections - 1);
    lattice_clear(&r->own);
    return s;
}

static status section_begin(reading *r, char *text)
{
    spec  *s = r->out;
    size_t size = strlen(text);
    if (text[size - 1] != ']') return wrong(r, "section", text, "[name]");
    text[size - 1] = '\0';
    char *name = trim(text + 1);
    if (!name_good(name, "-_.")) return wrong(r, "section", name, "letters, digits, -, _ and .");
    for (int i = 0; i < s->n_sections; i++)
        if (!strcmp(s->section[i].name, name)) return wrong(r, "section", name, "another name");
    TRY(section_end(r));
    spec_section *more = realloc(s->section, ((size_t)s->n_sections + 1) * sizeof *more);
    if (!more) return no_memory();
    s->section = more;
    more[s->n_sections++] = (spec_section){strdup(name), strdup(""), r->line};
    r->own.name = strdup(name);
    r->own.line = r->line;
    bool good = r->own.name && more[s->n_sections - 1].name && more[s->n_sections - 1].about;
    return good ? DID_OK : no_memory();
}

static status line_read(reading *r, char *text)
{
    cut_comment(text);
    text = trim(text);
    if (*text == '\0') return DID_OK;
    if (*text == '[') return section_begin(r, text);
    char *equals = strchr(text, '=');
    if (!equals) return wrong(r, "line", text, "key = value or [section]");
    *equals = '\0';
    return key_read(r, trim(text), trim(equals + 1));
}

/* ---- names that settings have ---- */

int spec_find(const spec *s, const char *name)
{
    for (int i = 0; i < s->n_settings; i++)
        if (!strcmp(s->setting[i].name, name)) return i;
    return -1;
}

const spec_value *spec_value_of(const spec_setting *s, const char *key)
{
    for (int i = 0; i < s->n_values; i++)
        if (!strcmp(s->value[i].key, key)) return &s->value[i];
    return NULL;
}

static status setting_named(const spec *s, const char *name, int line, const char *where, int *out)
{
    *out = spec_find(s, name);
    if (*out >= 0) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "%d: %s: no setting is called \"%.80s\"; the first one is "
                       "called \"%.80s\"",
                       line, where, name, s->setting[0].name);
}

static status names_differ(const spec *s)
{
    for (int i = 0; i < s->n_settings; i++)
        if (spec_find(s, s->setting[i].name) != i)
            return status_fail(DID_EFORMAT, "%d: two settings are called \"%.80s\"",
                               s->setting[i].line, s->setting[i].name);
    return DID_OK;
}

static status names_resolve(reading *r)
{
    spec *s = r->out;
    TRY(names_differ(s));
    if (r->baseline) TRY(setting_named(s, r->baseline, r->baseline_line, "baseline", &s->baseline));
    for (int i = 0; r->frontier && i < s->n_sections; i++)
        if (!strcmp(s->section[i].name, r->frontier)) s->frontier = i;
    if (r->frontier && s->frontier < 0)
        return status_fail(DID_EFORMAT, "%d: frontier: no section is called \"%.60s\"",
                           r->frontier_line, r->frontier);
    for (int i = 0; i < s->n_claims; i++) {
        claim      *c = &s->claim[i];
        claim_term *term[] = {&c->left, &c->right};
        for (int k = 0; k < 2; k++)
            if (term[k]->name)
                TRY(setting_named(s, term[k]->name, c->line, "claim", &term[k]->setting));
        if (c->left.what == MEASURE_GAP && s->frontier < 0)
            return status_fail(DID_EFORMAT, "%d: claim: gap needs a frontier", c->line);
        if (c->left.what == MEASURE_CHANGE && s->baseline < 0)
            return status_fail(DID_EFORMAT, "%d: claim: change needs a baseline", c->line);
    }
    return DID_OK;
}

/* ---- the file ---- */

/* "key=value; key=value" */
static status changes_read(reading *r, char *rest)
{
    for (char *one; (one = strsep(&rest, ";"));) {
        char *text = trim(one), *equals = strchr(text, '=');
        if (*text == '\0') continue;
        if (!equals) return wrong(r, "change", text, "key=value");
        *equals = '\0';
        const char *key = trim(text);
        bool        known = lattice_knows(key) || !strcmp(key, "documents") || !strcmp(key, "seeds");
        if (!known || !strcmp(key, "stages"))
            return wrong(r, "change", key, "documents, seeds, or a setting like length");
        TRY(key_read(r, key, trim(equals + 1)));
        char *longer;
        if (asprintf(&longer, "%s%s;", r->changes ? r->changes : "", key) < 0) return no_memory();
        free(r->changes);
        r->changes = longer;
    }
    return DID_OK;
}

static status lines_read(reading *r, char *rest)
{
    for (char *line; (line = strsep(&rest, "\n"));) {
        r->line++;
        TRY(line_read(r, line));
    }
    TRY(section_end(r));
    if (r->out->n_settings == 0)
        return status_fail(DID_EFORMAT, "%d: the spec has no section, expected [name] and stages",
                           r->line);
    return names_resolve(r);
}

static status begin(spec *out, const char *text, const char *where)
{
    *out = (spec){.baseline = -1, .frontier = -1, .seed = {1}, .n_seeds = 1, .documents = 1};
    out->path = strdup(where);
    out->text = strdup(text);
    out->title = strdup(where);
    out->about = strdup("");
    return out->path && out->text && out->title && out->about ? DID_OK : no_memory();
}

/* The last sentence begins with its line: "FILE:LINE: ...". */
static status located(const char *where)
{
    char *sentence = strdup(status_message());
    if (!sentence) return no_memory();
    bool   changed = strncmp(sentence, "0: ", 3) == 0;
    status s = changed ? status_fail(DID_EFORMAT, "%s with its changes: %s", where, sentence + 3)
                       : status_fail(DID_EFORMAT, "%s:%s", where, sentence);
    free(sentence);
    return s;
}

status spec_parse(spec *out, const char *text, const char *where, const char *changes)
{
    reading r = {.out = out};
    TRY(begin(out, text, where));
    char  *copy = strdup(text), *first = strdup(changes ? changes : "");
    status s = copy && first ? changes_read(&r, first) : no_memory();
    if (s == DID_OK) s = lines_read(&r, copy);
    free(copy);
    free(first);
    free(r.baseline);
    free(r.frontier);
    free(r.changes);
    lattice_clear(&r.common);
    lattice_clear(&r.own);
    return s == DID_EFORMAT ? located(where) : s;
}

static status slurp(char **out, FILE *from, const char *path)
{
    size_t size = 0;
    *out = malloc(SPEC_FILE_BYTES_MAX + 1);
    if (!*out) return no_memory();
    size = fread(*out, 1, SPEC_FILE_BYTES_MAX + 1, from);
    if (ferror(from)) return status_fail(DID_EIO, "cannot read %s: %s", path, strerror(errno));
    if (size > SPEC_FILE_BYTES_MAX || memchr(*out, '\0', size))
        return status_fail(DID_EFORMAT, "%s is not a text file of at most %d bytes", path,
                           SPEC_FILE_BYTES_MAX);
    (*out)[size] = '\0';
    return DID_OK;
}

status spec_read(spec *out, const char *path, const char *changes)
{
    char *text = NULL;
    *out = (spec){0};
    FILE *from = fopen(path, "r");
    if (!from) return status_fail(DID_EIO, "cannot read %s: %s", path, strerror(errno));
    status s = slurp(&text, from, path);
    fclose(from);
    if (s == DID_OK) s = spec_parse(out, text, path, changes);
    free(text);
    return s;
}

static void setting_clear(spec_setting *s)
{
    for (int i = 0; i < s->n_values; i++) {
        free(s->value[i].key);
        free(s->value[i].text);
    }
    free(s->name);
    free(s->stages);
}

void spec_clear(spec *s)
{
    for (int i = 0; i < s->n_settings; i++) setting_clear(&s->setting[i]);
    for (int i = 0; i < s->n_sections; i++) {
        free(s->section[i].name);
        free(s->section[i].about);
    }
    for (int i = 0; i < s->n_claims; i++) claim_clear(&s->claim[i]);
    free(s->setting);
    free(s->section);
    free(s->claim);
    free(s->path);
    free(s->text);
    free(s->title);
    free(s->about);
    *s = (spec){0};
}
