/* wal.h - what a write-ahead log holds that SQLite would pass over without a word.
 *
 * Source: SQLite's file format (sqlite.org/fileformat2.html, section 4). SQLite reads a log up to
 * the first frame whose checksum does not match and takes the rest for a commit that was cut short.
 * After a crash that is so; after a flipped bit it is an earlier state, and somebody should say so.
 * Reads only. */
#ifndef DID_WAL_H
#define DID_WAL_H

#include <stdbool.h>

#include "status.h"

typedef struct wal_report {
    bool there;        /* there is a log and something in it */
    bool header;       /* its header is sound; without it nothing of it is used */
    long frames;       /* sound, in a row from the first */
    long commits;      /* ends of transactions among them */
    long after;        /* frames of the same generation behind the first that is not sound */
    long lost;         /* ends of transactions among those */
    bool cut;          /* it ends in the middle of a frame, or a frame at its end is not sound */
} wal_report;

/* Look at the log of the database at `path`. Fails DID_EIO when it cannot be read. Local. */
status wal_examine(wal_report *out, const char *path);

/* Is there more than a commit cut short at the end? Local. */
bool wal_damaged(const wal_report *r);

enum { WAL_SENTENCE = 240 };
const char *wal_describe(const wal_report *r, char sentence[WAL_SENTENCE]); /* Local. */

#endif
