/* prospect.h - the job ahead as shard/forecast sees it: how many passes its documents take, how many
 * tokens these place, and at how many positions they look for that. */
#ifndef DID_PROSPECT_H
#define DID_PROSPECT_H

#include "forecast.h"
#include "stage.h"

/* A job of documents of `length` positions that walk through stages[n], refined `window` positions at
 * once; how many documents and rows is for the caller to say. Local. */
forecast_job prospect_job(const stage *stages, int n, int length, int window);

#endif
