#include "watch.h"

#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "utf8.h"

enum { LINES_MIN = 4, LINES_MAX = 256 };
static const double FRAME_S = 0.1;

typedef enum { PLAIN, TITLE, GIVEN, MASKED, FRESH, REOPENED, REPLACED, STYLES } style;

/* Select Graphic Rendition (ECMA-48), each beginning from plain. */
static const char *const rendition[STYLES] = {
    [PLAIN] = "\033[0m",         [TITLE] = "\033[0;1m",
    [GIVEN] = "\033[0;34m",      /* blue: the prompt */
    [MASKED] = "\033[0;2m",      /* dim */
    [FRESH] = "\033[0;1;32m",    /* bright green */
    [REOPENED] = "\033[0;7;33m", /* yellow ground */
    [REPLACED] = "\033[0;36m",   /* cyan: refinement chose another token */
};

/* One place of the screen. The second half of a wide character is empty text of width 0. */
typedef struct cell {
    char          text[5];
    unsigned char width, style;
} cell;

typedef struct piece {
    char  *text;
    size_t size;
} piece;

struct watch {
    FILE            *terminal;
    const tokenizer *words;
    locale_t         locale; /* knows the width of characters; 0 when the system has none */
    int              lines;  /* of WATCH_COLUMNS cells: the title and the text */
    cell            *shown, *next;
    piece           *pieces; /* by token id, made when first needed */
    int              n_pieces;
    int32_t         *last; /* [capacity] the tokens of the last frame, -1 where masked */
    int              capacity, attempt;
    int64_t          serial;
    char            *bytes, *styles; /* [n_bytes] the text of the frame and its styles */
    size_t           n_bytes, bytes_max;
    int              top;   /* the line of the text at the top of the screen */
    double           drawn; /* when the last frame was */
};

/* The watch that has a terminal, for the end of the process. */
static watch *holder;

void watch_give_back(void)
{
    if (!holder) return;
    fprintf(holder->terminal, "\033[0m\033[%d;1H\033[?25h\r\n", holder->lines);
    fflush(holder->terminal);
    holder = NULL;
}

/* What was on the screen is scrolled away, not overwritten. */
static void take_terminal(watch *w)
{
    static bool registered;
    if (!registered) atexit(watch_give_back);
    registered = true;
    holder = w;
    for (int i = 0; i < w->lines; i++) fputc('\n', w->terminal);
    fputs("\033[H\033[J\033[?25l", w->terminal);
    fflush(w->terminal);
}

static void blank(cell *cells, int n)
{
    for (int i = 0; i < n; i++) cells[i] = (cell){" ", 1, PLAIN};
}

status watch_open(watch **out, FILE *terminal, const tokenizer *words, int lines)
{
    watch *w = calloc(1, sizeof *w);
    *out = w;
    if (!w) return status_fail(DID_ENOMEM, "no memory for the live view");
    w->lines = lines < LINES_MIN ? LINES_MIN : lines > LINES_MAX ? LINES_MAX : lines;
    int n = w->lines * WATCH_COLUMNS;
    w->terminal = terminal;
    w->words = words;
    w->serial = -1;
    w->drawn = -FRAME_S;
    w->n_pieces = words ? tokenizer_vocab(words) : 0;
    w->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    w->shown = malloc((size_t)n * sizeof *w->shown);
    w->next = malloc((size_t)n * sizeof *w->next);
    w->pieces = calloc((size_t)w->n_pieces + 1, sizeof *w->pieces);
    if (!w->shown || !w->next || !w->pieces) {
        watch_close(out);
        return status_fail(DID_ENOMEM, "no memory for the live view");
    }
    blank(w->shown, n);
    take_terminal(w);
    return DID_OK;
}

void watch_close(watch **out)
{
    watch *w = *out;
    *out = NULL;
    if (!w) return;
    if (holder == w) watch_give_back();
    for (int i = 0; i < w->n_pieces; i++) free(w->pieces[i].text);
    if (w->locale) freelocale(w->locale);
    free(w->pieces);
    free(w->last);
    free(w->bytes);
    free(w->styles);
    free(w->shown);
    free(w->next);
    free(w);
}

/* ---- from tokens to bytes ---- */

