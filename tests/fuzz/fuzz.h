/* fuzz.h - what the fuzz targets share.
 *
 * A target takes any bytes at all. What it reads from them has to be what its header promises (an
 * assert); what it does not read has to be refused with a sentence that people can be shown. */
#ifndef DID_TESTS_FUZZ_H
#define DID_TESTS_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"
#include "utf8.h"

/* libFuzzer's own names; a target defines the first, and the second where it has to prepare. */
int    LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int    LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* A sentence: some characters on one line, and nothing in them that a terminal would obey. */
static inline void fuzz_sentence(const char *said)
{
    size_t size = strlen(said);
    assert(size > 0 && utf8_check(said, size) == size);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)said[i];
        assert(c >= ' ' && c != 0x7f && !(c == 0xC2 && (unsigned char)said[i + 1] < 0xA0));
    }
}

/* `found` is the refusal that this reader promises. That memory ran out is none: no input is large
 * enough to be an excuse. */
static inline void fuzz_refused(status found, status promised)
{
    assert(found == promised);
    fuzz_sentence(status_message());
}

/* The input as a string; NULL when it has a NUL inside. To be freed. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    if (size && memchr(data, '\0', size)) return NULL;
    char *text = malloc(size + 1);
    assert(text);
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
