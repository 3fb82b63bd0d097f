/* plan_settings.h - the options of `did plan`. */
#ifndef DID_PLAN_SETTINGS_H
#define DID_PLAN_SETTINGS_H

#include <stdbool.h>

#include "calibration.h"
#include "options.h"
#include "status.h"

typedef struct plan_settings {
    const char *model, *link, *stages, *calibration, *kernels, *refine_window;
    int         curve, ranks, per_host, documents, in_flight, length, pass_rows, precision;
    double      memory_gb;
    bool        json;
    calibration_link wire; /* what --link says; measured is false where it is silent */
} plan_settings;

extern const option_table plan_settings_table;

/* Read the words after `did plan`. Fails DID_EINVAL with one sentence. `out` borrows from *said.
 * Local. */
status plan_settings_read(plan_settings *out, options **said, int argc, char *const *argv);

/* "1Gbit/s:50us": bits per second with k, M or G before "bit/s", and a latency in us or ms; the latency
 * may be left out. Fails DID_EINVAL. Local. */
status plan_settings_link(calibration_link *out, const char *text);

#endif
