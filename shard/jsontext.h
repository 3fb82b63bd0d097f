/* jsontext.h - the JSON of a checkpoint, parsed strictly, with sentences people can act on.
 *
 * Source: RFC 8259, by jansson. A key that occurs twice is refused: which of the two values holds
 * would be anybody's guess. */
#ifndef DID_JSONTEXT_H
#define DID_JSONTEXT_H

#include <jansson.h>
#include <stddef.h>

#include "status.h"

enum { JSONTEXT_SHOWN = 96, JSONTEXT_FILE_BYTES_MAX = 64 << 20 };

/* An object from text in memory; `where` is named in sentences. The caller owns *out (json_decref).
 * Fails DID_EFORMAT with line, column and the text before the trouble. Local. */
status jsontext_parse(json_t **out, const char *text, size_t size, const char *where);

/* The same from a file. Fails DID_EIO when it cannot be read, DID_EFORMAT when it is too large.
 * Local. */
status jsontext_read(json_t **out, const char *path);

/* A value found in a file as one short line of printable ASCII, for use in a sentence; NULL is
 * shown as "missing". Returns `shown`. Local. */
const char *jsontext_show(char shown[JSONTEXT_SHOWN], const json_t *value);

#endif
