#include "standing.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "storeroom.h"

enum { TRIES = 64 }; /* jobs that are asked before a world is told that nothing waits */

void standing_loan_clear(standing_loan *l)
{
    free(l->terms);
    free(l->line);
    free(l->checkpoint);
    *l = (standing_loan){0};
}

static status lend(store *s, storeroom_document *r, const char *signature, standing_loan *out)
{
    bool again = r->checkpoint && r->signature && strcmp(r->signature, signature) == 0;
    *out = (standing_loan){.serial = r->place,
                           .epoch = r->epoch + 1,
                           .sample = r->sample,
                           .suspect = r->failures >= s->strikes - 1,
                           .line = strdup(r->line)};
    if (again) out->checkpoint = strdup(r->checkpoint);
    if (!out->line || (again && !out->checkpoint)) return storeroom_full();
    r->epoch++;
    r->state = again && r->state == STORE_DRAFTED ? STORE_REFINING : STORE_DRAFTING;
    TRY(storeroom_terms(s, r->job, &out->terms));
    return storeroom_write(s, r);
}

static status take_of(store *s, int64_t job, store_state state, const char *signature, int strikes,
                      standing_loan *out)
{
    bool found;
    sqlite3_bind_int64(s->query[QUERY_NEXT], 1, job);
    sqlite3_bind_int(s->query[QUERY_NEXT], 2, (int)state);
    sqlite3_bind_int(s->query[QUERY_NEXT], 3, strikes);
    status             result = storeroom_step(s, QUERY_NEXT, &found);
    storeroom_document r;
    if (result == DID_OK && found) result = storeroom_use(s, QUERY_NEXT, &r);
    if (result == DID_OK && found) result = lend(s, &r, signature, out);
    storeroom_done(s, QUERY_NEXT);
    return result;
}

/* Of a job whose turn it is. One that has nothing but suspects, for which this world is not the
 * place, is passed over, and its turn comes again. */
static status take_one(store *s, store_state state, const char *signature, int strikes,
                       standing_loan *out)
{
    int64_t job = 1;
    for (int i = 0; i < TRIES && job && !out->serial; i++) {
        job = rota_next(&s->rota, state);
        if (job) TRY(take_of(s, job, state, signature, strikes, out));
    }
    return DID_OK;
}

status standing_take(store *s, const char *signature, bool suspects, standing_loan *out)
{
    int strikes = suspects ? s->strikes : s->strikes - 1;
    *out = (standing_loan){0};
    status result = take_one(s, STORE_DRAFTED, signature, strikes, out);
    if (result == DID_OK && !out->serial)
        result = take_one(s, STORE_QUEUED, signature, strikes, out);
    if (result != DID_OK) standing_loan_clear(out);
    return result;
}

/* Stand on the row of `serial`, until `done`. */
static status stand(store *s, int64_t serial, storeroom_document *r, bool *found)
{
    sqlite3_bind_int64(s->query[QUERY_FIND], 1, serial);
    TRY(storeroom_step(s, QUERY_FIND, found));
    return *found ? storeroom_use(s, QUERY_FIND, r) : DID_OK;
}

status standing_look(store *s, int64_t serial, store_state *state, int64_t *epoch)
{
    storeroom_document r = {0};
    bool               found;
    status             result = stand(s, serial, &r, &found);
    *state = (store_state)r.state;
    *epoch = r.epoch;
    storeroom_done(s, QUERY_FIND);
    return result;
}

/* Change a document: `how` is told what it was, and may find that it cannot be. */
typedef status change(storeroom_document *r, const void *context);

static status alter(store *s, int64_t serial, change *how, const void *context, bool ends)
{
    storeroom_document r;
    bool               found;
    status             result = stand(s, serial, &r, &found);
    if (result == DID_OK && !found)
        result = status_fail(DID_EFORMAT, "there is no document %lld", (long long)serial);
    if (result == DID_OK) result = how(&r, context);
    if (result == DID_OK) {
        r.finished = ends ? ++s->last : 0;
        result = storeroom_write(s, &r);
    }
    storeroom_done(s, QUERY_FIND);
    return result;
}

typedef struct saved {
    bool        refining;
    const char *signature, *checkpoint;
} saved;

static status apply_save(storeroom_document *r, const void *context)
{
    const saved *now = context;
    r->state = now->refining ? STORE_REFINING : STORE_DRAFTING;
    r->signature = now->signature;
    r->checkpoint = now->checkpoint;
    r->failures = 0;
    return DID_OK;
}

