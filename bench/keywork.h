/* keywork.h - exercises with key tiles of one head: storing, copying, and attention over them.
 *
 * A short query against many keys is as fast as the keys come, so the tiles of successive calls are
 * different ones, as the heads, layers and documents of a pass have each their own. */
#ifndef DID_KEYWORK_H
#define DID_KEYWORK_H

#include "exercise.h"

typedef enum { KEYWORK_STORE, KEYWORK_COPY, KEYWORK_ATTEND, KEYWORK_COUNT } keywork_kind;

const char *keywork_name(keywork_kind kind);

/* `rows` queries attend to `keys` positions; STORE stores `rows` keys and values, one by one; COPY
 * copies all but the last place of a tile. Tiles fill `rotate_bytes`, or are one set. Fails
 * DID_ENOMEM; x is then closed. Local. */
status keywork_open(exercise *x, const kernels *k, keywork_kind kind, int rows, int keys,
                    int head_size, size_t rotate_bytes, int seed);

#endif
