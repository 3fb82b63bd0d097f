/* results.h - the output file: one finished record per line, in the order they finish.
 *
 * With a state file the output is a projection of it: a torn last line is cut, and what is missing
 * is written again. */
#ifndef DID_RESULTS_H
#define DID_RESULTS_H

#include <stddef.h>

#include "status.h"

typedef struct results results;

/* Open `path` for appending, or stdout where it is NULL. Fails DID_EIO, or DID_EFULL where
 * the disk is, as everything here does. Leader. */
status results_open(results **out, const char *path);

/* Show every whole line (without its newline) of what is already there and cut what follows the
 * last newline. Nothing on stdout. Fails as `visit` does, or DID_EIO. Leader. */
typedef status results_visit(void *context, const char *line, size_t size);
status         results_resume(results *r, results_visit *visit, void *context);

/* The same of the file at `path`, changing nothing: *torn receives the bytes behind the last
 * newline. Leader. */
status results_look(const char *path, results_visit *visit, void *context, long long *torn);

/* One more line. Fails DID_EIO naming the file; what was written of the line is cut off again.
 * Leader. */
status results_append(results *r, const char *line);

/* Bring what was appended to the disk. Fails DID_EIO. Leader. */
status results_sync(results *r);

/* Sync and close; sets NULL. Fails DID_EIO. Leader. */
status results_close(results **r);

#endif
