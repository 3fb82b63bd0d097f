/* clock.h - seconds since the process began, from the monotonic clock. */
#ifndef DID_CLOCK_H
#define DID_CLOCK_H

/* Seconds, never going back. The first call in a process sets the zero. Local. */
double clock_seconds(void);

/* Seconds of a processor that this thread has had: what others do meanwhile is not in them. Local. */
double clock_work_seconds(void);

/* Sleep for `seconds` (a fraction is meant); a signal may cut it short. Local. */
void clock_sleep(double seconds);

#endif
