/* ordinary.h - a machine that nobody has measured: round numbers of a core of today, for ratios of what
 * is large. No time that is shown to anybody stands on it. */
#ifndef DID_ORDINARY_H
#define DID_ORDINARY_H

#include "calibration.h"

/* One rank at work and all of them alike; sums and links of many bytes a second. Local. */
void ordinary_machine(calibration *c);

#endif
