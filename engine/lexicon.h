/* lexicon.h - the files of a byte-level BPE tokenizer, read and proved.
 *
 * Source: Hugging Face's tokenizer.json (added_tokens, model.vocab, model.merges), or GPT-2's
 * vocab.json and merges.txt. What such a file may ask for and this tokenizer does not do (another
 * model, a normalizer, another pre-tokenizer) is refused. How a caller frames its text (truncation,
 * padding, post_processor) is none of the lexicon's business and is not read. */
#ifndef DID_LEXICON_H
#define DID_LEXICON_H

#include <stddef.h>
#include <stdint.h>

#include "bpe.h"
#include "pieces.h"
#include "status.h"

typedef struct lexicon {
    pieces   pieces;
    bpe      bpe;
    int32_t  byte_id[256];
    int32_t *added; /* ids of PIECE_ADDED and PIECE_SPECIAL, the longest first */
    int      n_added;
    int32_t  end_id; /* <|endoftext|>, always special; -1 when there is none */
} lexicon;

/* Read DIR/tokenizer.json, or DIR/vocab.json and DIR/merges.txt where that is absent. Fails DID_EIO
 * or DID_EFORMAT with file, found and expected, and leaves nothing behind. Local. */
status lexicon_read(lexicon *l, const char *dir);

/* A tokenizer.json from text in memory; `where` is named in sentences. Fails DID_EFORMAT, and leaves
 * nothing behind. Local. */
status lexicon_parse(lexicon *l, const char *json, size_t size, const char *where);

/* Safe on a zeroed lexicon. Local. */
void lexicon_clear(lexicon *l);

#endif
