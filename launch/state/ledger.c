#include "ledger.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heritage.h"
#include "log.h"
#include "results.h"
#include "standing.h"

/* HELD waits for its source. */
typedef enum { WAITING, HELD, OUT, NOTED, DONE } standing;

/* Something for the next commit. */
typedef struct note {
    int         place;
    store_state state; /* DRAFTING, REFINING: a checkpoint */
    char       *text;
} note;

struct ledger {
    const request      *requests;
    int                 n, silent; /* all, and those that nobody asked for */
    const parcel_rules *parcels;
    store         *state; /* NULL: none */
    int64_t        job;   /* in the state file */
    int64_t       *kept;  /* [n] serials there */
    char          *identity;
    results       *output;
    unsigned char *stand;   /* [n] */
    int           *epoch;   /* [n] times it was taken */
    bool          *printed; /* [n] its record is in the output, or does not belong there */
    int           *heir;    /* [n] the first that goes on from it, and */
    int           *sibling; /* [n] the next that goes on from the same; -1 none */
    int           *by_name; /* [n] places, sorted by custom_id and sample */
    int            next;    /* no document before it waits */
    int            waiting, held, done, failed, earlier;
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

/* Who goes on from whom; the heirs of a document in ascending places. */
static void note_heirs(ledger *l)
{
    for (int i = l->n - 1; i >= 0; i--) {
        const request *r = &l->requests[i];
        l->heir[i] = l->sibling[i] = -1;
        l->printed[i] = r->silent;
        l->silent += r->silent;
    }
    for (int i = l->n - 1; i >= 0; i--) {
        int source = l->requests[i].source - 1;
        if (source < 0) continue;
        assert(source < i);
        l->sibling[i] = l->heir[source];
        l->heir[source] = i;
    }
}

static status allocate(ledger *l)
{
    size_t n = (size_t)l->n + 1;
    l->stand = calloc(n, sizeof *l->stand);
    l->printed = calloc(n, sizeof *l->printed);
    l->epoch = calloc(n, sizeof *l->epoch);
    l->kept = calloc(n, sizeof *l->kept);
    l->by_name = malloc(n * sizeof *l->by_name);
    l->heir = malloc(n * sizeof *l->heir);
    l->sibling = malloc(n * sizeof *l->sibling);
    if (!l->stand || !l->epoch || !l->printed || !l->kept || !l->by_name || !l->heir || !l->sibling)
        return no_memory();
    for (int i = 0; i < l->n; i++) l->by_name[i] = i;
    note_heirs(l);
    qsort_r(l->by_name, (size_t)l->n, sizeof *l->by_name, compare_places, l);
    return DID_OK;
}

static bool is_over(store_state state)
{
    return state == STORE_DONE || state == STORE_FAILED;
}

/* The input is brought again by every run: what the state file has to know of a request is whether
 * it is the same. */
static status enter(ledger *l, int i)
{
    char           line[48];
    store_found    found;
    const request *r = &l->requests[i];
    snprintf(line, sizeof line, "{\"content\": \"%016" PRIx64 "\"}", r->content);
    TRY(store_enter(l->state, l->job, r->custom_id, r->sample, line, &found));
    bool over = is_over(found.state), begun = found.text != NULL;
    free(found.text);
    l->kept[i] = found.serial;
    l->stand[i] = over ? DONE : begun || !r->source ? WAITING : HELD;
    if (r->silent) return DID_OK;
    l->earlier += over;
    l->failed += found.state == STORE_FAILED;
    return DID_OK;
}

/* A source that nobody needs any more is over, and whoever needs one that is finished may begin. Sources
 * stand before those that go on from them. */
static status settle_sources(ledger *l)
{
    bool *needed = calloc((size_t)l->n + 1, sizeof *needed);
    if (!needed) return no_memory();
    for (int i = l->n - 1; i >= 0; i--) {
        const request *r = &l->requests[i];
        if (r->silent && !needed[i]) l->stand[i] = DONE;
        if (l->stand[i] == HELD) needed[r->source - 1] = true;
    }
    free(needed);
    for (int i = 0; i < l->n; i++)
        if (l->stand[i] == HELD && l->stand[l->requests[i].source - 1] == DONE)
            l->stand[i] = WAITING;
    return DID_OK;
}

static status submit(ledger *l, const char *path)
{
    for (int i = 0; i < l->n; i++) {
        status s = enter(l, i);
        if (s != DID_OK) return s == DID_EINVAL ? status_at(s, "state file %s", path) : s;
    }
    l->done = l->earlier;
    TRY(settle_sources(l));
    return store_commit(l->state);
}

/* A line that is there already must be one of ours: the state file holds the same bytes. Where a
 * damaged row was put aside the state file cannot say, and the name has to do. */
static status judge(const ledger *l, const char *custom_id, int sample, int place,
                    const store_found *found, const char *line, size_t size)
{
    if (place >= 0 && l->printed[place])
        return status_fail(DID_EINVAL, "it holds document \"%.60s\" sample %d twice", custom_id,
                           sample);
    if (found->serial == 0 || !is_over(found->state)) {
        if (store_damaged(l->state) > 0 && place >= 0) return DID_OK;
        return status_fail(DID_EINVAL,
                           "it holds document \"%.60s\" sample %d, which the state file has"
                           " not seen finished",
                           custom_id, sample);
    }
    if (strlen(found->text) == size && memcmp(found->text, line, size) == 0) return DID_OK;
    return status_fail(DID_EINVAL,
                       "its record of document \"%.60s\" sample %d is not the state file's",
                       custom_id, sample);
}

static status check_line(void *context, const char *line, size_t size)
{
    ledger     *l = context;
    store_found found;
    char       *custom_id;
    int         sample;
    TRY(record_owner(line, size, &custom_id, &sample));
    int    place = place_of(l, custom_id, sample);
    status s = store_find(l->state, l->job, custom_id, sample, &found);
    if (s == DID_OK) s = judge(l, custom_id, sample, place, &found, line, size);
    if (s == DID_OK && place >= 0) l->printed[place] = true;
    free(custom_id);
    free(found.text);
    return s;
}

/* What came of one pass over the records. */
typedef struct completion {
    ledger *ledger;
    status  result;
} completion;

static status print_one(ledger *l, const char *record)
{
    char *custom_id;
    int   sample;
    TRY(record_owner(record, strlen(record), &custom_id, &sample));
    int place = place_of(l, custom_id, sample);
    free(custom_id);
    if (place < 0 || l->printed[place]) return DID_OK;
    l->printed[place] = true;
    return results_append(l->output, record);
}

static bool print_missing(void *context, const char *record)
{
    completion *c = context;
    c->result = print_one(c->ledger, record);
    return c->result != DID_OK;
}

static status refuse_line(void *context, const char *line, size_t size)
{
    (void)context, (void)line, (void)size;
    return status_fail(DID_EINVAL, "it holds results, and there is no state file that knows them");
}

static status bring_in_step(ledger *l, const char *output)
{
    bool       known = l->state && !store_fresh(l->state);
    completion c = {.ledger = l};
    int64_t    after = 0;
    status     s = results_resume(l->output, known ? check_line : refuse_line, l);
    if (s != DID_OK) return output ? status_at(s, "output %s", output) : s;
    if (!known) return DID_OK;
    TRY(store_read(l->state, l->job, &after, print_missing, &c));
    TRY(c.result);
    if (l->earlier > 0)
        log_say("ledger", "%d of %d documents were finished before", l->earlier, ledger_asked(l));
    return results_sync(l->output);
}

/* How many documents nobody has finished yet. */
static void count_waiting(ledger *l)
{
    for (int i = 0; i < l->n; i++) {
        l->waiting += l->stand[i] == WAITING;
        l->held += l->stand[i] == HELD;
    }
}

static status bring_up(ledger *l, const ledger_settings *settings)
{
    TRY(allocate(l));
    assert(settings->state || l->silent == 0);
    if (settings->state) {
        TRY(record_identity(&l->identity, settings->rules));
        TRY(store_open_own(&l->state, settings->state, l->identity, &l->job));
        TRY(submit(l, settings->state));
    }
    count_waiting(l);
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
    l->parcels = &settings->rules->parcels;
    status s = bring_up(l, settings);
    if (s == DID_OK) return s;
    ledger_close(out); /* whatever closing says, the first failure is the one to tell */
    return s;
}

/* ---- handing out and taking in ---- */

/* What the source of document `i` has left, as its beginning. */
static status begin_with_source(const ledger *l, int i, char **checkpoint)
{
    const request *r = &l->requests[i], *from = &l->requests[r->source - 1];
    store_found    found;
    TRY(store_find(l->state, l->job, from->custom_id, from->sample, &found));
    status s = found.text ? heritage_take(checkpoint, found.text, from, r, l->parcels) : DID_OK;
    free(found.text);
    return s;
}

status ledger_take(ledger *l, int64_t *serial, char **checkpoint)
{
    store_found found = {0};
    *checkpoint = NULL;
    *serial = -1;
    while (l->next < l->n && l->stand[l->next] != WAITING) l->next++;
    if (l->next == l->n) return DID_OK;
    const request *r = &l->requests[l->next];
    if (l->state) TRY(store_find(l->state, l->job, r->custom_id, r->sample, &found));
    *checkpoint = found.text;
    if (r->draft && !*checkpoint) TRY(parcel_pack(checkpoint, r->draft, r));
    if (r->source && !*checkpoint) TRY(begin_with_source(l, l->next, checkpoint));
    l->stand[l->next] = OUT;
    l->epoch[l->next]++;
    l->waiting--;
    *serial = l->next++;
    return DID_OK;
}

void ledger_put_back(ledger *l, int64_t serial)
{
    assert(ledger_out(l, serial));
    l->stand[serial] = WAITING;
    l->waiting++;
    if (serial < l->next) l->next = (int)serial;
}

static bool known(const ledger *l, int64_t serial)
{
    return serial >= 0 && serial < l->n;
}

int ledger_epoch(const ledger *l, int64_t serial)
{
    return known(l, serial) ? l->epoch[serial] : 0;
}

bool ledger_out(const ledger *l, int64_t serial)
{
    return known(l, serial) && l->stand[serial] == OUT;
}

bool ledger_over(const ledger *l, int64_t serial)
{
    return known(l, serial) && (l->stand[serial] == NOTED || l->stand[serial] == DONE);
}

int ledger_waiting(const ledger *l)
{
    return l->waiting;
}

int ledger_held(const ledger *l)
{
    return l->held;
}

int ledger_asked(const ledger *l)
{
    return l->n - l->silent;
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

static status take_note(ledger *l, int64_t serial, store_state state, char *text)
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

status ledger_save(ledger *l, int64_t serial, bool refining, char *text)
{
    if (l->state) return take_note(l, serial, refining ? STORE_REFINING : STORE_DRAFTING, text);
    free(text);
    return DID_OK;
}

status ledger_finish(ledger *l, int64_t serial, char *line, bool failed)
{
    TRY(take_note(l, serial, failed ? STORE_FAILED : STORE_DONE, line));
    l->stand[serial] = NOTED;
    return DID_OK;
}

static status write_state(ledger *l)
{
    for (int i = 0; i < l->n_notes; i++) {
        const note *t = &l->notes[i];
        int64_t     kept = l->kept[t->place];
        if (is_over(t->state))
            TRY(standing_finish(l->state, kept, t->text, t->state == STORE_FAILED));
        else TRY(standing_save(l->state, kept, t->state == STORE_REFINING, l->identity, t->text));
    }
    return store_commit(l->state);
}

/* Those that go on from document `place` may begin. */
static void release_heirs(ledger *l, int place)
{
    for (int i = l->heir[place]; i >= 0; i = l->sibling[i]) {
        if (l->stand[i] != HELD) continue;
        l->stand[i] = WAITING;
        l->waiting++;
        l->held--;
        if (i < l->next) l->next = i;
    }
}

static status write_output(ledger *l, const note *t)
{
    if (!is_over(t->state)) return DID_OK;
    if (!l->printed[t->place]) TRY(results_append(l->output, t->text));
    l->printed[t->place] = true;
    l->stand[t->place] = DONE;
    release_heirs(l, t->place);
    if (l->requests[t->place].silent) return DID_OK;
    l->done++;
    l->failed += t->state == STORE_FAILED;
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
    store_close(&l->state);
    forget_notes(l);
    free(l->notes);
    free(l->stand);
    free(l->epoch);
    free(l->printed);
    free(l->by_name);
    free(l->heir);
    free(l->sibling);
    free(l->kept);
    free(l->identity);
    free(l);
    return s;
}
