#include "cmd_submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "clock.h"
#include "ending.h"
#include "field.h"
#include "host.h"
#include "interrupt.h"
#include "jsonl.h"
#include "log.h"
#include "progress.h"
#include "terms.h"
#include "utf8.h"
#include "wish.h"

enum { BATCH_LINES = 500, BATCH_DOCUMENTS = 4096, BATCH_BYTES = 4 << 20 };
static const double LOOK_S = 2; /* where the service tells nothing */

typedef struct submit {
    settings        set; /* first: rows of settings_table point into it */
    caller_settings service;
    const char     *input, *job;
    bool            wait, quiet;
    const char     *options;
} submit;

#define AT(member) .offset = offsetof(submit, member)

static const option own[] = {
    CALLER_TABLE(submit, service),
    {.help = "What to submit"},
    {"input", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(input),
     .help = "JSON lines, OpenAI batch lines, or plain text with one prompt per line; - is stdin"},
    {"job", 0, OPTION_TEXT, "NAME", "default", AT(job),
     .help = "documents are known by job and custom_id: submitting them again changes nothing"},
    {"wait", 0, OPTION_FLAG, AT(wait), .help = "until all of the job is finished, with a bar"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "warnings and errors only"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};
enum { OWN = sizeof own / sizeof own[0] };

static option table[OWN + TERMS_ROWS_MAX];

option_table cmd_submit_table = {
    .command = "submit",
    .summary = "give documents to a service; it keeps them until they are finished.",
    .usage = "--connect ENDPOINT --input FILE [--job NAME] [--wait] [options]",
    .option = table};

void cmd_submit_prepare(void)
{
    memcpy(table, own, sizeof own);
    cmd_submit_table.n = OWN + terms_rows(table + OWN);
}

/* ---- lines on their way ---- */

typedef struct sending {
    const submit *say;
    caller       *service;
    json_t       *terms;
    char         *bytes; /* lines that wait to be sent */
    size_t        size, room;
    int           lines, documents, added, known, problems;
    bool          plain, decided;
} sending;

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the lines of the input");
}

static status flush(sending *to)
{
    message m;
    int     added, known;
    if (to->lines == 0) return DID_OK;
    frame   part = {to->bytes, to->size};
    json_t *body = json_pack("{s:s, s:O}", "job", to->say->job, "terms", to->terms);
    TRY(caller_ask(to->service, MESSAGE_SUBMIT, body, &part, 1, MESSAGE_TAKEN, &m));
    status s = field_int(m.body, "added", 0, INT32_MAX, &added);
    if (s == DID_OK) s = field_int(m.body, "known", 0, INT32_MAX, &known);
    message_clear(&m);
    TRY(s);
    to->added += added;
    to->known += known;
    to->size = 0;
    to->lines = to->documents = 0;
    return DID_OK;
}

static status add(sending *to, const char *text, size_t size, int documents)
{
    if (to->lines == BATCH_LINES || (to->lines > 0 && (to->size + size > BATCH_BYTES ||
                                                       to->documents + documents > BATCH_DOCUMENTS)))
        TRY(flush(to));
    if (to->size + size + 1 > to->room) {
        size_t more = 2 * (to->size + size + 1);
        char  *grown = realloc(to->bytes, more);
        if (!grown) return no_memory();
        to->bytes = grown;
        to->room = more;
    }
    memcpy(to->bytes + to->size, text, size);
    to->bytes[to->size + size] = '\n';
    to->size += size + 1;
    to->lines++;
    to->documents += documents;
    return DID_OK;
}

static status add_plain(sending *to, const char *text, size_t size, long number)
{
    char name[32];
    snprintf(name, sizeof name, "line-%ld", number);
    json_t *o = json_pack("{s:s, s:s%}", "custom_id", name, "prompt", text, size);
    char   *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!line) return status_fail(DID_EFORMAT, "not UTF-8");
    status s = add(to, line, strlen(line), to->say->set.samples);
    free(line);
    return s;
}

/* Lines are checked here too, so that a mistake is told by its place in the file. */
static status check_json(const char *text, size_t size, int *column, int *documents)
{
    json_t *object;
    wish    w;
    TRY(jsonl_parse(&object, text, size, column));
    status s = wish_read(&w, object);
    if (s != DID_OK && w.key) *column = jsonl_column(text, size, w.key, w.depth);
    if (w.n) *documents = w.n;
    json_decref(object);
    return s;
}

typedef status line_visit(sending *to, const char *text, size_t size, long number);

static status check_line(sending *to, const char *text, size_t size, long number)
{
    int    column = 0, documents;
    size_t good = utf8_check(text, size);
    char   where[40] = "";
    status s = good < size ? status_fail(DID_EFORMAT, "not UTF-8") : DID_OK;
    if (s == DID_OK && !to->plain) s = check_json(text, size, &column, &documents);
    if (s != DID_EFORMAT) return s;
    if (column > 0) snprintf(where, sizeof where, ":%d", column);
    if (to->problems++ < 20)
        fprintf(stderr, "did: %s:%ld%s: %s\n", to->say->input, number, where, status_message());
    return DID_OK;
}

static status send_line(sending *to, const char *text, size_t size, long number)
{
    int column, documents = to->say->set.samples;
    if (to->plain) return add_plain(to, text, size, number);
    TRY(check_json(text, size, &column, &documents));
    return add(to, text, size, documents);
}

