#include "archive.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "order.h"
#include "record.h"
#include "standing.h"

static status lend(void *context, const char *signature, bool suspects, book_loan *out)
{
    standing_loan loan;
    TRY(standing_take(context, signature, suspects, &loan));
    if (loan.serial == 0) return DID_OK;
    *out = (book_loan){.serial = loan.serial,
                       .epoch = loan.epoch,
                       .sample = loan.sample,
                       .suspect = loan.suspect,
                       .order = order_pack(loan.line, loan.terms),
                       .checkpoint = loan.checkpoint};
    loan.checkpoint = NULL;
    standing_loan_clear(&loan);
    if (out->order) return DID_OK;
    free(out->checkpoint);
    return status_fail(DID_ENOMEM, "no memory for a document");
}

static int64_t waiting(void *context)
{
    return store_waiting(context);
}

static status look(void *context, int64_t serial, store_state *state, int64_t *epoch)
{
    return standing_look(context, serial, state, epoch);
}

static status save(void *context, int64_t serial, bool refining, const char *signature,
                   const char *checkpoint)
{
    return standing_save(context, serial, refining, signature, checkpoint);
}

static status put_back(void *context, int64_t serial)
{
    return standing_put_back(context, serial);
}

static status strike(void *context, int64_t serial, bool *aside)
{
    return standing_strike(context, serial, "the worlds that had it were lost", aside);
}

/* The world has written the record. */
static status end(void *context, int64_t serial, const char *text, const json_t *body)
{
    bool   failed;
    char  *id = NULL;
    int    sample;
    TRY(field_flag(body, "failed", &failed));
    status s = record_owner(text, strlen(text), &id, &sample);
    if (s == DID_OK) s = standing_finish(context, serial, text, failed);
    free(id);
    return s;
}

static status set_aside(void *context, int64_t serial, const char *reason)
{
    return standing_set_aside(context, serial, reason);
}

static status each_out(void *context, store_visit *visit, void *to)
{
    return store_each_out(context, visit, to);
}

static status commit(void *context)
{
    return store_commit(context);
}

book archive_book(store *s)
{
    return (book){s,      lend,   waiting,   look,     save,  put_back,
                  strike, end,    set_aside, each_out, commit, NULL};
}