static const piece *piece_of(watch *w, int32_t id)
{
    static char        mark[] = "?";
    static const piece unknown = {mark, 1};
    if (id < 0 || id >= w->n_pieces) return &unknown;
    piece *p = &w->pieces[id];
    if (!p->text && tokenizer_decode(w->words, &id, 1, true, &p->text, &p->size) != DID_OK)
        return &unknown;
    return p;
}

static style style_of(const watch *w, const document *d, int i)
{
    bool known = w->serial == d->serial && w->attempt == d->attempt;
    if (d->masked[i]) return d->at > 0 ? REOPENED : MASKED;
    if (d->given[i]) return GIVEN;
    if (known && w->last[i] != d->token[i]) return FRESH;
    return d->at > 0 && d->entered && d->before[i] != d->token[i] ? REPLACED : PLAIN;
}

static bool append(watch *w, const char *text, size_t size, style s)
{
    if (w->n_bytes + size > w->bytes_max) {
        size_t more = 2 * (w->n_bytes + size);
        char  *bytes = realloc(w->bytes, more), *styles = realloc(w->styles, more);
        if (bytes) w->bytes = bytes;
        if (styles) w->styles = styles;
        if (!bytes || !styles) return false;
        w->bytes_max = more;
    }
    memcpy(w->bytes + w->n_bytes, text, size);
    memset(w->styles + w->n_bytes, (int)s, size);
    w->n_bytes += size;
    return true;
}

/* A reopened position still shows the token it lost, so that the text stays readable and in its
 * place. */
static bool append_position(watch *w, const document *d, int i)
{
    style   s = style_of(w, d, i);
    int32_t id = s == REOPENED ? d->before[i] : d->token[i];
    if (s == MASKED) return append(w, "\xC2\xB7", 2, s);
    if (w->words) {
        const piece *p = piece_of(w, id);
        return append(w, p->text, p->size, s);
    }
    char number[16];
    int  n = snprintf(number, sizeof number, "%d ", id);
    return append(w, number, (size_t)n, s);
}

/* The document's bytes without the E at position 0, each with its style; *focus is the offset of
 * position `at`. */
static bool collect(watch *w, const document *d, int at, size_t *focus)
{
    w->n_bytes = *focus = 0;
    for (int i = 1; i < d->length; i++) {
        if (i == at) *focus = w->n_bytes;
        if (!append_position(w, d, i)) return false;
    }
    return true;
}

/* ---- from bytes to characters ---- */

/* Where the next character goes; only what falls on the screen is written. */
typedef struct pen {
    watch *w;
    int    line, column;
    bool   blind; /* measure only */
} pen;

static void break_line(pen *p)
{
    p->line++;
    p->column = 0;
}

static void put(pen *p, const char *text, size_t size, int width, style s)
{
    if (p->column + width > WATCH_COLUMNS) break_line(p);
    int row = p->line - p->w->top + 1;
    if (!p->blind && row >= 1 && row < p->w->lines) {
        cell *at = &p->w->next[row * WATCH_COLUMNS + p->column];
        *at = (cell){"", (unsigned char)width, (unsigned char)s};
        memcpy(at->text, text, size);
        if (width == 2) at[1] = (cell){"", 0, (unsigned char)s};
    }
    p->column += width;
}

static wchar_t code_point(const char *text, size_t size)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    wchar_t                    c = (unsigned char)text[0] & lead[size];
    for (size_t i = 1; i < size; i++) c = c << 6 | ((unsigned char)text[i] & 0x3f);
    return c;
}

/* Control characters would steer the terminal; what has no known width would shift the line. */
static void put_character(pen *p, const char *text, size_t size, bool whole, style s)
{
    unsigned char first = (unsigned char)text[0];
    int           width = 1;
    if (whole && first == '\n') {
        break_line(p);
        return;
    }
    if (whole && size > 1 && p->w->locale) width = wcwidth(code_point(text, size));
    if (!whole || width < 0) put(p, "?", 1, 1, s);
    else if (first < 0x20 || first == 0x7f) put(p, " ", 1, 1, s);
    else if (width > 0) put(p, text, size, width, s);
}

