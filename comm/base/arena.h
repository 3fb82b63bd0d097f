/* arena.h - one block of memory, carved from the front and given back by mark.
 *
 * The workspace of a pass and every other large buffer comes from an arena whose size was computed
 * beforehand, so nothing allocates while documents are being generated. */
#ifndef DID_ARENA_H
#define DID_ARENA_H

#include <stddef.h>

#include "status.h"

enum { ARENA_ALIGN = 64 };

typedef struct arena {
    unsigned char *base;
    size_t         size, used;
} arena;

/* Bytes that one arena_take of `bytes` consumes. Local. */
size_t arena_round(size_t bytes);

/* Take `size` bytes from the system, untouched. Fails DID_ENOMEM naming the size. Local. */
status arena_open(arena *a, size_t size);

/* Give everything back; safe on a zeroed arena. Local. */
void arena_close(arena *a);

/* The next `bytes`, 64-byte aligned, not cleared. Running out is our mistake (an assert): the size
 * was computed from the same table. Local. */
void *arena_take(arena *a, size_t bytes);

/* Remember and return to a point: what was taken since is given back. Local. */
size_t arena_mark(const arena *a);
void   arena_release(arena *a, size_t mark);

#endif
