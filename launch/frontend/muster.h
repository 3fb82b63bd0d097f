/* muster.h - the leaders of worlds that are here: who they are, what they last said of themselves. */
#ifndef DID_MUSTER_H
#define DID_MUSTER_H

#include <jansson.h>
#include <stdint.h>

#include "socket.h"
#include "status.h"

enum { MUSTER_ID_MAX = 256, MUSTER_TEXT = 128, MUSTER_SIGNATURE = 4096, MUSTER_MAX = 65536 };

typedef struct leader_entry {
    int64_t       number; /* never given twice; not 0 */
    unsigned char id[MUSTER_ID_MAX]; /* routing id */
    size_t        id_size;
    char          host[MUSTER_TEXT], slurm[MUSTER_TEXT]; /* "" outside of Slurm */
    char         *signature;
    int           row, rows, pid;
    int           drafting, refining;
    int64_t       drawn, passes, nfe;
    double        share; /* of its documents, in documents: how much of them is done */
    double        rate; /* tokens per second, smoothed */
    double        wire_s, io_s;  /* of its leader so far: in sums, and in talking to the desk */
    double        exposed, talk; /* shares of its time, smoothed */
    double        heard, told;
} leader_entry;

typedef struct muster {
    leader_entry *list;
    int           n, room;
    int64_t       numbers;
    int64_t       drawn, passes, nfe; /* of those who have left */
} muster;

/* Borrowed until the next change; NULL: not here. Local. */
leader_entry *muster_find(const muster *r, const frame *id);
leader_entry *muster_number(const muster *r, int64_t number);

/* Who says hello with this body; an old acquaintance keeps its number. Fails DID_EFORMAT,
 * DID_ENOMEM. Local. */
status muster_greet(muster *r, const frame *id, const json_t *body, double now);

/* What a leader says of its progress. Fails DID_EFORMAT. Local. */
status muster_note(leader_entry *l, const json_t *body, double now);

void muster_leave(muster *r, const frame *id); /* Local. */

/* Forget who has said nothing since `before`. Local. */
void muster_expire(muster *r, double before);

/* One object per leader, for people. NULL when out of memory. Local. */
json_t *muster_tell(const muster *r, double now);

frame muster_id(const leader_entry *l); /* Local. */
void  muster_clear(muster *r);          /* Local. */

#endif
