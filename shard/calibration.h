/* calibration.h - what one machine can do, measured once and kept in a file.
 *
 * A curve is a list of seconds at fixed sizes; between two of them both axes are logarithmic, outside
 * of them a call costs as much per operation as at the last one. What ranks of a host share (memory,
 * caches, power) makes each slower when all of them work, so everything that computes was measured
 * twice: one rank at work, and all of them.
 *
 * The file is JSON with a format number, and a hash over all it says: a damaged one, or one of
 * another machine or version of the engine, is refused. Pure data: nothing here measures. */
#ifndef DID_CALIBRATION_H
#define DID_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

enum {
    CALIBRATION_FORMAT = 2,
    CALIBRATION_LEVELS = 2,      /* one rank at work, all ranks of the host at work */
    CALIBRATION_PRECISIONS = 2,  /* f32, bf16 */
    CALIBRATION_PLACES = 2,      /* weights that stay near, weights that come from memory */
    CALIBRATION_SHAPES = 4,
    CALIBRATION_ROWS = 7,
    CALIBRATION_QUERIES = 4,
    CALIBRATION_KEYS = 3,
    CALIBRATION_SIZES = 6,       /* of sums */
    CALIBRATION_TEXT = 160
};

/* Outputs and inputs of the weights, rows of a product, rows of a query, keys, bytes of a sum; and the
 * bytes of weights that stay near and of those that do not. */
extern const int CALIBRATION_N[CALIBRATION_SHAPES], CALIBRATION_K[CALIBRATION_SHAPES];
extern const int CALIBRATION_ROW[CALIBRATION_ROWS];
extern const int CALIBRATION_QUERY[CALIBRATION_QUERIES], CALIBRATION_KEY[CALIBRATION_KEYS];
extern const int CALIBRATION_SIZE[CALIBRATION_SIZES];
extern const double CALIBRATION_NEAR, CALIBRATION_FAR;

enum { CALIBRATION_HEAD = 64 }; /* the head size of attention's curves */

/* What goes through rows once. */
#define CALIBRATION_ROWWISE_MAP(X)                                  \
    X(NORM, "norm")           /* seconds per number */              \
    X(GELU, "gelu")                                                 \
    X(RESIDUAL, "residual")                                         \
    X(ROTATE, "rotate")                                             \
    X(OPERAND, "operand")     /* rounding to bf16; 0 in f32 */      \
    X(ANGLE, "angle")         /* a cosine and a sine */             \
    X(STORE, "store")         /* a number of a key and of a value, into a tile */ \
    X(COPY, "copy")           /* the same from tile to tile */      \
    X(DRAW, "draw")           /* one logit of one row that is drawn */

typedef enum {
#define X(name, text) ROWWISE_##name,
    CALIBRATION_ROWWISE_MAP(X)
#undef X
    ROWWISE_COUNT
} calibration_rowwise;

/* Seconds of one call on one rank while `ranks` of the host are at work. */
typedef struct calibration_level {
    int    ranks;
    double linear[CALIBRATION_PRECISIONS][CALIBRATION_PLACES][CALIBRATION_SHAPES][CALIBRATION_ROWS];
    double attend[CALIBRATION_PRECISIONS][CALIBRATION_QUERIES][CALIBRATION_KEYS];
    double rowwise[CALIBRATION_PRECISIONS][ROWWISE_COUNT];
    double bandwidth[CALIBRATION_PLACES]; /* bytes read per second */
} calibration_level;

/* Seconds of a sum over all ranks of the calibration, from when the last of them comes to it; 0: there
 * was one rank. And what ranks wait for the slowest of them at a sum, as a share of the work before. */
typedef struct calibration_sums {
    int    ranks;
    double wait;
    double memory[CALIBRATION_SIZES], messages[CALIBRATION_SIZES];
} calibration_sums;

/* Between hosts. */
typedef struct calibration_link {
    bool   measured;
    double latency, bytes_per_s; /* seconds one way; both directions at once */
} calibration_link;

typedef struct calibration {
    char              engine[CALIBRATION_TEXT], machine[CALIBRATION_TEXT];
    char              set[CALIBRATION_PRECISIONS][32]; /* the kernel sets that were measured */
    int               cpus, hosts;
    double            held; /* bytes of a process before it loads a model */
    calibration_level level[CALIBRATION_LEVELS];
    calibration_sums  sums;
    calibration_link  link;
} calibration;

/* Where a machine keeps its calibration: what DID_CALIBRATION says, else did/calibration.json in
 * XDG_CONFIG_HOME or in ~/.config. Fails DID_EINVAL where none of them is set. Local. */
status calibration_path(char *path, size_t size);

/* Write `path` anew, with the directories it lies in. Fails DID_EIO, DID_ENOMEM. Local. */
status calibration_write(const calibration *c, const char *path);

/* Read a file. Fails DID_EIO, or DID_EFORMAT with one sentence when it is no calibration, damaged or
 * of another format. *out is written only on success. Local. */
status calibration_read(calibration *out, const char *path);

/* Is it of this engine, machine and number of processors? Fails DID_EINVAL with what was found and
 * what is here. Local. */
status calibration_match(const calibration *c, const char *path, const char *engine,
                         const char *machine, int cpus);

#endif
