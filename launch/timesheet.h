/* timesheet.h - how long the documents of a sweep took, in a file beside their records: one line
 * {"custom_id": ..., "seconds": ...} for each, appended when it is finished. One that went on from
 * another names it, {"after": ...}, and took as much longer: what several settings share is counted
 * in each, as if each had made it alone.
 *
 * Records say the same on every machine and after every kill, so time has no place in them. What a
 * kill took away stays unknown: times are measured or not there. */
#ifndef DID_TIMESHEET_H
#define DID_TIMESHEET_H

#include "harvest.h"
#include "status.h"

typedef struct timesheet timesheet;

/* Append to `path`; a line that a kill has torn is closed first. Fails DID_EIO, DID_ENOMEM.
 * Leader. */
status timesheet_open(timesheet **out, const char *path);

/* One document, which went on from `after` (NULL: from none). What cannot be written is told by
 * timesheet_close. Leader. */
void timesheet_note(timesheet *t, const char *custom_id, double seconds, const char *after);

/* Fails DID_EIO when a line was not written. Sets NULL; safe on NULL. Leader. */
status timesheet_close(timesheet **t);

/* Take every line of `path` into the harvest; the last one of a document counts, one whose beginning is
 * not known says nothing of its document, and lines that say nothing at all are counted and warned of. Fails DID_EIO, DID_ENOMEM. Local. */
status timesheet_read(harvest *h, const char *path);

#endif
