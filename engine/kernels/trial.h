/* trial.h - a kernel set of bf16 multiplies and attends a little before anyone believes it.
 *
 * Some instructions are so rare that a set made of them may meet its first real processor at a
 * user's. Wrong text would look like text; so such a set is held against `ref` when a process
 * chooses its kernels, at a size that fills tiles and leaves ragged edges on every side. */
#ifndef DID_TRIAL_H
#define DID_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"

/* Whether k gives what `ref` gives, to a rounding of bf16. If not, `why` says in one sentence what
 * was found and what was expected. Local. */
bool trial_passes(const kernels *k, const kernels *ref, char *why, size_t size);

#endif
