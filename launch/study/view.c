#include "view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double view_level_end[VIEW_LEVELS] = {0.1, 0.25, 0.5, 0.75, INFINITY};

int view_level(float probability)
{
    int level = 0;
    if (isnan(probability) || isinf(probability)) return VIEW_LEVEL_NONE;
    while ((double)probability >= view_level_end[level]) level++;
    return level;
}

static bool changed(const view_stage *s, int i)
{
    return i < s->n && s->token[i].before != NULL;
}

bool view_edit(const view_stage *s, int first, int *end)
{
    *end = first;
    while (changed(s, *end)) (*end)++;
    return *end > first;
}

void view_clear(view *v)
{
    for (int k = 0; k < v->n_stages; k++) {
        view_stage *s = &v->stage[k];
        for (int i = 0; i < s->n; i++) {
            free(s->token[i].text);
            free(s->token[i].before);
        }
        free(s->token);
        free(s->title);
        free(s->costs);
    }
    free(v->name);
    free(v->ending);
    free(v->text);
    *v = (view){0};
}

/* ---- ink: text with a style per byte, so that it can be wrapped after it is complete ---- */

enum { STYLE_LEVEL = 7, STYLE_REOPENED = 8, STYLE_OLD = 16, STYLE_NEW = 32 };

typedef struct ink {
    FILE          *to;
    char          *text;
    unsigned char *style;
    size_t         size, room;
    int            width;
    bool           colour, failed;
} ink;

static void put(ink *p, const char *text, unsigned style)
{
    size_t more = strlen(text), need = p->size + more + 1;
    if (need > p->room && !p->failed) {
        size_t         room = 2 * need;
        char          *grown = realloc(p->text, room);
        unsigned char *styles = grown ? realloc(p->style, room) : NULL;
        if (grown) p->text = grown;
        if (styles) p->style = styles;
        if (styles) p->room = room;
        p->failed = styles == NULL;
    }
    if (p->failed) return;
    memcpy(p->text + p->size, text, more);
    memset(p->style + p->size, (int)style, more);
    p->size += more;
}

/* 256-colour codes from red to the terminal's own colour. */
static void set_style(const ink *p, unsigned style)
{
    static const int code[VIEW_LEVELS] = {196, 208, 178, 107, 0};
    unsigned         level = style & STYLE_LEVEL;
    if (!p->colour) return;
    fputs("\033[0", p->to);
    if (style & STYLE_OLD) fputs(";9;2", p->to);
    if (style & STYLE_NEW) fputs(";1", p->to);
    if (style & STYLE_REOPENED) fputs(";4", p->to);
    if (level > 0 && code[level - 1]) fprintf(p->to, ";38;5;%d", code[level - 1]);
    fputc('m', p->to);
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Columns of the word that begins at `at`, a space in front of it included. */
static int word_columns(const ink *p, size_t at)
{
    int columns = 0;
    do columns += begins_character(p->text[at++]);
    while (at < p->size && p->text[at] != ' ' && p->text[at] != '\n');
    return columns;
}

enum { INDENT = 2 };

static void new_line(const ink *p, int *column)
{
    fputc('\n', p->to);
    for (*column = 0; *column < INDENT; ++*column) fputc(' ', p->to);
}

/* What is unprintable would move the cursor about; a terminal sees a dot in its place. */
static char printable(char c)
{
    return ((unsigned char)c < 32 && c != '\n') || c == 127 ? '.' : c;
}

static void put_line(FILE *to, const char *text)
{
    for (; *text; text++) fputc(printable(*text), to);
    fputc('\n', to);
}

static void flow(ink *p)
{
    int      column = 0;
    unsigned style = 0;
    if (p->failed) fputs("  (no memory to show this text)", p->to);
    for (; column < INDENT; column++) fputc(' ', p->to);
    for (size_t i = 0; i < p->size; i++) {
        char c = printable(p->text[i]);
        bool space = c == ' ', full = column + word_columns(p, i) > p->width;
        if (c == '\n' || (space && full && column > INDENT)) {
            if (style) set_style(p, style = 0);
            new_line(p, &column);
            continue;
        }
        if (p->style[i] != style) set_style(p, style = p->style[i]);
        fputc(c, p->to);
        column += begins_character(c);
    }
    if (style) set_style(p, 0);
    fputc('\n', p->to);
    p->size = 0;
}

/* ---- stages ---- */

static unsigned level_style(const view_token *t)
{
    return (unsigned)(view_level(t->confidence) + 1);
}

static bool reopens(const view_stage *s, int i)
{
    return i >= 0 && i < s->n && s->token[i].reopens;
}

static void put_token(ink *p, const view_stage *s, int i)
{
    const view_token *t = &s->token[i];
    if (!p->colour && t->reopens && !reopens(s, i - 1)) put(p, "[", 0);
    put(p, t->text, level_style(t) | (t->reopens ? STYLE_REOPENED : 0));
    if (!p->colour && t->reopens && !reopens(s, i + 1)) put(p, "]", 0);
}

static void put_edit(ink *p, const view_stage *s, int first, int end)
{
    if (!p->colour) put(p, "[-", 0);
    for (int i = first; i < end; i++) put(p, s->token[i].before, STYLE_OLD);
    if (!p->colour) put(p, "-]{+", 0);
    for (int i = first; i < end; i++)
        put(p, s->token[i].text,
            level_style(&s->token[i]) | STYLE_NEW | (s->token[i].reopens ? STYLE_REOPENED : 0));
    if (!p->colour) put(p, "+}", 0);
}

static void draw_stage(ink *p, const view_stage *s)
{
    for (int i = 0, end; i < s->n; i = end) {
        if (view_edit(s, i, &end)) {
            put_edit(p, s, i, end);
        } else {
            put_token(p, s, i);
            end = i + 1;
        }
    }
    fputc('\n', p->to);
    flow(p);
}

static void draw_key(ink *p)
{
    char word[40];
    fputc('\n', p->to);
    if (!p->colour) {
        put(p, "[text]: reopened by the next stage   [-old-]{+new+}: changed by this one", 0);
        flow(p);
        return;
    }
    put(p, "confidence when placed:", 0);
    for (unsigned k = 0; k < VIEW_LEVELS - 1; k++) {
        snprintf(word, sizeof word, " below %g", view_level_end[k]);
        put(p, word, k + 1);
    }
    put(p, "; ", 0);
    put(p, "reopened by the next stage", STYLE_REOPENED);
    put(p, "; ", 0);
    put(p, "old", STYLE_OLD);
    put(p, "new", STYLE_NEW);
    put(p, ": changed by this one", 0);
    flow(p);
}

void view_draw(FILE *to, const view *v, int width, bool colour)
{
    ink p = {.to = to, .width = width, .colour = colour};
    put_line(to, v->name);
    put_line(to, v->ending);
    for (int k = 0; k < v->n_stages; k++) {
        fputc('\n', to);
        put_line(to, v->stage[k].title);
        put_line(to, v->stage[k].costs);
        if (v->stage[k].n > 0) draw_stage(&p, &v->stage[k]);
    }
    if (!v->traced && v->text) {
        fputc('\n', to);
        put(&p, v->text, 0);
        flow(&p);
    }
    if (v->traced) draw_key(&p);
    free(p.text);
    free(p.style);
}
