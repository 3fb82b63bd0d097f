/* identity.h - what a job's results depend on besides its requests, as lines "name value": runs
 * that agree on all of it may go on with each other's work. */
#ifndef DID_IDENTITY_H
#define DID_IDENTITY_H

#include "status.h"

/* Fails DID_EINVAL when the state file at `path` was begun with other lines than those of now, and
 * says which. Local. */
status identity_compare(const char *path, const char *found, const char *now);

#endif
