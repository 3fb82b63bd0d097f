/* spec.h - what a sweep is to try: a text file of settings, lists of values, and claims.
 *
 *   # a comment                           key = value, one per line; " #" begins a comment as well
 *   title     = How much to reopen        about = ... (may be repeated) is printed in the report
 *   length    = 256                       keys before the first section hold in every section
 *   documents = 64                        of each setting, for each seed; not in a section
 *   seeds     = 11 12                     document i of a seed has the same random numbers in every
 *                                         setting, so settings are compared in pairs
 *   baseline  = draft                     the setting that changes are told against
 *   frontier  = drafts                    the section that draws the perplexity-entropy line
 *   claim     = a sentence: nll(lowest remask=0.25) < nll(draft)            see claim.h
 *   claim     = a number of 64 documents elsewhere: perplexity(draft) = 31.8 of 64
 *
 *   [draft]                               a section is a setting ...
 *   stages = 4                            as did generate --stages has it
 *   [lowest]                              ... or a grid: one setting for each combination of values
 *   about  = the least certain share      what the section is, for captions
 *   stages = 4,L:{remask}:quota/32        {name} is filled in from the section's list of that name
 *   remask = 0.125 0.25 0.5
 *
 * In a section, length, sampler, steps, order, nucleus, nucleus-rule, temperature, policy and
 * confidence (the words and meanings of did generate's options) and stages may be lists as well;
 * reject = yes throws drafts away that repeat themselves, as published numbers do;
 * any other key must be used as {key} in stages. A setting of a grid is called "lowest
 * remask=0.25": the section and every value that varies. */
#ifndef DID_SPEC_H
#define DID_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "claim.h"
#include "status.h"

enum {
    SPEC_VALUES_MAX = 8, /* keys of one section that vary */
    SPEC_SETTINGS_MAX = 2000,
    SPEC_SEEDS_MAX = 64,
    SPEC_FRONTIER_MAX = 100, /* settings of the frontier */
    SPEC_DOCUMENTS_MAX = 100000,
    SPEC_FILE_BYTES_MAX = 1 << 20
};

/* A value that varies within its section. */
typedef struct spec_value {
    char  *key, *text;
    double number; /* NAN where the text is none */
} spec_value;

/* What holds where a stage is silent; words stand in the order of the engine's enums. */
typedef struct spec_usual {
    int    sampler; /* -1: not said */
    int    steps;   /* 0: not said */
    int    order, rule, policy, confidence;
    double nucleus, temperature;
} spec_usual;

typedef struct spec_setting {
    char      *name;
    int        section; /* its place in spec.section */
    int        line;    /* where its stages stand in the file */
    char      *stages;  /* values filled in */
    spec_usual usual;
    int        length; /* 0: the model's */
    bool       reject; /* throw drafts away that repeat themselves */
    spec_value value[SPEC_VALUES_MAX];
    int        n_values;
} spec_setting;

typedef struct spec_section {
    char *name, *about; /* about may be "" */
    int   line;
} spec_section;

typedef struct spec {
    char         *path, *text; /* the file, as it was read */
    char         *title, *about;
    spec_section *section;
    int           n_sections;
    spec_setting *setting;
    int           n_settings;
    claim        *claim;
    int           n_claims;
    uint64_t      seed[SPEC_SEEDS_MAX];
    int           n_seeds;
    int           documents; /* of each setting, for each seed */
    int           baseline;  /* a setting; -1: none */
    int           frontier;  /* a section; -1: none */
} spec;

/* Read the file `path`, or text that `where` stands for in sentences. `changes` ("documents=25;
 * seeds=1 2", NULL: none) holds in place of what the file says before its first section. The
 * caller clears in any case. Fails DID_EIO; DID_EFORMAT "FILE:LINE: ..." with what was found and
 * what was expected; DID_ENOMEM. Whether the stages can be run is the caller's to see. Local. */
status spec_read(spec *out, const char *path, const char *changes);
status spec_parse(spec *out, const char *text, const char *where, const char *changes);
void   spec_clear(spec *s); /* Leaves it zeroed. Local. */

int spec_find(const spec *s, const char *name); /* a setting's place; -1. Local. */

/* The value of `key` in a setting; NULL when it does not vary there. Local. */
const spec_value *spec_value_of(const spec_setting *s, const char *key);

#endif
