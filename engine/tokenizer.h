/* tokenizer.h - text to token ids and back, byte-level BPE.
 *
 * Source: GPT-2 (encoder.py): bytes shown as printable letters, the pre-tokenizer pattern, merges
 * in rank order. Reads a Hugging Face tokenizer.json, or vocab.json + merges.txt. Decoding is
 * exact: decode(encode(text)) == text for every byte string of valid UTF-8. An open tokenizer is
 * never written to: several threads may use it at once. */
#ifndef DID_TOKENIZER_H
#define DID_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct tokenizer tokenizer;

/* Read DIR/tokenizer.json, or DIR/vocab.json and DIR/merges.txt where that is absent. Fails DID_EIO
 * or DID_EFORMAT with file, found and expected. Local. */
status tokenizer_open(tokenizer **out, const char *dir);
void   tokenizer_close(tokenizer **t);

int tokenizer_vocab(const tokenizer *t);   /* largest id + 1, special tokens included */
int tokenizer_end_id(const tokenizer *t);  /* id of <|endoftext|>; -1 when there is none */

/* Encode `size` bytes of UTF-8. Special tokens in the text stay text unless `specials`. *ids is
 * malloc'ed for the caller. Fails DID_EFORMAT naming the byte offset when the text is not UTF-8.
 * Local. */
status tokenizer_encode(const tokenizer *t, const char *text, size_t size, bool specials,
                        int32_t **ids, int *n);

/* Decode; ids the tokenizer does not know (the mask) become U+FFFD. Special tokens are written out
 * when `specials`, else skipped. *text is malloc'ed, NUL-terminated; *size may be NULL. The bytes
 * may be invalid UTF-8 where a model broke a character; see tokenizer_repair. Local. */
status tokenizer_decode(const tokenizer *t, const int32_t *ids, int n, bool specials, char **text,
                        size_t *size);

/* A malloc'ed copy of `text`, NUL-terminated, in which every ill-formed UTF-8 sequence is U+FFFD,
 * one for each maximal subpart. *out_size (text may hold NUL bytes) may be NULL. Local. */
status tokenizer_repair(const char *text, size_t size, char **out, size_t *out_size);

#endif