status standing_save(store *s, int64_t serial, bool refining, const char *signature,
                     const char *checkpoint)
{
    saved now = {refining, signature, checkpoint};
    return alter(s, serial, apply_save, &now, false);
}

static status apply_back(storeroom_document *r, const void *context)
{
    (void)context;
    r->state = r->state == STORE_REFINING ? STORE_DRAFTED : STORE_QUEUED;
    return DID_OK;
}

status standing_put_back(store *s, int64_t serial)
{
    return alter(s, serial, apply_back, NULL, false);
}

static status apply_strike(storeroom_document *r, const void *context)
{
    r->failures++;
    return apply_back(r, context);
}

status standing_strike(store *s, int64_t serial, const char *reason, bool *set_aside)
{
    storeroom_document r;
    bool               found;
    TRY(alter(s, serial, apply_strike, NULL, false));
    status result = stand(s, serial, &r, &found);
    *set_aside = result == DID_OK && found && r.failures >= s->strikes;
    storeroom_done(s, QUERY_FIND);
    if (result != DID_OK || !*set_aside) return result;
    return standing_set_aside(s, serial, reason);
}

typedef struct ending_of_document {
    store_state state;
    const char *record;
} ending_of_document;

/* After a log was cut short by damage a serial may be given again, and a world may still have the
 * document that it meant before: what comes back has to be this one's. */
static status check_owner(const storeroom_document *r, const char *record)
{
    char  *custom_id;
    int    sample;
    status s = record_owner(record, strlen(record), &custom_id, &sample);
    if (s == DID_OK && (strcmp(custom_id, r->custom_id) != 0 || sample != r->sample))
        s = status_fail(DID_EFORMAT,
                        "the record of document \"%.60s\" sample %d says it is \"%.60s\" sample %d",
                        r->custom_id, r->sample, custom_id, sample);
    free(custom_id);
    return s;
}

static status apply_end(storeroom_document *r, const void *context)
{
    const ending_of_document *end = context;
    if (end->record) TRY(check_owner(r, end->record));
    r->state = (int)end->state;
    r->signature = r->checkpoint = NULL;
    r->record = end->record;
    return DID_OK;
}

status standing_finish(store *s, int64_t serial, const char *record, bool failed)
{
    ending_of_document end = {failed ? STORE_FAILED : STORE_DONE, record};
    return alter(s, serial, apply_end, &end, true);
}

status standing_set_aside(store *s, int64_t serial, const char *reason)
{
    storeroom_document r;
    bool               found;
    char              *record = NULL;
    status             result = stand(s, serial, &r, &found);
    if (result == DID_OK && found) {
        json_t *o = json_pack("{s:s, s:i, s:n, s:s, s:s}", "custom_id", r.custom_id, "sample",
                              r.sample, "text", "finish_reason", "failed", "error", reason);
        record = json_dumps(o, 0);
        json_decref(o);
    }
    storeroom_done(s, QUERY_FIND);
    TRY(result);
    if (!record) return storeroom_full();
    result = standing_finish(s, serial, record, true);
    free(record);
    return result;
}

static status cancel_one(store *s, int64_t serial)
{
    ending_of_document end = {STORE_CANCELLED, NULL};
    return alter(s, serial, apply_end, &end, false);
}

status standing_cancel(store *s, int64_t job, const char *custom_id, int most, store_visit *out,
                       void *context, int *cancelled)
{
    storeroom_query which = custom_id ? QUERY_OPEN_OF_ID : QUERY_OPEN_OF_JOB;
    sqlite3_stmt   *q = s->query[which];
    bool            found = true;
    status          result = DID_OK;
    *cancelled = 0;
    while (result == DID_OK && found && *cancelled < most) {
        sqlite3_bind_int64(q, 1, job);
        if (custom_id) sqlite3_bind_text(q, 2, custom_id, -1, SQLITE_STATIC);
        result = storeroom_step(s, which, &found);
        int64_t     serial = sqlite3_column_int64(q, 0), epoch = sqlite3_column_int64(q, 2);
        store_state state = (store_state)sqlite3_column_int(q, 1);
        storeroom_done(s, which);
        if (result != DID_OK || !found) break;
        result = cancel_one(s, serial);
        ++*cancelled;
        if (result == DID_OK && (state == STORE_DRAFTING || state == STORE_REFINING))
            result = out(context, serial, epoch);
    }
    return result;
}
