/* request.h - one document somebody asked for, checked and ready to be generated.
 *
 * Made by `input` from a line of the user's file, kept by the front-end, turned into a document by
 * the row leader that takes it. */
#ifndef DID_REQUEST_H
#define DID_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "stage.h"
#include "document.h"

enum {
    REQUEST_LENGTH_MAX = 131072, /* positions of one document */
    REQUEST_SAMPLES_MAX = 4096,  /* of one prompt */
    REQUEST_STOPS_MAX = 16
};

typedef struct request {
    char       *custom_id;       /* unique in a job together with `sample` */
    int         sample;          /* 0 .. n - 1 of the same prompt */
    int         length;          /* positions, E included */
    int32_t    *given;           /* [length] token id, or -1 to be filled; given[0] is E */
    int         prompt_tokens;   /* how many of them are given */
    bool        has_seed;        /* the line named its own seed */
    uint64_t    seed;            /* the line's, else the run's: told in the result */
    uint64_t    key;             /* of the random draws */
    int         n_stages;
    stage       stage[STAGES_MAX];
    bool        variable_length;
    reject_rule reject;
    char      **stop;            /* stop strings; the text ends before the first of them */
    int         n_stop;
    document   *draft;           /* the text it begins with and where it stands; NULL: from nothing.
                                    Stays with the front-end: leaders get it as a checkpoint */
    uint64_t    found;           /* hash of that text; 0: none */
    int         source;          /* 1 + the place, among those it came with, of the request that it
                                    goes on from: that one's stages are the first of these. 0: none */
    bool        silent;          /* there for those that go on from it: the output has no record */
    uint64_t    content;         /* hash of what is asked for, without custom_id: same id, other
                                    content is a conflict */
} request;

/* Frees what the request owns; leaves it zeroed. Local. */
void request_clear(request *r);

/* Compute `key` and `content` from the other fields. The key is the line's own seed, or a hash of
 * the run's seed and custom_id; sample s > 0 is mixed in. Local. */
void request_seal(request *r);

#endif
