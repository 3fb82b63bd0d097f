/* tidy.h - the whitespace that some libraries take out of decoded text.
 *
 * Source: `clean_up_tokenization` of the Hugging Face tokenizers: " ." becomes ".", " n't" becomes
 * "n't", and eight more, each over the whole text before the next. It changes ids when the text is
 * encoded again, and so perplexity; whether a published number went through it depends on the
 * version of the library. */
#ifndef DID_TIDY_H
#define DID_TIDY_H

#include <stddef.h>

/* Tidy text[*size] in place; *size shrinks and the text stays NUL-terminated. Local. */
void tidy_text(char *text, size_t *size);

#endif
