/* machine.h - what the arithmetic of this program runs on, for `--version`. */
#ifndef DID_MACHINE_H
#define DID_MACHINE_H

/* The BLAS library and the core it chose. Local, borrowed. */
const char *machine_blas(void);

/* The features of this processor that matter here, one line. Local, borrowed. */
const char *machine_cpu(void);

#endif