/* Put all characters; returns the line on which offset `focus` lies. */
static int lay_out(watch *w, size_t focus, bool blind)
{
    pen  p = {.w = w, .blind = blind};
    int  line = 0;
    bool whole;
    for (size_t at = 0, step; at < w->n_bytes; at += step) {
        step = utf8_step(w->bytes + at, w->n_bytes - at, &whole);
        if (at <= focus) line = p.line;
        put_character(&p, w->bytes + at, step, whole, (style)w->styles[at]);
    }
    return line;
}

static int first_masked(const document *d)
{
    int i = 1;
    while (i < d->length - 1 && !d->masked[i]) i++;
    return i;
}

static void write_title(watch *w, const document *d, const char *name, int in_flight)
{
    char text[4 * WATCH_COLUMNS], shown[64];
    bool finished = d->finish != FINISH_NONE;
    utf8_quote(shown, 24, name, strlen(name));
    int n = snprintf(text, sizeof text, "%s  %s %d of %d  pass %d  %d of %d masked  %d in flight",
                     shown,
                     finished     ? "finished"
                     : d->at == 0 ? "draft"
                                  : "refine",
                     (finished ? d->n_stages : d->at + 1), d->n_stages,
                     d->cost[finished ? d->n_stages - 1 : d->at].nfe,
                     document_masked(d, 0, d->length), d->length, in_flight);
    for (int i = 0; i < WATCH_COLUMNS && i < n; i++) {
        bool ascii = (unsigned char)text[i] < 0x80;
        w->next[i] = (cell){{ascii ? text[i] : '?'}, 1, TITLE};
    }
}

/* ---- from characters to the terminal ---- */

static bool same(const cell *a, const cell *b)
{
    return a->style == b->style && a->width == b->width && strcmp(a->text, b->text) == 0;
}

/* Write the cells that differ from what the terminal shows, in as few cursor moves as they need. */
static void send_changes(watch *w)
{
    int at = -1, in = -1; /* where the cursor stands, and its style */
    for (int i = 0; i < w->lines * WATCH_COLUMNS; i++) {
        const cell *c = &w->next[i];
        if (same(c, &w->shown[i])) continue;
        w->shown[i] = *c;
        if (c->width == 0) continue;
        if (at != i)
            fprintf(w->terminal, "\033[%d;%dH", i / WATCH_COLUMNS + 1, i % WATCH_COLUMNS + 1);
        if (in != c->style) fputs(rendition[c->style], w->terminal);
        fputs(c->text, w->terminal);
        in = c->style;
        /* After the last column terminals disagree about where the cursor is. */
        at = (i + c->width) % WATCH_COLUMNS == 0 ? -1 : i + c->width;
    }
    fflush(w->terminal);
}

static bool remember(watch *w, const document *d)
{
    if (w->capacity < d->capacity) {
        int32_t *grown = realloc(w->last, (size_t)d->capacity * sizeof *grown);
        if (!grown) return false;
        w->last = grown;
        w->capacity = d->capacity;
    }
    for (int i = 0; i < d->length; i++) w->last[i] = d->masked[i] ? -1 : d->token[i];
    w->serial = d->serial;
    w->attempt = d->attempt;
    return true;
}

static void draw_text(watch *w, const document *d)
{
    size_t   focus;
    locale_t before = w->locale ? uselocale(w->locale) : (locale_t)0;
    int      room = w->lines - 1;
    if (w->serial != d->serial) w->top = 0;
    if (collect(w, d, first_masked(d), &focus)) {
        int line = lay_out(w, focus, true);
        if (line < w->top || line >= w->top + room) w->top = line > room / 2 ? line - room / 2 : 0;
        lay_out(w, focus, false);
    }
    if (w->locale) uselocale(before);
}

void watch_show(watch *w, const document *d, const char *name, int in_flight, double seconds)
{
    if (seconds - w->drawn < FRAME_S && d->finish == FINISH_NONE) return;
    w->drawn = seconds;
    blank(w->next, w->lines * WATCH_COLUMNS);
    write_title(w, d, name, in_flight);
    draw_text(w, d);
    send_changes(w);
    if (!remember(w, d)) w->serial = -1; /* without memory nothing is shown as fresh */
}
