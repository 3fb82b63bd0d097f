#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <ctype.h>

#include "sample.h"
#include "watch.h"

enum { LINES = 6, COLUMNS = WATCH_COLUMNS };

/* A terminal that understands what the watch is allowed to say, and nothing else. */
typedef struct terminal {
    char  *bytes;
    size_t size, seen;
    FILE  *file;
    int    line, column;
    bool   hidden;
    char   style[16];
    char   text[LINES][COLUMNS];   /* the first byte of each character */
    char   styles[LINES][COLUMNS]; /* 'p'lain, 't'itle, 'g'iven, 'm'asked, 'f'resh, 'o'pened, 'r' */
    int    written;                /* characters since the last look */
} terminal;

static void start(terminal *t)
{
    *t = (terminal){0};
    t->file = open_memstream(&t->bytes, &t->size);
    memset(t->text, ' ', sizeof t->text);
    memset(t->styles, 'p', sizeof t->styles);
    strcpy(t->style, "0");
}

static char style_letter(const char *rendition)
{
    static const char *const known[] = {"0", "0;1", "0;34", "0;2", "0;1;32", "0;7;33", "0;36"};
    for (int i = 0; i < 7; i++)
        if (strcmp(rendition, known[i]) == 0) return "ptgmfor"[i];
    fail_msg("unknown rendition %s", rendition);
    return 0;
}

/* Obey one escape sequence; returns its last byte. */
static const char *escape(terminal *t, const char *at)
{
    char number[16];
    int  n = 0, a = 1, b = 1;
    assert_int_equal(at[1], '[');
    for (at += 2; isdigit((unsigned char)*at) || *at == ';' || *at == '?'; at++) {
        assert_true(n < 15);
        number[n++] = *at;
    }
    number[n] = '\0';
    switch (*at) {
    case 'H':
        sscanf(number, "%d;%d", &a, &b);
        assert_true(a >= 1 && a <= LINES && b >= 1 && b <= COLUMNS);
        t->line = a - 1;
        t->column = b - 1;
        break;
    case 'J': memset(t->text, ' ', sizeof t->text); break;
    case 'm': strcpy(t->style, number); break;
    case 'l':
        assert_string_equal(number, "?25");
        t->hidden = true;
        break;
    case 'h':
        assert_string_equal(number, "?25");
        t->hidden = false;
        break;
    default: fail_msg("unknown escape %c", *at);
    }
    return at;
}

static void look(terminal *t)
{
    fflush(t->file);
    t->written = 0;
    for (const char *at = t->bytes + t->seen; *at; at++) {
        if (*at == '\033') {
            at = escape(t, at);
        } else if (*at == '\n' || *at == '\r') {
            t->column = 0;
        } else if (((unsigned char)*at & 0xC0) != 0x80) {
            assert_true(t->column < COLUMNS);
            t->styles[t->line][t->column] = style_letter(t->style);
            t->text[t->line][t->column++] = *at;
            if ((unsigned char)*at >= 0xE4) t->text[t->line][t->column++] = '+'; /* wide */
            t->written++;
        }
    }
    t->seen = t->size;
}

static void stop(terminal *t)
{
    fclose(t->file);
    free(t->bytes);
}

static tokenizer *words;

static int open_words(void **state)
{
    (void)state;
    return tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") != DID_OK;
}

static int close_words(void **state)
{
    (void)state;
    tokenizer_close(&words);
    return 0;
}

static document *document_of(const char *text, int prompt, request *r)
{
    parcel_rules rules = sample_rules(false);
    int32_t     *ids;
    int          n;
    document    *d;
    assert_int_equal(tokenizer_encode(words, text, strlen(text), false, &ids, &n), DID_OK);
    *r = sample_request("doc", 0, n + 1, 0);
    for (int i = 0; i < prompt; i++) r->given[i + 1] = ids[i];
    assert_int_equal(parcel_begin(&d, r, 1, &rules), DID_OK);
    d->entered = true;
    memcpy(d->before + 1, ids, (size_t)n * sizeof *ids); /* what the test will draw */
    free(ids);
    return d;
}

static void draw_one(document *d, int position)
{
    d->token[position] = d->before[position];
    d->masked[position] = false;
}

