/* letter.h - one message from a rank to another, while both do something else.
 *
 * A letter is on its way or it is not: who begins one waits for it before the next. Letters of one
 * kind between two ranks arrive in the order in which they were sent. */
#ifndef DID_LETTER_H
#define DID_LETTER_H

#include "comm.h"

typedef struct letter letter;

/* Bytes of a letter come in words of so many. */
enum { LETTER_WORD = 4 };

/* Room for one letter at a time between ranks of `c`, which is borrowed. Fails DID_ENOMEM. Local. */
status letter_open(letter **out, comm *c);

/* A letter that is still on its way is given up. Nulls. Local. */
void letter_close(letter **l);

/* Begin to send `bytes` bytes, which must not be written until letter_await. The receiver brings the
 * same event and has the room. Local. */
status letter_send(letter *l, const void *what, size_t bytes, int to, event e);

/* Begin to receive up to `most` bytes, which must not be looked at until letter_await. Local. */
status letter_expect(letter *l, void *into, size_t most, int from, event e);

/* Move on what is on its way between ranks of `c` without waiting, since little moves by itself while
 * they compute. What goes wrong with a letter its letter_await says. NULL: nothing. Local. */
void letter_look(comm *c);

/* Wait, asleep between looks, until what was begun is sent or here; without a begin there is nothing
 * to wait for. */
status letter_await(letter *l);

#endif
