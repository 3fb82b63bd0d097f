/* pieces.h - the vocabulary of a byte-level BPE: every id and the bytes it stands for.
 *
 * Source: GPT-2 (encoder.py, `bytes_to_unicode`): files spell each byte as one printable letter.
 * The letters end here: what is stored is bytes. */
#ifndef DID_PIECES_H
#define DID_PIECES_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum {
    PIECE_BYTES_MAX = 4096,   /* the longest piece; published vocabularies stay far below */
    PIECE_IDS_MAX = 1 << 22,  /* likewise for ids */
};

typedef enum {
    PIECE_NONE,    /* no piece has this id */
    PIECE_TEXT,    /* made by merges */
    PIECE_ADDED,   /* ordinary text that is matched whole, before the merges */
    PIECE_SPECIAL, /* no text, but a mark such as <|endoftext|> */
} piece_kind;

typedef struct piece {
    uint32_t at; /* into pool */
    uint16_t len;
    uint8_t  kind;
} piece;

typedef struct pieces {
    piece   *piece;
    int      count; /* largest id + 1 */
    char    *pool;
    size_t   used, size;
    int32_t *slot; /* bytes -> id, open addressing, at most half full; -1 is free */
    uint32_t mask;
} pieces;

/* Room for ids below `count`, of which n_indexed at most will be indexed, with `size` bytes in all.
 * pieces_clear is safe on a zeroed struct. Fails DID_ENOMEM. Local. */
status pieces_init(pieces *p, int count, size_t n_indexed, size_t size);
void   pieces_clear(pieces *p);

/* Give `id` its bytes. Fails DID_EFORMAT when it has some, or when len is not in
 * 1 .. PIECE_BYTES_MAX. Local. */
status pieces_add(pieces *p, int32_t id, piece_kind kind, const char *bytes, size_t len);

/* Let pieces_find find it. Local. */
void pieces_index(pieces *p, int32_t id);

/* The id of an indexed piece; -1 when there is none. Local. */
int32_t pieces_find(const pieces *p, const char *bytes, size_t len);

/* The bytes of an id, borrowed. Local. */
const char *pieces_bytes(const pieces *p, int32_t id);

/* Check what a vocabulary must have: no hole below its largest text id, and a piece for each byte,
 * which go to byte_id. Fails DID_EFORMAT. Local. */
status pieces_check(const pieces *p, int32_t byte_id[256]);

/* Give back the index and the unused room; pieces_find is over. Local. */
void pieces_seal(pieces *p);

/* The bytes that letters (valid UTF-8) spell, into out[cap]. Returns their number; -1 when a
 * character is not one of the 256 letters or the room does not suffice. Local. */
int pieces_spell(char *out, size_t cap, const char *letters, size_t len);

#endif