/* Draft, reopen, refine: each state in its own colours, and only what changed is sent. */
static void a_document(void **state)
{
    (void)state;
    request   r;
    terminal  t;
    watch    *w;
    document *d = document_of("Once upon a time there was a dog.", 1, &r);
    start(&t);
    assert_int_equal(watch_open(&w, t.file, words, LINES), DID_OK);
    watch_show(w, d, "doc", 3, 1.0);
    look(&t);
    assert_true(t.hidden);
    assert_memory_equal(t.text[0], "doc  draft 1 of 2", 17);
    assert_memory_equal(t.text[1], "Once", 4);
    assert_int_equal(t.styles[0][0], 't');
    assert_int_equal(t.styles[1][0], 'g');
    assert_int_equal(t.text[1][4], '\xC2');
    assert_int_equal(t.styles[1][4], 'm');

    draw_one(d, 2);
    watch_show(w, d, "doc", 3, 1.05);
    look(&t);
    assert_int_equal(t.written, 0); /* too early for a frame */
    watch_show(w, d, "doc", 3, 1.2);
    look(&t);
    assert_memory_equal(t.text[1], "Once upon", 9);
    assert_int_equal(t.styles[1][5], 'f');
    assert_true(t.written < 40);

    int before = t.written;
    draw_one(d, 3);
    watch_show(w, d, "doc", 3, 1.4);
    look(&t);
    assert_int_equal(t.styles[1][5], 'p'); /* no longer fresh */
    assert_int_equal(t.styles[1][10], 'f');
    assert_true(t.written <= before + 10);

    for (int i = 4; i < d->length; i++) draw_one(d, i);
    watch_show(w, d, "doc", 3, 1.6);
    look(&t);
    assert_memory_equal(t.text[1], "Once upon a time there was a dog.", 33);
    watch_show(w, d, "doc", 3, 1.8);
    watch_show(w, d, "doc", 3, 2.0);
    look(&t);
    watch_show(w, d, "doc", 3, 2.2);
    size_t quiet = t.size;
    look(&t);
    assert_int_equal(t.size, quiet); /* nothing changed, nothing is sent */

    sample_leave(d);
    memcpy(d->before, d->token, (size_t)d->length * sizeof *d->token);
    d->entered = true;
    d->masked[4] = true;
    d->token[4] = SAMPLE_MASK;
    watch_show(w, d, "doc", 3, 2.4);
    look(&t);
    assert_memory_equal(t.text[0], "doc  refine 2 of 2", 18);
    assert_memory_equal(t.text[1], "Once upon a time there was a dog.", 33);
    assert_int_equal(t.styles[1][12], 'o');
    assert_int_equal(t.styles[1][20], 'p');
    d->masked[4] = false;
    d->token[4] = d->before[2];
    watch_show(w, d, "doc", 3, 2.6);
    look(&t);
    assert_memory_equal(t.text[1], "Once upon a upon there was a dog.", 33);
    assert_int_equal(t.styles[1][12], 'f');
    watch_show(w, d, "doc", 3, 2.8);
    look(&t);
    assert_int_equal(t.styles[1][12], 'r');

    d->finish = FINISH_LENGTH;
    watch_show(w, d, "doc", 3, 2.81); /* the last state is always shown */
    look(&t);
    assert_memory_equal(t.text[0], "doc  finished 2 of 2", 20);
    watch_close(&w);
    look(&t);
    assert_false(t.hidden);
    assert_string_equal(t.style, "0");
    stop(&t);
    document_close(&d);
    request_clear(&r);
}

/* A text longer than the screen: what is being written stays in sight. */
static void a_long_document(void **state)
{
    (void)state;
    request  r;
    terminal t;
    watch   *w;
    char     text[2000] = "";
    int      blank = 0;
    for (int i = 0; i < 20; i++) sprintf(text + strlen(text), "This is line number %d.\n", i);
    document *d = document_of(text, 0, &r);
    start(&t);
    assert_int_equal(watch_open(&w, t.file, words, LINES), DID_OK);
    for (int i = 1; i < d->length; i++) {
        draw_one(d, i);
        watch_show(w, d, "doc", 1, i);
        look(&t);
        bool fresh = false;
        for (int k = COLUMNS; k < LINES * COLUMNS; k++)
            fresh = fresh || (&t.styles[0][0])[k] == 'f';
        blank += !fresh;
    }
    assert_true(blank <= 21); /* the first sight, and ends of lines, show nothing fresh */
    bool found = false;
    for (int line = 1; line < LINES; line++)
        found = found || memcmp(t.text[line], "This is line number 19.", 23) == 0;
    assert_true(found);
    watch_close(&w);
    stop(&t);
    document_close(&d);
    request_clear(&r);
}

