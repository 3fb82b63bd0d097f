/* engine.h - the front door: models loaded over the ranks, documents in, documents out.
 *
 * Source: Diffusion in Diffusion (Ma, Cui, Han, Wang 2026) on BD3-LM backbones. Every network
 * evaluation is one pass over a ragged batch of segments of many documents. */
#ifndef DID_ENGINE_H
#define DID_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm.h"
#include "document.h"
#include "geometry.h"
#include "status.h"

typedef struct engine engine;

enum { ENGINE_MODELS_MAX = 8, ENGINE_GROUPS_MAX = 64 };

typedef struct engine_settings {
    const char *model[ENGINE_MODELS_MAX];  /* checkpoint directories; index = weight handle */
    int         n_models;
    int         tp;             /* Q: ranks per row */
    int         depth;          /* D: rows of a team one behind the other, each with its share of the
                                 * layers; 0 is 1 */
    double      last_layer;     /* what a model's last layer costs with all that follows it, in layers
                                 * before it: depths share layers by it; 0 is 1 */
    int         groups;         /* of documents, which take turns at the depths, at most
                                 * ENGINE_GROUPS_MAX; 0: as many as depths */
    int         span;           /* S: rows of a team side by side, each with its part of a long
                                 * document; 0 is 1 */
    int         mesh_rows;      /* P of --layout 2d: all P x Q ranks are one row, and every weight
                                 * lies in blocks over them; 0: weights are split over Q alone */
    int         documents;      /* in flight per row; each owns a cache slot */
    int         pass_rows;      /* soft budget of rows per pass */
    int         length_max;     /* longest document, positions */
    int         end_id;         /* E: ends a document of variable length */
    int         threads;        /* of a rank; 0: OMP_NUM_THREADS, or as many as it has cores */
    int         refine_window;  /* positions; 0 = the model's length */
    bool        fused_commit;   /* commit a block in the pass that begins the next one */
    bool        folded;         /* conditioning folded into the weights (the normal way) */
    bool        bf16;           /* weights, products and cache; else f32 */
    bool        reproducible;   /* the same bytes at every tp, which then is 1, 2, 4 or 8; no mesh */
    bool        narrow_wire;    /* sums of a row travel as bf16; not on a mesh */
    const char *kernels;        /* NULL = DID_KERNELS, or else the best for this CPU */
    const struct calibration *machine; /* predicts what passes take; NULL: nothing does. Borrowed */
    int         per_host;       /* ranks of a host, for that */
} engine_settings;

/* What one rank will hold, known before anything is loaded. Bytes. */
typedef struct engine_memory {
    size_t weights, embedding, cache, workspace, wire, total;
} engine_memory;

/* What the cost model says of the passes of a run: seconds by the clock, all together and of each kind
 * of work (where groups take turns less than their sum), and bytes that the team brings to
 * collectives. 0 where nothing is predicted. */
typedef struct engine_forecast {
    double seconds, linear, attention, rowwise, draw, wire, bytes;
} engine_forecast;

/* What the run has done so far, on this team. */
typedef struct engine_progress {
    long   passes, rows, segments, commits, drawn, nfe;
    int    drafting, refining;       /* documents in flight */
    double seconds_linear, seconds_attention, seconds_rowwise, seconds_draw, seconds_wire,
        seconds_wait, seconds_total;
    /* Of all passes: by the clock, and of the processor. Passes of a pipeline of layers are under way
     * at once: of those, the time from one to the next. */
    double seconds_passes, seconds_worked;
    engine_forecast predicted;
} engine_progress;

/* Where documents come from and go to. Called on the team's leader only, between passes, from the
 * thread that runs the engine; never inside a collective. Any of them may fail: the run then ends on
 * all ranks with that status. */
typedef struct engine_feed {
    void *context;

    /* Up to `room` documents into docs[]; *n says how many. The engine owns them until `deliver`.
     * Waits up to `wait_ms` for the first one. *over: no more will ever come. */
    status (*take)(void *context, document **docs, int room, int wait_ms, int *n, bool *over);

    /* A document is finished, rejected or failed: it is the callee's now. */
    status (*deliver)(void *context, document **doc);

    /* After each pass: every document in flight and the totals; a good place to save and to show.
     * A document whose `finish` is set here ends: it is delivered, and its place is free. *stop asks
     * for an orderly end: documents in flight are then given to `put_down`. NULL: nobody looks. */
    status (*passed)(void *context, document *const *docs, int n, const engine_progress *p,
                     bool *stop);

    /* An unfinished document at an orderly end: it is the callee's now. */
    status (*put_down)(void *context, document **doc);
} engine_feed;

/* Bytes per rank of `settings` on models of these shapes, for the rank that holds most. Reads
 * configs, loads nothing. Local. */
status engine_plan(engine_memory *out, const engine_settings *settings);

/* May a reproducible run have rows of `tp` ranks? Local. */
bool engine_reproduces(int tp);

/* Ranks that share one model and one set of documents. Local. */
int engine_team(const engine_settings *settings);

/* Load and share out the models. The world's size must be a multiple of engine_team, and with a mesh
 * that itself (asserted; the caller explains it to people). Fails DID_EFORMAT / DID_EIO / DID_ENOMEM alike on all ranks.
 * Collective over world. */
status engine_open(engine **out, const engine_settings *settings, comm *world);

/* Run documents until the feed is over and all are delivered, or until it asks to stop. The feed is
 * needed on team leaders (engine_leads) and ignored elsewhere. Teams are independent: no traffic
 * between them. Collective over each team; then all teams agree. */
status engine_run(engine *e, const engine_feed *feed);

void engine_close(engine **e);  /* Collective; nulls. */

bool             engine_leads(const engine *e);          /* am I my team's leader? Local. */
int              engine_row(const engine *e);            /* my team. Local. */
const geometry  *engine_geometry(const engine *e, int model);
uint64_t         engine_model_hash(const engine *e, int model);
engine_progress  engine_totals(const engine *e);         /* this rank's. Local. */
engine_memory    engine_bytes(const engine *e);          /* as planned for this rank. Local. */

/* Everything a document's bytes depend on besides itself: model hashes, engine version, precision,
 * Q, layout and wire, kernel set, BLAS core. One line, borrowed. Local. */
const char *engine_signature(const engine *e);

#endif
