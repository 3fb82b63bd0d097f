/* outlook.h - weak and strong scaling to many hosts, by the model of cost: predicted, marked so. */
#ifndef DID_OUTLOOK_H
#define DID_OUTLOOK_H

#include "forecast.h"
#include "ground.h"
#include "kernels.h"

/* Lines for 1, 2, 4 ... 1024 hosts like this one, each with the soonest grid of rows and columns,
 * and `per_host` ranks on each. `job` is of one host; strong lines have a number of documents of their
 * own. A remark instead where there is no calibration of this machine and of set `k`. On rank 0;
 * elsewhere it does nothing. Local. */
void outlook_tell(const ground *on, const geometry *g, const kernels *k, const forecast_job *job,
                  int per_host);

#endif