/* After any number of frames the terminal shows what a fresh view of the same moment shows. */
static void no_leftovers(void **state)
{
    (void)state;
    request  r;
    terminal t, other;
    watch   *w, *fresh;
    uint64_t seed = 6;
    char     text[4000] = "";
    for (int i = 0; i < 14; i++)
        sprintf(text + strlen(text), "\xE4\xB8\xAD word %d and%s", i, i % 3 ? " more, " : ".\n");
    document *d = document_of(text, 3, &r);
    int32_t  *drawn = malloc((size_t)d->length * sizeof *drawn);
    memcpy(drawn, d->before, (size_t)d->length * sizeof *drawn);
    start(&t);
    assert_int_equal(watch_open(&w, t.file, words, LINES), DID_OK);
    for (int frame = 0; frame < 300; frame++) {
        int i = 4 + sample_below(&seed, d->length - 4);
        d->at = frame > 100;
        d->before[i] = drawn[4 + sample_below(&seed, d->length - 4)];
        d->token[i] = drawn[sample_below(&seed, 3) ? i : 4 + sample_below(&seed, d->length - 4)];
        d->masked[i] = d->at && sample_below(&seed, 4) == 0;
        watch_show(w, d, "doc", 1, frame);
        look(&t);
        if (frame % 10) continue;
        start(&other);
        assert_int_equal(watch_open(&fresh, other.file, words, LINES), DID_OK);
        watch_show(fresh, d, "doc", 1, frame);
        look(&other);
        assert_memory_equal(t.text[0], other.text[0], COLUMNS);
        bool same = true;
        for (int line = 1; line < LINES; line++)
            same = same && memcmp(t.text[line], other.text[line], COLUMNS) == 0;
        if (!same) fail_msg("frame %d: leftovers", frame);
        watch_close(&fresh);
        stop(&other);
    }
    watch_close(&w);
    stop(&t);
    free(drawn);
    document_close(&d);
    request_clear(&r);
}

/* Control characters of a text do not reach the terminal; wide characters take their two cells. */
static void strange_text(void **state)
{
    (void)state;
    request   r;
    terminal  t;
    watch    *w;
    document *d = document_of("a\033[2Jb\tc\a \xE4\xB8\xAD\xE6\x96\x87!", 0, &r);
    for (int i = 1; i < d->length; i++) draw_one(d, i);
    start(&t);
    assert_int_equal(watch_open(&w, t.file, words, LINES), DID_OK);
    watch_show(w, d, "na\033me\xFF", 1, 1.0);
    look(&t);
    assert_memory_equal(t.text[0], "na\\x1Bme\\xFF", 12);
    assert_memory_equal(t.text[1], "a [2Jb c  \xE4+\xE6+!", 15);
    watch_close(&w);
    stop(&t);
    document_close(&d);
    request_clear(&r);
}

static void without_words(void **state)
{
    (void)state;
    request   r;
    terminal  t;
    watch    *w;
    document *d = document_of("Once", 0, &r);
    draw_one(d, 1);
    d->token[1] = 17;
    start(&t);
    assert_int_equal(watch_open(&w, t.file, NULL, LINES), DID_OK);
    watch_show(w, d, "doc", 1, 1.0);
    look(&t);
    assert_memory_equal(t.text[1], "17 ", 3);
    watch_close(&w);
    watch_close(&w);
    stop(&t);
    document_close(&d);
    request_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document), cmocka_unit_test(a_long_document),
        cmocka_unit_test(no_leftovers), cmocka_unit_test(strange_text),
        cmocka_unit_test(without_words)};
    return cmocka_run_group_tests(tests, open_words, close_words);
}
