/* utf8.h - UTF-8, one sequence at a time.
 *
 * Source: the Unicode Standard, table 3-7 (well-formed byte sequences) and section 3.9 (U+FFFD for
 * each maximal subpart of an ill-formed sequence). */
#ifndef DID_UTF8_H
#define DID_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Length, 1 .. 4, of the sequence at the front of text[size], size > 0: of a character (*whole is
 * true), or of the maximal subpart that one U+FFFD stands for (*whole is false). Local. */
size_t utf8_step(const char *text, size_t size, bool *whole);

/* Offset of the first ill-formed sequence; `size` when there is none. Local. */
size_t utf8_check(const char *text, size_t size);

/* Is the character text[size], one whole sequence, a control character: of ASCII or of the second set,
 * U+0080 to U+009F, which terminals obey as well? Local. */
bool utf8_control(const char *text, size_t size);

/* Make `text` one line that a terminal can be shown: what is a control character or no character
 * becomes "?". Local. */
void utf8_tidy(char *text);

/* Write `text` as a sentence can carry it: control characters and ill-formed bytes as \xNN, cut
 * with "..." where it does not fit out[cap], cap >= 16. Returns `out`. Local. */
const char *utf8_quote(char *out, size_t cap, const char *text, size_t size);

#endif