/* The whole file once; the first line that is not empty decides how it is read. */
static status each_line(sending *to, const char *bytes, size_t length, line_visit *visit)
{
    jsonl *lines;
    char  *text;
    size_t size;
    TRY(jsonl_open_text(&lines, bytes, length));
    status s = jsonl_next(lines, &text, &size);
    while (s == DID_OK && text) {
        size_t blank = strspn(text, " \t\r");
        if (blank < size) {
            if (!to->decided) to->plain = text[blank] != '{';
            to->decided = true;
            s = visit(to, text, size, jsonl_number(lines));
        }
        if (s == DID_OK) s = jsonl_next(lines, &text, &size);
    }
    if (s != DID_OK) s = status_at(s, "%s:%ld", to->say->input, jsonl_number(lines));
    jsonl_close(&lines);
    return s;
}

static status slurp(char **bytes, size_t *size, const char *path)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
    char  piece[65536];
    if (!f) return status_fail(DID_EFORMAT, "%s: cannot be read", path);
    FILE *to = open_memstream(bytes, size);
    while (to && !feof(f) && !ferror(f)) fwrite(piece, 1, fread(piece, 1, sizeof piece, f), to);
    bool good = to && !ferror(f);
    if (f != stdin) fclose(f);
    if (to && fclose(to) == 0 && good) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: cannot be read", path);
}

static status send_all(sending *to)
{
    char  *bytes = NULL;
    size_t size = 0;
    status s = slurp(&bytes, &size, to->say->input);
    if (s == DID_OK) s = each_line(to, bytes, size, check_line);
    if (s == DID_OK && to->problems > 0)
        s = status_fail(DID_EFORMAT, "%s: %d line%s wrong; nothing was submitted", to->say->input,
                        to->problems, to->problems == 1 ? " is" : "s are");
    if (s == DID_OK && !to->decided)
        s = status_fail(DID_EFORMAT, "%s: the file holds no lines to work on", to->say->input);
    if (s == DID_OK) s = each_line(to, bytes, size, send_line);
    if (s == DID_OK) s = flush(to);
    free(bytes);
    return s;
}

/* ---- waiting ---- */

static int count(const json_t *o, const char *key)
{
    return (int)json_integer_value(json_object_get(o, key));
}

static status look(sending *to, progress_now *now, int *open)
{
    message m;
    size_t  i;
    json_t *job;
    *open = 0;
    TRY(caller_ask(to->service, MESSAGE_STATUS, json_pack("{s:s}", "job", to->say->job), NULL, 0,
                   MESSAGE_STATE, &m));
    json_array_foreach(json_object_get(m.body, "jobs"), i, job)
    {
        const char *name = json_string_value(json_object_get(job, "job"));
        if (!name || strcmp(name, to->say->job) != 0) continue;
        now->drafting = count(job, "drafting");
        now->refining = count(job, "refining");
        now->failed = count(job, "failed");
        now->done = count(job, "done") + now->failed;
        *open = count(job, "queued") + count(job, "drafted") + now->drafting + now->refining;
        now->documents = now->done + *open;
    }
    message_clear(&m);
    return DID_OK;
}

static status await(sending *to, bool *failed)
{
    progress     bar;
    progress_now now = {.drawn = -1};
    int          open = 1;
    json_t      *news = NULL; /* something has changed, perhaps of this job */
    status       s = DID_OK;
    FILE        *terminal = to->say->quiet ? NULL : host_terminal();
    progress_init(&bar, terminal, terminal ? 0.5 : 10);
    while (s == DID_OK && open > 0) {
        s = look(to, &now, &open);
        if (!to->say->quiet) progress_show(&bar, &now, clock_seconds());
        if (s == DID_OK && open > 0) s = caller_news(to->service, LOOK_S, &news);
        json_decref(news);
        news = NULL;
        if (interrupt_asked()) s = status_fail(DID_EPEER, "interrupted; the service keeps the job");
    }
    if (!to->say->quiet) progress_finish(&bar, &now, clock_seconds());
    if (terminal && terminal != stderr) fclose(terminal);
    *failed = now.failed > 0;
    return s;
}

static status submit_all(const submit *say, const options *said, bool *failed)
{
    sending to = {.say = say, .terms = terms_said(said)};
    if (!to.terms) return no_memory();
    if (!say->input) return status_fail(DID_EINVAL, "--input is missing: name a file");
    status s = caller_open(&to.service, &say->service);
    if (s == DID_OK) s = send_all(&to);
    if (s == DID_OK)
        log_say("submit", "job %s: %d new document%s, %d known", say->job, to.added,
                to.added == 1 ? "" : "s", to.known);
    if (s == DID_OK && say->wait) s = await(&to, failed);
    caller_close(&to.service);
    json_decref(to.terms);
    free(to.bytes);
    return s;
}

int cmd_submit(int argc, char *const *argv)
{
    submit   say = {0};
    options *said;
    bool     failed = false;
    interrupt_install();
    status s = options_read(&said, &cmd_submit_table, &say, argc, argv);
    log_identity(0, 1, say.quiet);
    if (s == DID_OK) s = submit_all(&say, said, &failed);
    options_close(&said);
    int end = caller_end(s);
    return end == END_DONE && failed ? END_SOME_FAILED : end;
}
