#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heritage.h"
#include "record.h"
#include "results.h"
#include "statefile.h"
#include "store.h"

/* A sound row. */
struct audit_entry {
    char *custom_id;
    int   sample;
    bool  over;    /* it has a record */
    bool  printed; /* the output holds it */
};

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory to examine a state file");
}

/* ---- findings ---- */

__attribute__((format(printf, 3, 4))) static status find(audit *a, audit_weight weight,
                                                         const char *format, ...)
{
    va_list arguments;
    if (weight > a->weight) a->weight = weight;
    if (a->n_findings == AUDIT_FINDINGS_MAX) {
        a->unsaid++;
        return DID_OK;
    }
    audit_finding *f = &a->finding[a->n_findings];
    va_start(arguments, format);
    int n = vasprintf(&f->sentence, format, arguments);
    va_end(arguments);
    if (n < 0) return no_memory();
    f->weight = weight;
    a->n_findings++;
    return DID_OK;
}

/* ---- the state file ---- */

static void complain(void *context, const char *sentence)
{
    audit *a = context;
    /* Out of memory for the sentence: the weight is what counts, and it is set. */
    (void)find(a, AUDIT_BAD, "state file %s: its structure is damaged: %s", a->of.state, sentence);
}

static bool is_over(store_state state)
{
    return state == STORE_DONE || state == STORE_FAILED;
}

static status add_entry(audit *a, const store_row *row)
{
    if (a->n_entries == a->entries_max) {
        int          more = a->entries_max ? 2 * a->entries_max : 256;
        audit_entry *grown = realloc(a->entry, (size_t)more * sizeof *grown);
        if (!grown) return no_memory();
        a->entry = grown;
        a->entries_max = more;
    }
    audit_entry e = {.custom_id = strdup(row->custom_id),
                     .sample = row->sample,
                     .over = is_over(row->state),
                     .printed = row->record && heritage_is(row->record)};
    if (!e.custom_id) return no_memory();
    a->entry[a->n_entries++] = e;
    return DID_OK;
}

/* Whose document a finding is about, for people: its job where there are several. */
enum { WHOSE = 160 };
static const char *whose(const audit *a, const store_row *row, char text[WHOSE])
{
    if (a->own || a->jobs < 2 || !row->name) *text = '\0';
    else snprintf(text, WHOSE, " of job \"%.60s\"", row->name);
    return text;
}

static status check_record(audit *a, const store_row *row)
{
    char  *owner = NULL, of[WHOSE];
    int    sample = 0;
    status s = record_owner(row->record, strlen(row->record), &owner, &sample);
    if (s == DID_ENOMEM) return s;
    if (s != DID_OK)
        s = find(a, AUDIT_BAD, "document \"%.60s\" sample %d%s: its record cannot be read: %s",
                 row->custom_id, row->sample, whose(a, row, of), status_message());
    else if (strcmp(owner, row->custom_id) != 0 || sample != row->sample)
        s = find(a, AUDIT_BAD,
                 "document \"%.60s\" sample %d%s: its record says it is \"%.60s\" sample %d",
                 row->custom_id, row->sample, whose(a, row, of), owner, sample);
    free(owner);
    return s;
}

/* A sound row says what was written; is what was written possible? */
static status check_meaning(audit *a, const store_row *row)
{
    char of[WHOSE];
    bool over = is_over(row->state);
    if (!row->name)
        return find(a, AUDIT_BAD, "document \"%.60s\" sample %d is of a job that is not there",
                    row->custom_id, row->sample);
    if (over != (row->record != NULL) || over != (row->finished > 0))
        return find(a, AUDIT_BAD,
                    "document \"%.60s\" sample %d%s is %sfinished and has %s record%s: that was "
                    "never written by this program",
                    row->custom_id, row->sample, whose(a, row, of), over ? "" : "not ",
                    row->record ? "a" : "no", row->finished > 0 ? " with a number" : "");
    return over ? check_record(a, row) : DID_OK;
}

static status check_row(void *context, const store_row *row)
{
    audit *a = context;
    char   of[WHOSE];
    if (!row->sound) {
        a->damaged++;
        return find(a, AUDIT_LOST,
                    "document \"%.60s\" sample %d%s: the checksum of its %s does not match: it is "
                    "not used, and %s",
                    row->custom_id, row->sample, whose(a, row, of),
                    row->line_sound ? "standing" : "line",
                    row->line_sound || a->own ? "the next start generates the document again"
                                              : "the document has to be submitted again");
    }
    a->documents[row->state]++;
    if (row->job == a->job) TRY(add_entry(a, row));
    return check_meaning(a, row);
}

