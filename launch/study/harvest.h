/* harvest.h - what became of the documents of a sweep, read from their records.
 *
 * A document is called "SETTING/SEED/000017". Documents of one place in their settings are
 * pairs: they began with the same random numbers. */
#ifndef DID_HARVEST_H
#define DID_HARVEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quality.h"
#include "spec.h"
#include "stage.h"
#include "status.h"

/* A setting, ready to be run. */
typedef struct trial {
    const spec_setting *setting;
    stage               stage[STAGES_MAX]; /* without the one that scores */
    int                 n_stages;
    char               *stages; /* the same as text, everything written out */
    int                 length;
} trial;

typedef struct harvest_document {
    bool     there;        /* finished, with all its tokens, and scored */
    quality  quality;      /* of the ids as they were drawn */
    quality  told;         /* of its text encoded again; no rows where nobody scored it */
    int      retold;       /* for whoever scores that: its place, -1 */
    double   edits;        /* share of free tokens that refinement changed, each stage counted */
    double   nfe, commits; /* passes that placed a token; segments that stored a finished block */
    double   rows;         /* positions evaluated: what a pass costs, whoever shares it */
    double   seconds;      /* its share of the passes' time on its row; NAN: not known */
    double   rejected;     /* drafts that were thrown away */
    int32_t *id;           /* [n] */
    int      n;
} harvest_document;

typedef struct harvest_setting {
    harvest_document *document; /* [n_documents] seed after seed */
} harvest_setting;

typedef struct harvest {
    const spec      *spec;
    json_t          *places;      /* name -> place */
    harvest_setting *setting;     /* [n_settings] */
    int              n_documents; /* of each setting */
    int32_t          end_id;
} harvest;

enum { HARVEST_NAME_MAX = 512 };

/* What document `number` of seed `seed` of a setting is called, in name[HARVEST_NAME_MAX].
 * Local. */
void harvest_name(char *name, const spec_setting *setting, uint64_t seed, int number);

/* Room for every document of `spec`, which is borrowed. E does not count when a text is
 * measured. Fails DID_ENOMEM. Local. */
status harvest_open(harvest *h, const spec *s, int32_t end_id);
void   harvest_close(harvest *h); /* Leaves it zeroed. Local. */

/* Take in one record; one that is none of the spec's documents is passed over. Fails DID_EFORMAT
 * naming the document, what was found and what was expected; DID_ENOMEM. Local. */
status harvest_take(harvest *h, const json_t *record);

/* Document `id` took so long, its scorer not counted; one that is none of the spec's is passed over.
 * Local. */
void harvest_time(harvest *h, const char *id, double seconds);

#endif
