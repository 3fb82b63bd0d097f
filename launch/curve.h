/* curve.h - how a job would scale to many hosts, by the model of cost: a prediction, and marked so. */
#ifndef DID_CURVE_H
#define DID_CURVE_H

#include "plan_settings.h"
#include "status.h"

/* Print, for 1, 2, 4 ... hosts up to s->curve, the soonest grid with documents that grow with the hosts
 * (weak) and with the same documents (strong), and the efficiency of both. Fails as candidates_find,
 * and DID_EINVAL without a calibration or where nothing fits. Local. */
status curve_print(const plan_settings *s);

#endif
