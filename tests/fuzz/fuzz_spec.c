/* What a sweep is to try; a first line "!documents=9" stands for --set on the command line. */
#include <math.h>
#include <stdbool.h>

#include "fuzz.h"
#include "spec.h"

static bool is_term(const spec *s, const claim_term *t)
{
    return t->name ? t->setting == spec_find(s, t->name) && t->setting >= 0 : isfinite(t->number);
}

static void check_claim(const spec *s, const claim *c)
{
    assert(c->sentence && strchr("<>=", c->relation) && c->line >= 1);
    assert(c->left.name && is_term(s, &c->left) && is_term(s, &c->right));
    assert(c->left.what < MEASURES && c->right.what < MEASURES);
    assert(c->tolerance >= 0 && isfinite(c->tolerance));
}

static void check_setting(const spec *s, const spec_setting *t)
{
    assert(t->name && t->stages && t->section >= 0 && t->section < s->n_sections);
    assert(t->line >= 1);
    assert(t->length == 0 || (t->length >= 2 && t->length <= 131072));
    assert(t->usual.sampler >= -1 && t->usual.sampler <= 2 && t->usual.steps >= 0);
    assert(t->usual.nucleus > 0 && t->usual.nucleus <= 1);
    assert(t->usual.temperature >= 0 && t->usual.temperature <= 100);
    assert(t->n_values >= 0 && t->n_values <= SPEC_VALUES_MAX);
    for (int i = 0; i < t->n_values; i++)
        assert(spec_value_of(t, t->value[i].key) && t->value[i].text);
    assert(!strncmp(t->name, s->section[t->section].name, strlen(s->section[t->section].name)));
}

static void check(const spec *s)
{
    assert(s->title && s->about && s->n_sections >= 1 && s->n_settings >= 1);
    assert(s->documents >= 1 && s->documents <= SPEC_DOCUMENTS_MAX);
    assert(s->n_settings <= SPEC_SETTINGS_MAX && s->n_seeds >= 0 && s->n_seeds <= SPEC_SEEDS_MAX);
    assert(s->baseline >= -1 && s->baseline < s->n_settings);
    assert(s->frontier >= -1 && s->frontier < s->n_sections);
    for (int i = 0; i < s->n_settings; i++) {
        check_setting(s, &s->setting[i]);
        assert(i > 20 || spec_find(s, s->setting[i].name) == i); /* names are told apart */
    }
    for (int i = 0; i < s->n_claims; i++) check_claim(s, &s->claim[i]);
}

/* The first line, taken off the text; NULL where it does not begin with "!". */
static char *changes_of(char **text)
{
    char *line = **text == '!' ? strsep(text, "\n") : NULL;
    if (line && !*text) *text = line + strlen(line);
    return line ? line + 1 : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    spec  s;
    char *all = fuzz_string(data, size), *text = all;
    if (!text) return -1;
    char  *changes = changes_of(&text);
    status good = spec_parse(&s, text, "spec", changes);
    if (good == DID_OK) {
        assert(!strcmp(s.text, text));
        check(&s);
    } else {
        fuzz_refused(good, DID_EFORMAT);
    }
    spec_clear(&s);
    free(all);
    return 0;
}
