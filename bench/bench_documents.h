/* bench_documents.h - `did bench documents`: whole documents through the engine's front door.
 *
 * Drafted only, and drafted and refined, with so many in flight. The first documents are
 * generated alone beforehand; whatever the company, every document has to be the same text
 * again. A run ends on all ranks together, so its time is everybody's. */
#ifndef DID_BENCH_DOCUMENTS_H
#define DID_BENCH_DOCUMENTS_H

#include "ground.h"

/* What can be refused before anything is measured. Fails DID_EINVAL, and DID_EFORMAT or DID_EIO for
 * a model that cannot be read. Local. */
status bench_documents_check(const knobs *k, int ranks);

/* Fails DID_EINVAL when the host is too small; a text that is wrong is a line, not a failure.
 * Collective over world. */
status bench_documents(const ground *on);

#endif
