#include "ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "log.h"
#include "results.h"

typedef enum { WAITING, OUT, NOTED, DONE } standing;

/* Something for the next commit. */
typedef struct note {
    int           place;
    journal_state state;
    char         *text;
} note;

struct ledger {
    const request *requests;
    int            n;
    journal       *state; /* NULL: none */
    results       *output;
    unsigned char *stand;   /* [n] */
    bool          *printed; /* [n] its record is in the output */
    int           *by_name; /* [n] places, sorted by custom_id and sample */
    int            next;    /* no document before it waits */
    int            done, failed, earlier;
    note          *notes;
    int            n_notes, notes_max;
};

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the ledger");
}

/* ---- names ---- */

static int compare_names(const char *a, int a_sample, const char *b, int b_sample)
{
    int sign = strcmp(a, b);
    return sign ? sign : (a_sample > b_sample) - (a_sample < b_sample);
}

static int compare_places(const void *x, const void *y, void *context)
{
    const ledger  *l = context;
    const request *a = &l->requests[*(const int *)x], *b = &l->requests[*(const int *)y];
    return compare_names(a->custom_id, a->sample, b->custom_id, b->sample);
}

/* The place of a document, -1 when this run does not ask for it. */
static int place_of(const ledger *l, const char *custom_id, int sample)
{
    int low = 0, high = l->n;
    while (low < high) {
        int            mid = low + (high - low) / 2;
        const request *r = &l->requests[l->by_name[mid]];
        int            sign = compare_names(custom_id, sample, r->custom_id, r->sample);
        if (sign == 0) return l->by_name[mid];
        if (sign < 0) high = mid;
        else low = mid + 1;
    }
    return -1;
}

/* ---- opening ---- */

static status allocate(ledger *l)
{
    size_t n = (size_t)l->n + 1;
    l->stand = calloc(n, sizeof *l->stand);
    l->printed = calloc(n, sizeof *l->printed);
    l->by_name = malloc(n * sizeof *l->by_name);
    if (!l->stand || !l->printed || !l->by_name) return no_memory();
    for (int i = 0; i < l->n; i++) l->by_name[i] = i;
    qsort_r(l->by_name, (size_t)l->n, sizeof *l->by_name, compare_places, l);
    return DID_OK;
}

static status submit(ledger *l)
{
    journal_state *state = malloc(((size_t)l->n + 1) * sizeof *state);
    if (!state) return no_memory();
    status s = journal_submit(l->state, l->requests, l->n, state);
    for (int i = 0; i < l->n && s == DID_OK; i++) {
        bool over = state[i] == JOURNAL_DONE || state[i] == JOURNAL_FAILED;
        l->stand[i] = over ? DONE : WAITING;
        l->earlier += over;
        l->failed += state[i] == JOURNAL_FAILED;
    }
    l->done = l->earlier;
    free(state);
    return s;
}

/* A line that is there already must be one of ours: the state file holds the same bytes. Where a
 * damaged row was dropped the state file cannot say, and the name has to do. */
static status check_line(void *context, const char *line, size_t size)
{
    ledger       *l = context;
    char         *custom_id, *record = NULL;
    int           sample;
    bool          known;
    journal_state state;
    TRY(record_owner(line, size, &custom_id, &sample));
    status s = journal_read(l->state, custom_id, sample, &known, &state, &record);
    int    place = place_of(l, custom_id, sample);
    bool   over = s == DID_OK && known && (state == JOURNAL_DONE || state == JOURNAL_FAILED);
    if (s == DID_OK && place >= 0 && l->printed[place])
        s = status_fail(DID_EINVAL, "it holds document \"%.60s\" sample %d twice", custom_id,
                        sample);
    else if (s == DID_OK && !over && !(journal_damaged(l->state) > 0 && place >= 0))
        s = status_fail(DID_EINVAL,
                        "it holds document \"%.60s\" sample %d, which the state file has"
                        " not seen finished",
                        custom_id, sample);
    else if (over && (strlen(record) != size || memcmp(record, line, size) != 0))
        s = status_fail(DID_EINVAL,
                        "its record of document \"%.60s\" sample %d is not the state"
                        " file's",
                        custom_id, sample);
    if (s == DID_OK && place >= 0) l->printed[place] = true;
    free(custom_id);
    free(record);
    return s;
}

static status print_missing(void *context, const char *custom_id, int sample, const char *record)
{
    ledger *l = context;
    int     place = place_of(l, custom_id, sample);
    if (place < 0 || l->printed[place]) return DID_OK;
    l->printed[place] = true;
    return results_append(l->output, record);
}

static status refuse_line(void *context, const char *line, size_t size)
{
    (void)context, (void)line, (void)size;
    return status_fail(DID_EINVAL, "it holds results, and there is no state file that knows them");
}

