#include "cmd_show.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ending.h"
#include "jsonl.h"
#include "tokenizer.h"
#include "trace.h"
#include "view_html.h"

typedef struct show {
    const char *file; /* the word that is no option */
    const char *id, *html, *tokenizer, *model;
    int         width, color;
} show;

enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum { WIDTH = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

#define AT(member) .offset = offsetof(show, member)

static const option table[] = {
    {.help = "What to show"},
    {"id", 0, OPTION_TEXT, "ID", .silent = "the first document of the file", AT(id),
     .help = "the document of this custom_id; ID#N is its sample N"},
    {"tokenizer", 0, OPTION_TEXT, "DIR", .silent = "the model's, else token ids are shown",
     AT(tokenizer), .help = "spells the single tokens of a trace"},
    {"model", 0, OPTION_TEXT, "DIR", .silent = "none", AT(model),
     .help = "the checkpoint it came from, for its tokenizer"},

    {.help = "How"},
    {"html", 0, OPTION_TEXT, "FILE", .silent = "the terminal", AT(html),
     .help = "write one self-contained HTML file instead; - is stdout"},
    {"width", 0, OPTION_COUNT, "COLUMNS", .silent = "the terminal's, else 80", .min = WIDTH_MIN,
     .max = WIDTH_MAX, AT(width), .help = "where lines are broken"},
    {"color", 0, OPTION_CHOICE, "auto|always|never", "auto", AT(color),
     .help = "auto: where stdout is a terminal and NO_COLOR is not set"},
};

const option_table cmd_show_table = {
    .command = "show",
    .summary = "a generated document: how sure the model was, what was reopened, what changed.",
    .usage = "FILE [--id ID] [--html FILE] [options]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

/* ---- finding the record ---- */

/* Is this the record asked for: "name", or "name#3" for its sample 3? */
static bool is_wanted(const json_t *record, const char *id)
{
    char        number[32];
    const char *name = json_string_value(json_object_get(record, "custom_id"));
    long long   sample = json_integer_value(json_object_get(record, "sample"));
    if (!id) return true;
    if (!name || strncmp(id, name, strlen(name))) return false;
    const char *rest = id + strlen(name);
    snprintf(number, sizeof number, "#%lld", sample);
    return sample == 0 && *rest == '\0' ? true : strcmp(rest, number) == 0;
}

static status not_there(const show *s, long lines)
{
    if (s->id)
        return status_fail(DID_EFORMAT, "%s: no document \"%.80s\" on its %ld lines", s->file,
                           s->id, lines);
    return status_fail(DID_EFORMAT, "%s: the file holds no documents", s->file);
}

static status find(json_t **out, const show *s, jsonl *file)
{
    char  *text;
    size_t size;
    for (*out = NULL;;) {
        TRY(jsonl_next(file, &text, &size));
        if (!text) return not_there(s, jsonl_number(file));
        if (strspn(text, " \t\r") == size) continue;
        int    column = 0;
        status good = jsonl_parse(out, text, size, &column);
        if (good != DID_OK) return status_at(good, "%s:%ld", s->file, jsonl_number(file));
        if (is_wanted(*out, s->id)) return DID_OK;
        json_decref(*out);
        *out = NULL;
    }
}

static status load(view *v, const show *s, const tokenizer *words)
{
    jsonl  *file = NULL;
    json_t *record = NULL;
    TRY(jsonl_open(&file, s->file));
    status good = find(&record, s, file);
    if (good == DID_OK) {
        good = trace_read(v, record, words);
        if (good != DID_OK) good = status_at(good, "%s:%ld", s->file, jsonl_number(file));
    }
    jsonl_close(&file);
    json_decref(record);
    return good;
}

/* ---- showing it ---- */

static int columns(const show *s)
{
    struct winsize size;
    if (s->width) return s->width;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= WIDTH_MIN)
        return size.ws_col;
    return WIDTH;
}

static bool coloured(const show *s)
{
    if (s->color != COLOR_AUTO) return s->color == COLOR_ALWAYS;
    return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
}

static status present(const show *s, const view *v)
{
    bool  page = s->html && strcmp(s->html, "-");
    FILE *to = page ? fopen(s->html, "w") : stdout;
    if (!to) return status_fail(DID_EIO, "cannot write %s: %s", s->html, strerror(errno));
    if (s->html) view_html_write(to, v);
    else view_draw(to, v, columns(s), coloured(s));
    bool bad = fflush(to) != 0 || ferror(to);
    if (page) bad |= fclose(to) != 0;
    if (bad)
        return status_fail(DID_EIO, "cannot write %s: %s", page ? s->html : "stdout",
                           strerror(errno));
    return DID_OK;
}

static ending run(const show *s)
{
    view        v = {0};
    tokenizer  *words = NULL;
    const char *dir = s->tokenizer ? s->tokenizer : s->model;
    ending      end = END_MODEL;
    status      good = dir ? tokenizer_open(&words, dir) : DID_OK;
    if (good == DID_OK) {
        end = END_INPUT;
        good = load(&v, s, words);
    }
    if (good == DID_OK) {
        end = END_INTERNAL;
        if (v.traced && !words)
            fputs("did: without --tokenizer or --model, tokens are shown as their ids\n", stderr);
        good = present(s, &v);
    }
    if (good != DID_OK) ending_explain();
    view_clear(&v);
    tokenizer_close(&words);
    return good == DID_OK ? END_DONE : ending_of(good, end);
}

int cmd_show(int argc, char *const *argv)
{
    show     s = {0};
    options *said = NULL;
    bool     named = argc > 0 && (argv[0][0] != '-' || argv[0][1] == '\0');
    status   good = options_read(&said, &cmd_show_table, &s, argc - named, argv + named);
    if (named) s.file = argv[0];
    if (good == DID_OK && !s.file)
        good = status_fail(DID_EINVAL, "no file was named: did show FILE");
    if (good != DID_OK) ending_explain();
    ending end = good == DID_OK ? run(&s) : END_USAGE;
    options_close(&said);
    return (int)end;
}
