/* twist.h - a changed value in a JSON text.
 *
 * Bytes changed at random seldom leave JSON behind, so what reads the values would hardly be
 * reached. Here the text is parsed, one value replaced, moved, copied, renamed or taken away, and
 * written again. */
#ifndef DID_TESTS_TWIST_H
#define DID_TESTS_TWIST_H

#include <stddef.h>
#include <stdint.h>

/* Twist one of the JSON objects in data[size] that begin a line, or stand behind a prefix of 1 or 8
 * bytes. Returns the new size, at most `max`; 0 when there is no object or no room. The same seed
 * does the same. */
size_t twist_text(uint8_t *data, size_t size, size_t max, unsigned seed);

#endif