static status bring_in_step(ledger *l, const char *output)
{
    bool   known = l->state && !journal_fresh(l->state);
    status s = results_resume(l->output, known ? check_line : refuse_line, l);
    if (s != DID_OK) return output ? status_at(s, "output %s", output) : s;
    if (!known) return DID_OK;
    TRY(journal_each(l->state, print_missing, l));
    if (l->earlier > 0)
        log_say("ledger", "%d of %d documents were finished before", l->earlier, l->n);
    return results_sync(l->output);
}

static status bring_up(ledger *l, const ledger_settings *settings)
{
    TRY(allocate(l));
    if (settings->state) {
        char  *identity;
        status s = record_identity(&identity, settings->rules);
        if (s == DID_OK) s = journal_open(&l->state, settings->state, identity);
        free(identity);
        TRY(s);
        TRY(submit(l));
    }
    TRY(results_open(&l->output, settings->output));
    return bring_in_step(l, settings->output);
}

status ledger_open(ledger **out, const ledger_settings *settings)
{
    ledger *l = calloc(1, sizeof *l);
    *out = l;
    if (!l) return no_memory();
    l->requests = settings->requests;
    l->n = settings->n_requests;
    status s = bring_up(l, settings);
    if (s == DID_OK) return s;
    ledger_close(out); /* whatever closing says, the first failure is the one to tell */
    return s;
}

/* ---- handing out and taking in ---- */

status ledger_take(ledger *l, int64_t *serial, char **checkpoint)
{
    bool          known;
    journal_state state;
    *checkpoint = NULL;
    *serial = -1;
    while (l->next < l->n && l->stand[l->next] != WAITING) l->next++;
    if (l->next == l->n) return DID_OK;
    const request *r = &l->requests[l->next];
    if (l->state) TRY(journal_read(l->state, r->custom_id, r->sample, &known, &state, checkpoint));
    l->stand[l->next] = OUT;
    *serial = l->next++;
    return DID_OK;
}

bool ledger_out(const ledger *l, int64_t serial)
{
    return serial >= 0 && serial < l->n && l->stand[serial] == OUT;
}

int ledger_done(const ledger *l)
{
    return l->done;
}

int ledger_failed(const ledger *l)
{
    return l->failed;
}

int ledger_earlier(const ledger *l)
{
    return l->earlier;
}

static status take_note(ledger *l, int64_t serial, journal_state state, char *text)
{
    assert(ledger_out(l, serial));
    if (l->n_notes == l->notes_max) {
        int   more = l->notes_max ? 2 * l->notes_max : 64;
        note *grown = realloc(l->notes, (size_t)more * sizeof *grown);
        if (!grown) {
            free(text);
            return no_memory();
        }
        l->notes = grown;
        l->notes_max = more;
    }
    l->notes[l->n_notes++] = (note){(int)serial, state, text};
    return DID_OK;
}

status ledger_save(ledger *l, int64_t serial, char *text)
{
    if (l->state) return take_note(l, serial, JOURNAL_DRAFTING, text);
    free(text);
    return DID_OK;
}

status ledger_finish(ledger *l, int64_t serial, char *line, bool failed)
{
    TRY(take_note(l, serial, failed ? JOURNAL_FAILED : JOURNAL_DONE, line));
    l->stand[serial] = NOTED;
    return DID_OK;
}

static status write_state(ledger *l)
{
    journal_change *change = malloc((size_t)l->n_notes * sizeof *change);
    if (!change) return no_memory();
    for (int i = 0; i < l->n_notes; i++) {
        const note    *t = &l->notes[i];
        const request *r = &l->requests[t->place];
        change[i] = (journal_change){r->custom_id, r->sample, t->state, t->text};
    }
    status s = journal_write(l->state, change, l->n_notes);
    free(change);
    return s;
}

static status write_output(ledger *l, const note *t)
{
    if (t->state == JOURNAL_DRAFTING) return DID_OK;
    if (!l->printed[t->place]) TRY(results_append(l->output, t->text));
    l->printed[t->place] = true;
    l->stand[t->place] = DONE;
    l->done++;
    l->failed += t->state == JOURNAL_FAILED;
    return DID_OK;
}

static void forget_notes(ledger *l)
{
    for (int i = 0; i < l->n_notes; i++) free(l->notes[i].text);
    l->n_notes = 0;
}

status ledger_commit(ledger *l)
{
    status s = DID_OK;
    if (l->n_notes == 0) return s;
    if (l->state) s = write_state(l);
    for (int i = 0; i < l->n_notes && s == DID_OK; i++) s = write_output(l, &l->notes[i]);
    forget_notes(l);
    return s;
}

status ledger_sync(ledger *l)
{
    return results_sync(l->output);
}

status ledger_close(ledger **out)
{
    ledger *l = *out;
    *out = NULL;
    status s = l->output ? results_close(&l->output) : DID_OK;
    journal_close(&l->state);
    forget_notes(l);
    free(l->notes);
    free(l->stand);
    free(l->printed);
    free(l->by_name);
    free(l);
    return s;
}