/* In the file of a service that does not run, nobody holds a lease. */
static status check_out(audit *a)
{
    int out = a->documents[STORE_DRAFTING] + a->documents[STORE_REFINING];
    if (a->own || out == 0) return DID_OK;
    return find(
        a, AUDIT_SOUND,
        "%d document%s out with worlds: after a start these may go on, and what none of them "
        "claims in the time of a lease waits again with its last checkpoint",
        out, out == 1 ? " is" : "s are");
}

/* ---- jobs ---- */

/* The jobs that the output may be of. */
typedef struct choice {
    audit *audit;
    int    n;
} choice;

static status consider(void *context, int64_t job, const char *owner, const char *name)
{
    choice              *c = context;
    const audit_subject *of = &c->audit->of;
    c->audit->jobs++;
    c->audit->own |= store_owns_itself(owner);
    if (of->job && strcmp(of->job, name) != 0) return DID_OK;
    if (of->owner && strcmp(of->owner, owner) != 0) return DID_OK;
    c->n++;
    c->audit->job = job;
    return DID_OK;
}

static status choose_job(audit *a, store *s)
{
    choice               c = {.audit = a};
    const audit_subject *of = &a->of;
    TRY(store_all_jobs(s, consider, &c));
    if (!of->output) a->job = 0;
    if (!of->output || c.n == 1 || a->jobs == 0) return DID_OK;
    if (c.n == 0)
        return status_fail(DID_EINVAL, "state file %s has no job \"%.60s\"%s", of->state,
                           of->job ? of->job : "", of->owner ? " of that owner" : "");
    if (!of->job)
        return status_fail(DID_EINVAL,
                           "state file %s has %d jobs: --job must say of which the output is",
                           of->state, c.n);
    return status_fail(DID_EINVAL,
                       "state file %s has %d jobs \"%.60s\": --owner must say whose the output is",
                       of->state, c.n, of->job);
}

static status check_log(audit *a, const wal_report *log)
{
    char sentence[WAL_SENTENCE];
    if (!log->there) return DID_OK;
    return find(a, wal_damaged(log) ? AUDIT_LOST : AUDIT_SOUND, "state file %s: %s", a->of.state,
                wal_describe(log, sentence));
}

/* ---- names ---- */

static int compare(const void *x, const void *y)
{
    const audit_entry *a = x, *b = y;
    int                sign = strcmp(a->custom_id, b->custom_id);
    return sign ? sign : (a->sample > b->sample) - (a->sample < b->sample);
}

static audit_entry *entry_of(const audit *a, char *custom_id, int sample)
{
    audit_entry key = {.custom_id = custom_id, .sample = sample};
    if (a->n_entries == 0) return NULL;
    return bsearch(&key, a->entry, (size_t)a->n_entries, sizeof key, compare);
}

/* ---- the output ---- */

typedef struct reading {
    audit *audit;
    store *store;
} reading;

/* A line whose document the state file does not know as finished. After damage that is what has to
 * be expected; without, it is somebody else's. */
static status find_stranger(audit *a, const char *custom_id, int sample, bool known)
{
    return find(a, a->gaps ? AUDIT_LOST : AUDIT_BAD,
                "output %s, line %ld: document \"%.60s\" sample %d is %s%s", a->of.output, a->lines,
                custom_id, sample,
                known ? "not finished by the state file" : "not in the state file",
                a->gaps ? ": its row was lost, or the line is another job's"
                        : ": the line is another job's, or the state file is an older copy");
}

static status compare_record(const reading *r, const audit_entry *e, const char *line, size_t size)
{
    audit      *a = r->audit;
    store_found found;
    TRY(store_find(r->store, a->job, e->custom_id, e->sample, &found));
    bool same = found.text && strlen(found.text) == size && memcmp(found.text, line, size) == 0;
    free(found.text);
    if (same) return DID_OK;
    return find(a, AUDIT_BAD,
                "output %s, line %ld: the record of document \"%.60s\" sample %d is not the state "
                "file's, whose checksum matches: the line was changed",
                a->of.output, a->lines, e->custom_id, e->sample);
}

static status check_name(const reading *r, char *custom_id, int sample, const char *line,
                         size_t size)
{
    audit       *a = r->audit;
    audit_entry *e = entry_of(a, custom_id, sample);
    if (!e || !e->over) return find_stranger(a, custom_id, sample, e != NULL);
    if (e->printed)
        return find(a, AUDIT_BAD,
                    "output %s, line %ld: document \"%.60s\" sample %d is there twice",
                    a->of.output, a->lines, custom_id, sample);
    e->printed = true;
    return compare_record(r, e, line, size);
}

static status check_line(void *context, const char *line, size_t size)
{
    const reading *r = context;
    audit         *a = r->audit;
    char          *custom_id;
    int            sample;
    a->lines++;
    status s = record_owner(line, size, &custom_id, &sample);
    if (s == DID_ENOMEM) return s;
    if (s != DID_OK)
        return find(a, AUDIT_BAD, "output %s, line %ld: %s", a->of.output, a->lines,
                    status_message());
    s = check_name(r, custom_id, sample, line, size);
    free(custom_id);
    return s;
}

