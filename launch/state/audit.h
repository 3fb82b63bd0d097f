/* audit.h - what is true of a state file, a service's or that of a did generate, and of an
 * output of one of its jobs, in sentences.
 *
 * Looks only: the state file, its log and the output stay as they are, byte for byte, until
 * audit_mend. No MPI, no model, no run. */
#ifndef DID_AUDIT_H
#define DID_AUDIT_H

#include <stdbool.h>

#include "status.h"
#include "store.h"

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

/* What to examine; all is borrowed until audit_close. */
typedef struct audit_subject {
    const char *state;
    const char *output; /* NULL: the state file alone */
    const char *job;    /* whose output it is; NULL: there is but one */
    const char *owner;  /* of that job, a public key; NULL: there is but one of its name */
} audit_subject;

typedef struct audit_entry audit_entry;

typedef struct audit {
    audit_subject of;
    audit_weight  weight; /* the worst of all */
    audit_finding finding[AUDIT_FINDINGS_MAX];
    int           n_findings, unsaid; /* kept, and not kept */
    int           documents[STORE_STATES];
    int           damaged; /* rows whose sum does not match */
    int           jobs;
    bool          own;         /* the file of a did generate */
    int64_t       job;         /* whose output it is; 0: of none */
    long          lines;       /* whole lines of the output */
    long long     torn;        /* bytes behind its last newline */
    int           missing;     /* finished documents that it lacks */
    bool          looked;      /* the rows could be read */
    bool          gaps;        /* of them some are damaged, or commits are lost */
    bool          interrupted; /* a commit has to be rolled back before anybody can look */
    audit_entry  *entry;       /* [n_entries] the job's sound rows, sorted by name */
    int           n_entries, entries_max;
} audit;

/* Examine it. What is wrong is found, not a failure. Fails DID_EIO when a file cannot be read
 * or the state file is in use, DID_EINVAL when it does not say of which job the output is,
 * DID_ENOMEM. Leader. */
status audit_open(audit *a, const audit_subject *of);
void   audit_close(audit *a);

/* Do what is certain to be right and nothing else: roll an interrupted commit back, cut what
 * follows the output's last newline, append the records it lacks. Only where nothing is AUDIT_BAD:
 * fails DID_EINVAL elsewhere. Leader. */
status audit_mend(const audit *a);

#endif
