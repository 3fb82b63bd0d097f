/* foresight.h - the calibration of this machine, where there is one: for predictions before a run and
 * beside it. */
#ifndef DID_FORESIGHT_H
#define DID_FORESIGHT_H

#include <stdbool.h>

#include "calibration.h"
#include "comm.h"
#include "status.h"

typedef struct foresight {
    bool        found;
    calibration machine;
    int         per_host; /* ranks of a host, on the host that has most */
} foresight;

/* Look for the calibration: the file `said`, or what calibration_path names. A file that somebody
 * named, here or in DID_CALIBRATION, must be there and right: DID_EIO, DID_EFORMAT or DID_EINVAL with
 * one sentence. One in the usual place that is of another machine or version is warned of and left
 * alone. `kernels` (NULL: none) is the set that was asked for: one that was not measured is not
 * predicted. Local. */
status foresight_find(foresight *f, const char *said, const char *kernels, bool bf16);

/* Rank 0 looks, all ranks know. Fails as above on all ranks alike. Collective over world. */
status foresight_share(foresight *f, const char *said, const char *kernels, bool bf16, comm *world);

#endif