static status check_missing(audit *a)
{
    const audit_entry *first = NULL;
    for (int i = 0; i < a->n_entries; i++) {
        if (!a->entry[i].over || a->entry[i].printed) continue;
        a->missing++;
        if (!first) first = &a->entry[i];
    }
    if (!first) return DID_OK;
    return find(a, AUDIT_MENDABLE,
                "output %s lacks %d finished document%s, among them \"%.60s\" sample %d: the state "
                "file has the records",
                a->of.output, a->missing, a->missing == 1 ? "" : "s", first->custom_id,
                first->sample);
}

static status check_output(audit *a, store *s)
{
    reading r = {a, s};
    TRY(results_look(a->of.output, check_line, &r, &a->torn));
    if (a->torn > 0)
        TRY(find(a, AUDIT_MENDABLE, "output %s ends in a torn line of %lld bytes", a->of.output,
                 a->torn));
    return check_missing(a);
}

/* ---- both ---- */

static status examine(audit *a, store *s)
{
    TRY(check_log(a, store_log(s)));
    if (a->weight == AUDIT_BAD) return DID_OK; /* where the structure is damaged nothing is sure */
    if (store_fresh(s)) TRY(find(a, AUDIT_SOUND, "state file %s is empty", a->of.state));
    TRY(choose_job(a, s));
    TRY(store_scan(s, check_row, a));
    TRY(check_out(a));
    a->looked = true;
    a->gaps = !store_fresh(s) && (a->damaged > 0 || wal_damaged(store_log(s)));
    if (a->n_entries > 0) qsort(a->entry, (size_t)a->n_entries, sizeof *a->entry, compare);
    return a->of.output ? check_output(a, s) : DID_OK;
}

/* What makes a file unusable is the finding. */
static status find_refusal(audit *a, status s)
{
    a->interrupted = s == DID_EINVAL;
    if (s == DID_EINVAL) return find(a, AUDIT_MENDABLE, "%s", status_message());
    return s == DID_EFORMAT ? find(a, AUDIT_BAD, "%s", status_message()) : s;
}

status audit_open(audit *a, const audit_subject *of)
{
    store *s;
    *a = (audit){.of = *of};
    status result = store_look(&s, of->state, complain, a);
    if (result == DID_OK) {
        result = examine(a, s);
        store_close(&s);
    } else {
        result = find_refusal(a, result);
    }
    if (result != DID_OK) audit_close(a);
    return result;
}

void audit_close(audit *a)
{
    for (int i = 0; i < a->n_findings; i++) free(a->finding[i].sentence);
    for (int i = 0; i < a->n_entries; i++) free(a->entry[i].custom_id);
    free(a->entry);
    *a = (audit){0};
}

/* ---- mending ---- */

static status pass_over(void *context, const char *line, size_t size)
{
    (void)context, (void)line, (void)size;
    return DID_OK;
}

typedef struct mending {
    const audit *audit;
    results     *output;
    status       result;
} mending;

static status append_one(const mending *m, const char *record)
{
    char *custom_id;
    int   sample;
    TRY(record_owner(record, strlen(record), &custom_id, &sample));
    const audit_entry *e = entry_of(m->audit, custom_id, sample);
    free(custom_id);
    return e && e->over && !e->printed ? results_append(m->output, record) : DID_OK;
}

static bool append_missing(void *context, const char *record)
{
    mending *m = context;
    m->result = append_one(m, record);
    return m->result != DID_OK;
}

static void ignore(void *context, const char *sentence)
{
    (void)context, (void)sentence;
}

static status complete_output(const audit *a)
{
    store  *s;
    mending m = {.audit = a};
    int64_t after = 0;
    TRY(store_look(&s, a->of.state, ignore, NULL));
    status result = results_open(&m.output, a->of.output);
    if (result == DID_OK) {
        result = results_resume(m.output, pass_over, NULL);
        if (result == DID_OK) result = store_read(s, a->job, &after, append_missing, &m);
        if (result == DID_OK) result = m.result;
        status closed = results_close(&m.output);
        if (result == DID_OK) result = closed;
    }
    store_close(&s);
    return result;
}

/* Opening the file for use is what rolls a commit back. */
static status roll_back(const audit *a)
{
    statefile f;
    TRY(statefile_open(&f, a->of.state));
    statefile_close(&f);
    return DID_OK;
}

status audit_mend(const audit *a)
{
    if (a->weight == AUDIT_BAD)
        return status_fail(DID_EINVAL, "nothing was mended: what was found needs a decision first");
    if (a->interrupted) return roll_back(a);
    return a->of.output && (a->torn > 0 || a->missing > 0) ? complete_output(a) : DID_OK;
}
