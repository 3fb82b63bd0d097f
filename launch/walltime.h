/* walltime.h - when a run has to have ended in good order. */
#ifndef DID_WALLTIME_H
#define DID_WALLTIME_H

/* The moment, by clock_seconds, from which no more is begun: shortly before `maxh` hours of this
 * process are over (0: no limit), or, where it is earlier, shortly before the end of the Slurm job that
 * SLURM_JOB_END_TIME tells: a minute, or a tenth of what is left now if that is less. 0: never.
 * Local. */
double walltime_deadline(double maxh);

#endif
