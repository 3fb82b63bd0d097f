/* harvested.h - a small sweep that never ran: a spec, its trials, and records made by hand. */
#ifndef DID_TESTS_HARVESTED_H
#define DID_TESTS_HARVESTED_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harvest.h"

enum { HARVESTED_LENGTH = 8, HARVESTED_END = 99 };

/* Two drafts span a frontier; two refinements; four documents each. */
enum { HARVESTED_CLAIMS = 8 };
static const char harvested_text[] =
    "title = A \"small\" <sweep>\n"
    "about = For tests.\n"
    "length = 8\n"
    "documents = 2\n"
    "seeds = 1 2\n"
    "baseline = drafts nucleus=0.9\n"
    "frontier = drafts\n"
    "claim = it helps: nll(refined remask=0.25) < nll(drafts nucleus=0.9)\n"
    "claim = it hurts: nll(refined remask=0.25) > nll(drafts nucleus=0.9)\n"
    "claim = it is below the line: gap(refined remask=0.5) < 0\n"
    "claim = as reported: perplexity(drafts nucleus=0.9) = 20 +- 1\n"
    "claim = the same to a tenth: nll(refined remask=0.25) = nll(refined remask=0.5) +- 0.1\n"
    "claim = as two show: perplexity(drafts nucleus=0.9) = 14 of 2\n"
    "claim = as ten thousand show: perplexity(drafts nucleus=0.9) = 14 of 10000\n"
    "claim = another change: change(refined remask=0.25) = -0.4 of 4\n"
    "[drafts]\nabout = the line\nstages = 4\nnucleus = 0.5 0.9\n"
    "[refined]\nstages = 4,L:{remask}:quota/2\nremask = 0.25 0.5\n";

typedef struct harvested {
    spec    spec;
    trial   trial[4];
    harvest harvest;
} harvested;

/* A record as launch/record writes it. `nll` is the sum over seven tokens; the ids hold `distinct`
 * different ones. */
static inline json_t *harvested_record(const char *id, double nll, int distinct, bool refined)
{
    json_t *ids = json_array();
    json_array_append_new(ids, json_integer(HARVESTED_END));
    for (int i = 1; i < HARVESTED_LENGTH; i++)
        json_array_append_new(ids, json_integer(i % distinct));
    json_t *stages = json_pack("[{s:i}]", "block", 4);
    json_t *costs =
        json_pack("[{s:i, s:i, s:i, s:i}]", "nfe", 7, "commits", 1, "rescored", 0, "changed", 0);
    if (refined) {
        json_array_append_new(stages, json_pack("{s:i}", "block", 8));
        json_array_append_new(costs, json_pack("{s:i, s:i, s:i, s:i}", "nfe", 2, "commits", 0,
                                               "rescored", 1, "changed", 3));
    }
    json_array_append_new(stages, json_pack("{s:s}", "work", "score"));
    json_array_append_new(costs, json_pack("{s:i}", "rescored", 1));
    return json_pack("{s:s, s:i, s:s, s:i, s:o, s:i, s:i, s:{s:i, s:i, s:o}, s:o, s:{s:f, s:i}}",
                     "custom_id", id, "sample", 0, "finish_reason", "length", "prompt_tokens", 1,
                     "ids", ids, "rejections", 0, "rejected_nfe", 0, "settings", "length",
                     HARVESTED_LENGTH, "refine_window", 256, "stages", stages, "cost", costs,
                     "score", "nll", nll, "tokens", 7);
}

/* Mean nll of document k of a setting: its level, and what is the document's own. */
static inline double harvested_nll(double level, int k)
{
    return 7 * (level + 0.25 * (k - 1.5));
}

static inline void harvested_take(harvested *h, int place, double level, int distinct)
{
    for (int k = 0; k < 4; k++) {
        char name[HARVEST_NAME_MAX];
        harvest_name(name, &h->spec.setting[place], h->spec.seed[k / 2], k % 2);
        json_t *record = harvested_record(name, harvested_nll(level, k), distinct, place >= 2);
        status  s = harvest_take(&h->harvest, record);
        assert(s == DID_OK);
        (void)s;
        json_decref(record);
        /* Of the last document of the last setting nobody knows how long it took. */
        if (place < 3 || k < 3) harvest_time(&h->harvest, name, place >= 2 ? 0.5 : 0.25);
    }
}

static inline void harvested_open(harvested *h)
{
    *h = (harvested){0};
    status s = spec_parse(&h->spec, harvested_text, "test.spec", NULL);
    if (s == DID_OK) s = harvest_open(&h->harvest, &h->spec, HARVESTED_END);
    if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
    assert(s == DID_OK && h->spec.n_settings == 4);
    for (int i = 0; i < 4; i++) {
        h->trial[i] = (trial){.setting = &h->spec.setting[i],
                              .n_stages = i < 2 ? 1 : 2,
                              .stages = h->spec.setting[i].stages,
                              .length = HARVESTED_LENGTH};
        h->trial[i].stage[0] =
            (stage){.block = 4, .nucleus = h->spec.setting[i].usual.nucleus, .temperature = 1};
        h->trial[i].stage[1] = (stage){.remask = i == 2 ? 0.25 : 0.5,
                                       .sampler = SAMPLER_QUOTA,
                                       .steps = 2,
                                       .nucleus = 0.9,
                                       .temperature = 1};
    }
    harvested_take(h, 0, 2, 3);
    harvested_take(h, 1, 3, 6);
    harvested_take(h, 2, 2.5, 4);
    harvested_take(h, 3, 2.25, 4);
}

static inline void harvested_close(harvested *h)
{
    harvest_close(&h->harvest);
    spec_clear(&h->spec);
}

#endif
