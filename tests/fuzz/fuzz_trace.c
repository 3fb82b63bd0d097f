/* A line of output, taken apart to be shown on a terminal or in a browser. */
#include <stdbool.h>
#include <stdio.h>

#include "fuzz.h"
#include "trace.h"
#include "view.h"
#include "view_html.h"

static tokenizer *words;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    assert(tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") == DID_OK);
    return 0;
}

static void check(const view *v)
{
    assert(v->name && v->ending && v->n_stages >= 0 && v->n_stages <= STAGES_MAX);
    for (int k = 0; k < v->n_stages; k++) {
        const view_stage *s = &v->stage[k];
        assert(s->title && s->costs && s->n >= 0 && (v->traced || s->n == 0));
        for (int i = 0; i < s->n; i++) {
            const view_token *t = &s->token[i];
            assert(t->text && utf8_check(t->text, strlen(t->text)) == strlen(t->text));
            assert(t->stage >= -1 && t->stage <= k && view_level(t->confidence) < VIEW_LEVELS);
        }
    }
}

/* What is drawn without colours has nothing in it that would steer the terminal. */
static void draw(const view *v, int width)
{
    char  *text;
    size_t size;
    FILE  *to = open_memstream(&text, &size);
    assert(to);
    view_draw(to, v, width, false);
    assert(fclose(to) == 0);
    for (size_t i = 0; i < size; i++)
        assert(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
    free(text);
}

static bool is_ours(const char *name, size_t size)
{
    static const char *const ours[] = {"!DOCTYPE", "html", "head", "meta", "title",
                                       "style",    "body", "h1",   "h2",   "section",
                                       "p",        "span", "ins",  "del"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i]) == size && !memcmp(ours[i], name, size)) return true;
    return false;
}

/* Every element of the page is one of our own: texts cannot begin another. */
static void write_page(const view *v)
{
    char  *text;
    size_t size;
    FILE  *to = open_memstream(&text, &size);
    assert(to);
    view_html_write(to, v);
    assert(fclose(to) == 0);
    for (const char *at = text; (at = strchr(at, '<'));) {
        at += at[1] == '/' ? 2 : 1;
        assert(is_ours(at, strcspn(at, " >")));
    }
    free(text);
}

static void show(const json_t *record, const tokenizer *spelt)
{
    view   v;
    status s = trace_read(&v, record, spelt);
    if (s == DID_OK) {
        check(&v);
        if (spelt) write_page(&v);
        else draw(&v, 40);
    } else {
        fuzz_refused(s, DID_EFORMAT);
    }
    view_clear(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *record =
        json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object(record)) {
        json_decref(record);
        return 0;
    }
    show(record, NULL);
    show(record, words);
    json_decref(record);
    return 0;
}
