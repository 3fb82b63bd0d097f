/* record.h - the line of output that a finished document becomes.
 *
 * A record depends on the document, its request and the run's settings: not on the batch, the clock
 * or the rank, so the same document gives the same bytes. Keys stand in a fixed order. */
#ifndef DID_RECORD_H
#define DID_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "document.h"
#include "engine.h"
#include "parcel.h"
#include "request.h"
#include "status.h"
#include "tokenizer.h"

typedef struct record_rules {
    parcel_rules     parcels;
    const tokenizer *words;    /* NULL: records hold ids and no text */
    bool             keep_eos; /* the text goes on after an interior E */
    bool             ids;      /* add the token ids */
    int              end_id;   /* E; -1 when there is none */
    int              window;   /* positions a draft looks back: the model's length */
    uint64_t         model[ENGINE_MODELS_MAX]; /* hashes, by weight handle */
    const char      *signature;                /* engine_signature */
} record_rules;

/* The record of the finished document `d`, one line without its newline, malloc'ed.
 *
 * The text is the whole document without the E at position 0. It ends at the first interior E
 * unless `keep_eos`, at the first position that was never filled, and before the first stop string
 * that begins after the leading given tokens. Fails DID_ENOMEM. Local. */
status record_line(char **line, const request *r, const document *d, const record_rules *rules);

/* What records depend on besides their requests, as lines "name value"; a state file belongs to
 * runs that agree on it. malloc'ed. Fails DID_ENOMEM. Local. */
status record_identity(char **text, const record_rules *rules);

/* Whose record text[size] is: id malloc'ed. Fails DID_EFORMAT when it is not a record. Local. */
status record_owner(const char *text, size_t size, char **custom_id, int *sample);

#endif
