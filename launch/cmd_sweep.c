#include "cmd_sweep.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd_generate.h"
#include "digest.h"
#include "jsonl.h"
#include "paper.h"
#include "retold.h"
#include "sheet.h"
#include "sweep.h"
#include "timesheet.h"
#include "version.h"

enum { PATH_BYTES = 4096 };

/* One command on this rank. */
typedef struct command {
    sweep_settings set;
    char           documents[PATH_BYTES], state[PATH_BYTES], times[PATH_BYTES];
    sweep          sweep;     /* rank 0 */
    const job     *job;       /* rank 0 */
    timesheet     *timesheet; /* rank 0 */
    harvest        harvest;
    sheet          sheet;
    sheet_verdict *verdict; /* [n_claims] */
} command;

/* ---- before ---- */

static status path_in(char path[PATH_BYTES], const char *dir, const char *name)
{
    if (snprintf(path, PATH_BYTES, "%s/%s", dir, name) < PATH_BYTES) return DID_OK;
    return status_fail(DID_EINVAL, "--output: the name is longer than %d bytes", PATH_BYTES - 40);
}

static status read_words(void *context, settings *out, options **said, int argc, char *const *argv)
{
    command *c = context;
    TRY(sweep_settings_read(&c->set, said, argc, argv));
    TRY(path_in(c->documents, c->set.output, "documents.jsonl"));
    TRY(path_in(c->state, c->set.output, "state.db"));
    TRY(path_in(c->times, c->set.output, "seconds.jsonl"));
    sweep_settings_run(out, &c->set, c->documents, c->state);
    return DID_OK;
}

static status make_directory(const char *dir)
{
    struct stat about;
    if (mkdir(dir, 0777) == 0) return DID_OK;
    if (errno == EEXIST && stat(dir, &about) == 0 && S_ISDIR(about.st_mode)) return DID_OK;
    return status_fail(DID_EINVAL, "--output %s: cannot make this directory: %s", dir,
                       strerror(errno));
}

static status open_job(void *context, job *j, const settings *s, ending *usual)
{
    command *c = context;
    *usual = END_USAGE;
    TRY(make_directory(c->set.output));
    c->sweep.set = &c->set;
    c->job = j;
    TRY(sweep_open(&c->sweep, j, s, usual));
    return timesheet_open(&c->timesheet, c->times);
}

/* What a document took itself, behind its source. The last stage of a setting is the scorer's, which
 * is no part of what that costs. */
static void note_time(void *context, int64_t serial, const double *seconds, int n)
{
    command       *c = context;
    const request *all = c->job->input.request, *r = &all[serial];
    const request *from = r->source ? &all[r->source - 1] : NULL;
    double         sum = 0;
    for (int k = from ? from->n_stages : 0; k < n - !r->silent; k++) sum += seconds[k];
    if (n > 0 && !isnan(sum))
        timesheet_note(c->timesheet, r->custom_id, sum, from ? from->custom_id : NULL);
}

/* ---- after ---- */

static status take_records(command *c, jsonl *file)
{
    for (;;) {
        char   *text;
        size_t  size;
        int     column;
        json_t *record = NULL;
        TRY(jsonl_next(file, &text, &size));
        if (!text) return DID_OK;
        status s = jsonl_parse(&record, text, size, &column);
        if (s == DID_OK) s = harvest_take(&c->harvest, record);
        json_decref(record);
        if (s != DID_OK) return status_at(s, "%s:%ld", c->documents, jsonl_number(file));
    }
}

static status gather(command *c, const job *j)
{
    jsonl *file = NULL;
    TRY(harvest_open(&c->harvest, &c->sweep.spec, j->end_id));
    TRY(jsonl_open(&file, c->documents));
    status s = take_records(c, file);
    jsonl_close(&file);
    if (s == DID_OK) s = timesheet_close(&c->timesheet);
    return s == DID_OK ? timesheet_read(&c->harvest, c->times) : s;
}

/* ---- what is written ---- */

/* Through a file beside it, so that a table is either the old one or the new one. */
static status write_file(const command *c, const char *name,
                         status (*write)(FILE *to, const command *c, const cmd_generate_run *run),
                         const cmd_generate_run *run)
{
    char path[PATH_BYTES], part[PATH_BYTES + 8];
    TRY(path_in(path, c->set.output, name));
    snprintf(part, sizeof part, "%s.part", path);
    FILE *to = fopen(part, "we");
    if (!to) return status_fail(DID_EIO, "cannot write %s: %s", part, strerror(errno));
    status s = write(to, c, run);
    bool   torn = ferror(to) != 0;
    torn |= fclose(to) != 0;
    if (s == DID_OK && (torn || rename(part, path) != 0))
        s = status_fail(DID_EIO, "cannot write %s: %s", path, strerror(errno));
    return s;
}

static status write_csv(FILE *to, const command *c, const cmd_generate_run *run)
{
    (void)run;
    sheet_csv(to, &c->sheet);
    return DID_OK;
}

static status write_jsonl(FILE *to, const command *c, const cmd_generate_run *run)
{
    return sheet_jsonl(to, &c->sheet, engine_signature(run->engine));
}

static status write_paper(FILE *to, const command *c, const cmd_generate_run *run)
{
    paper p = {.sheet = &c->sheet,
               .verdict = c->verdict,
               .words = run->job->words,
               .changes = c->set.changes,
               .model = c->set.model,
               .scorer = c->set.scorer,
               .signature = engine_signature(run->engine),
               .version = "did " DID_VERSION " (" DID_GIT ")",
               .ranks = comm_size(run->world),
               .documents = run->documents,
               .seconds = run->seconds};
    return paper_write(to, &p);
}

static status judge(command *c)
{
    int n = c->sweep.spec.n_claims;
    c->verdict = calloc((size_t)n + 1, sizeof *c->verdict);
    if (!c->verdict) return status_fail(DID_ENOMEM, "no memory for %d verdicts", n);
    for (int i = 0; i < n; i++)
        TRY(sheet_judge(&c->verdict[i], &c->sheet, &c->sweep.spec.claim[i]));
    return DID_OK;
}

static status write_all(command *c, const cmd_generate_run *run)
{
    TRY(sheet_open(&c->sheet, &c->sweep.spec, c->sweep.trial, &c->harvest));
    TRY(judge(c));
    TRY(write_file(c, "rows.csv", write_csv, run));
    TRY(write_file(c, "rows.jsonl", write_jsonl, run));
    TRY(write_file(c, "report.html", write_paper, run));
    digest_print(stdout, &c->sheet, c->verdict);
    if (fflush(stdout) == 0) return DID_OK;
    return status_fail(DID_EIO, "cannot write to stdout: %s", strerror(errno));
}

static status settle(void *context, const cmd_generate_run *run)
{
    command *c = context;
    bool     first = comm_rank(run->world) == 0;
    TRY(comm_agree(run->world, first ? gather(c, run->job) : DID_OK));
    TRY(retold_score(first ? &c->harvest : NULL, run, c->sweep.scorer));
    return first ? write_all(c, run) : DID_OK;
}

int cmd_sweep(int argc, char *const *argv)
{
    command                 c = {0};
    const cmd_generate_task task = {
        .context = &c, .read = read_words, .open = open_job, .timed = note_time, .finish = settle};
    int end = cmd_generate_with(&task, argc, argv);
    (void)timesheet_close(&c.timesheet); /* of a run that did not come to its tables */
    free(c.verdict);
    sheet_close(&c.sheet);
    harvest_close(&c.harvest);
    sweep_close(&c.sweep);
    return end;
}
