/* archive.h - the state file of a service as its desk's book. */
#ifndef DID_ARCHIVE_H
#define DID_ARCHIVE_H

#include "book.h"

book archive_book(store *s); /* Borrows the store. Local. */

#endif
