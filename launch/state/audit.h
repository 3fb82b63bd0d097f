/* audit.h - what is true of a state file and of the output that goes with it, in sentences.
 *
 * Looks only: the state file, its log and the output stay as they are, byte for byte, until
 * audit_mend. No MPI, no model, no run. */
#ifndef DID_AUDIT_H
#define DID_AUDIT_H

#include <stdbool.h>

#include "journal.h"
#include "status.h"

/* How bad, in rising order. */
typedef enum {
    AUDIT_SOUND,    /* nothing is wrong; as a finding: worth knowing */
    AUDIT_MENDABLE, /* the next start of the job, or audit_mend, puts it right; nothing is lost */
    AUDIT_LOST,     /* records that are not sound are not used: those documents are made again */
    AUDIT_BAD       /* somebody has to decide: the job would be refused */
} audit_weight;

typedef struct audit_finding {
    audit_weight weight;
    char        *sentence;
} audit_finding;

enum { AUDIT_FINDINGS_MAX = 100 }; /* kept; the rest is counted */

typedef struct audit_entry audit_entry;

typedef struct audit {
    const char   *state, *output; /* paths, borrowed; output may be NULL */
    audit_weight  weight;         /* the worst of all */
    audit_finding finding[AUDIT_FINDINGS_MAX];
    int           n_findings, unsaid; /* kept, and not kept */
    int           documents[4];       /* by journal_state */
    int           damaged;            /* rows whose sum does not match */
    long          lines;              /* whole lines of the output */
    long long     torn;               /* bytes behind its last newline */
    int           missing;            /* finished documents that it lacks */
    bool          looked;             /* the rows could be read */
    bool          gaps;               /* of them some are damaged, or commits are lost */
    bool          interrupted;        /* a commit has to be rolled back before anybody can look */
    audit_entry  *entry;              /* [n_entries] the sound rows, sorted by name */
    int           n_entries, entries_max;
} audit;

/* Examine `state` and, where it is not NULL, `output`. What is wrong with them is found, not a
 * failure. Fails DID_EIO when a file cannot be read or the state file is in use, DID_ENOMEM.
 * Leader. */
status audit_open(audit *a, const char *state, const char *output);
void   audit_close(audit *a);

/* Do what is certain to be right and nothing else: roll an interrupted commit back, cut what
 * follows the output's last newline, append the records it lacks. Only where nothing is AUDIT_BAD:
 * fails DID_EINVAL elsewhere. Leader. */
status audit_mend(const audit *a);

#endif
