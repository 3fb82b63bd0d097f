#include "heritage.h"

#include <stdlib.h>
#include <string.h>

#include "jsontext.h"

/* It stands first, so that nothing has to be parsed to tell one from a record. */
static const char mark[] = "{\"heritage\": true,";

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for what a document leaves");
}

/* A parcel is an object, and what is added to it says whose. */
status heritage_leave(char **line, const document *d, const request *r)
{
    char   *parcel = NULL, *id = NULL;
    json_t *name = json_string(r->custom_id);
    status  s = parcel_pack(&parcel, d, r);
    *line = NULL;
    if (s == DID_OK) id = json_dumps(name, JSON_ENCODE_ANY);
    if (s == DID_OK && (!id || asprintf(line, "%s \"custom_id\": %s, \"sample\": %d, %s", mark, id,
                                        r->sample, parcel + 1) < 0))
        s = no_memory();
    json_decref(name);
    free(parcel);
    free(id);
    return s;
}

bool heritage_is(const char *line)
{
    return strncmp(line, mark, sizeof mark - 1) == 0;
}

static bool has_text(const document *d)
{
    return d->finish != FINISH_FAILED && d->finish != FINISH_REJECTED;
}

static status follow(char **checkpoint, const document *source, const request *to,
                     const parcel_rules *rules)
{
    document *d = NULL;
    TRY(parcel_begin(&d, to, source->serial, rules));
    document_follow(d, source);
    status s = parcel_pack(checkpoint, d, to);
    document_close(&d);
    return s;
}

status heritage_take(char **checkpoint, const char *line, const request *from, const request *to,
                     const parcel_rules *rules)
{
    document *source = NULL;
    *checkpoint = NULL;
    TRY(parcel_unpack(&source, line, strlen(line), from, 0, true, rules));
    status s = has_text(source) ? follow(checkpoint, source, to, rules) : DID_OK;
    document_close(&source);
    return s;
}
