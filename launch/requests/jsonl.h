/* jsonl.h - the lines of a text file, one after the other, and the JSON on them.
 *
 * Limits: a line holds at most JSONL_LINE_MAX bytes; JSON nests as deep as jansson allows
 * (2048). */
#ifndef DID_JSONL_H
#define DID_JSONL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "status.h"

enum { JSONL_LINE_MAX = 16 << 20 };

typedef struct jsonl jsonl;

/* Open `path`, "-" for standard input. Fails DID_EIO naming it. Local. */
status jsonl_open(jsonl **out, const char *path);

/* The same from text[size] in memory, borrowed until jsonl_close. Fails DID_ENOMEM. Local. */
status jsonl_open_text(jsonl **out, const char *text, size_t size);

void jsonl_close(jsonl **j);

/* The next line without its line end, NUL-terminated and borrowed until the next call; *text is
 * NULL at the end of the file. A byte order mark before the first line is dropped. Fails DID_EIO
 * when reading does, DID_EFORMAT when the line is too long: it is then skipped and the next call
 * goes on. Local. */
status jsonl_next(jsonl *j, char **text, size_t *size);

/* The number of the line last read, from 1. Local. */
long jsonl_number(const jsonl *j);

/* Parse one line as a JSON object, the caller's reference. Fails DID_EFORMAT with the sentence and,
 * where it is known, *column (from 1; 0: not known). Local. */
status jsonl_parse(json_t **out, const char *text, size_t size, int *column);

/* The column (in characters, from 1) of the key `name` at nesting depth `depth` (1: the outermost
 * object) in a line that jsonl_parse accepted; 0 when it is not there. Local. */
int jsonl_column(const char *text, size_t size, const char *name, int depth);

/* The column of the byte at offset `at`. Local. */
int jsonl_column_at(const char *text, size_t at);

#endif
