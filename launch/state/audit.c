#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "results.h"
#include "statefile.h"

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
    (void)find(a, AUDIT_BAD, "state file %s: its structure is damaged: %s", a->state, sentence);
}

static status add_entry(audit *a, const journal_row *row)
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
                     .over = row->state == JOURNAL_DONE || row->state == JOURNAL_FAILED};
    if (!e.custom_id) return no_memory();
    a->entry[a->n_entries++] = e;
    return DID_OK;
}

/* A sound row says what was written; is what was written possible? */
static status check_meaning(audit *a, const journal_row *row)
{
    char *owner = NULL;
    int   sample = 0;
    bool  over = row->state == JOURNAL_DONE || row->state == JOURNAL_FAILED;
    if (over != (row->record != NULL))
        return find(a, AUDIT_BAD,
                    "document \"%.60s\" sample %d is %sfinished and has %s record: that was never "
                    "written by this program",
                    row->custom_id, row->sample, over ? "" : "not ", row->record ? "a" : "no");
    if (!over) return DID_OK;
    status s = record_owner(row->record, strlen(row->record), &owner, &sample);
    if (s == DID_ENOMEM) return s;
    if (s != DID_OK)
        s = find(a, AUDIT_BAD, "document \"%.60s\" sample %d: its record cannot be read: %s",
                 row->custom_id, row->sample, status_message());
    else if (strcmp(owner, row->custom_id) != 0 || sample != row->sample)
        s = find(a, AUDIT_BAD,
                 "document \"%.60s\" sample %d: its record says it is \"%.60s\" sample %d",
                 row->custom_id, row->sample, owner, sample);
    free(owner);
    return s;
}

static status check_row(void *context, const journal_row *row)
{
    audit *a = context;
    if (!row->sound) {
        a->damaged++;
        return find(a, AUDIT_LOST,
                    "document \"%.60s\" sample %d: the checksum of its row does not match: the row "
                    "is not used, and the next start generates the document again",
                    row->custom_id, row->sample);
    }
    a->documents[row->state]++;
    TRY(add_entry(a, row));
    return check_meaning(a, row);
}

static status check_log(audit *a, const wal_report *log)
{
    char sentence[WAL_SENTENCE];
    if (!log->there) return DID_OK;
    return find(a, wal_damaged(log) ? AUDIT_LOST : AUDIT_SOUND, "state file %s: %s", a->state,
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
    audit   *audit;
    journal *journal;
} reading;

/* A line whose document the state file does not know as finished. After damage that is what has to
 * be expected; without, it is somebody else's. */
static status find_stranger(audit *a, const char *custom_id, int sample, bool known)
{
    return find(a, a->gaps ? AUDIT_LOST : AUDIT_BAD,
                "output %s, line %ld: document \"%.60s\" sample %d is %s%s", a->output, a->lines,
                custom_id, sample,
                known ? "not finished by the state file" : "not in the state file",
                a->gaps ? ": its row was lost, or the line is another job's"
                        : ": the line is another job's, or the state file is an older copy");
}

static status compare_record(const reading *r, const audit_entry *e, const char *line, size_t size)
{
    audit        *a = r->audit;
    bool          known;
    journal_state state;
    char         *record;
    TRY(journal_read(r->journal, e->custom_id, e->sample, &known, &state, &record));
    bool same = known && record && strlen(record) == size && memcmp(record, line, size) == 0;
    free(record);
    if (same) return DID_OK;
    return find(a, AUDIT_BAD,
                "output %s, line %ld: the record of document \"%.60s\" sample %d is not the state "
                "file's, whose checksum matches: the line was changed",
                a->output, a->lines, e->custom_id, e->sample);
}

static status check_name(const reading *r, char *custom_id, int sample, const char *line,
                         size_t size)
{
    audit       *a = r->audit;
    audit_entry *e = entry_of(a, custom_id, sample);
    if (!e || !e->over) return find_stranger(a, custom_id, sample, e != NULL);
    if (e->printed)
        return find(a, AUDIT_BAD,
                    "output %s, line %ld: document \"%.60s\" sample %d is there twice", a->output,
                    a->lines, custom_id, sample);
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
        return find(a, AUDIT_BAD, "output %s, line %ld: %s", a->output, a->lines,
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
                a->output, a->missing, a->missing == 1 ? "" : "s", first->custom_id,
                first->sample);
}

static status check_output(audit *a, journal *j)
{
    reading r = {a, j};
    TRY(results_look(a->output, check_line, &r, &a->torn));
    if (a->torn > 0)
        TRY(find(a, AUDIT_MENDABLE, "output %s ends in a torn line of %lld bytes", a->output,
                 a->torn));
    return check_missing(a);
}

/* ---- both ---- */

static status examine(audit *a, journal *j)
{
    TRY(check_log(a, journal_log(j)));
    if (a->weight == AUDIT_BAD) return DID_OK; /* where the structure is damaged nothing is sure */
    if (journal_fresh(j)) TRY(find(a, AUDIT_SOUND, "state file %s is empty", a->state));
    TRY(journal_scan(j, check_row, a));
    a->looked = true;
    a->gaps = !journal_fresh(j) && (a->damaged > 0 || wal_damaged(journal_log(j)));
    if (a->n_entries > 0) qsort(a->entry, (size_t)a->n_entries, sizeof *a->entry, compare);
    return a->output ? check_output(a, j) : DID_OK;
}

/* What makes a file unusable is the finding. */
static status find_refusal(audit *a, status s)
{
    a->interrupted = s == DID_EINVAL;
    if (s == DID_EINVAL) return find(a, AUDIT_MENDABLE, "%s", status_message());
    return s == DID_EFORMAT ? find(a, AUDIT_BAD, "%s", status_message()) : s;
}

status audit_open(audit *a, const char *state, const char *output)
{
    journal *j;
    *a = (audit){.state = state, .output = output};
    status s = journal_look(&j, state, complain, a);
    if (s == DID_OK) {
        s = examine(a, j);
        journal_close(&j);
    }
    s = s == DID_EFORMAT || s == DID_EINVAL ? find_refusal(a, s) : s;
    if (s != DID_OK) audit_close(a);
    return s;
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
} mending;

static status append_missing(void *context, const journal_row *row)
{
    const mending *m = context;
    if (!row->sound || !row->record) return DID_OK;
    char *custom_id = strdup(row->custom_id);
    if (!custom_id) return no_memory();
    const audit_entry *e = entry_of(m->audit, custom_id, row->sample);
    free(custom_id);
    return e && e->over && !e->printed ? results_append(m->output, row->record) : DID_OK;
}

static void ignore(void *context, const char *sentence)
{
    (void)context, (void)sentence;
}

static status complete_output(const audit *a)
{
    journal *j;
    mending  m = {.audit = a};
    TRY(journal_look(&j, a->state, ignore, NULL));
    status s = results_open(&m.output, a->output);
    if (s == DID_OK) {
        s = results_resume(m.output, pass_over, NULL);
        if (s == DID_OK) s = journal_scan(j, append_missing, &m);
        status closed = results_close(&m.output);
        if (s == DID_OK) s = closed;
    }
    journal_close(&j);
    return s;
}

/* Opening the file for use is what rolls a commit back. */
static status roll_back(const audit *a)
{
    statefile f;
    TRY(statefile_open(&f, a->state));
    statefile_close(&f);
    return DID_OK;
}

status audit_mend(const audit *a)
{
    if (a->weight == AUDIT_BAD)
        return status_fail(DID_EINVAL, "nothing was mended: what was found needs a decision first");
    if (a->interrupted) return roll_back(a);
    return a->output && (a->torn > 0 || a->missing > 0) ? complete_output(a) : DID_OK;
}
