/* roff.h - manual pages, in the words of troff's man macros: man(7).
 *
 * Text is given as it is to be read; what troff would take for its own is marked here. */
#ifndef DID_ROFF_H
#define DID_ROFF_H

#include <stdio.h>

/* A page of section 1 begins: NAME and SYNOPSIS. `usage` is what follows the program's name. Local. */
void roff_begin(FILE *to, const char *name, const char *version, const char *summary,
                const char *usage);

void roff_section(FILE *to, const char *title); /* "OPTIONS": in capitals by custom. Local. */
void roff_subsection(FILE *to, const char *title);
void roff_paragraph(FILE *to, const char *text);

/* An option, a command, an exit code: `head` in bold, `value` (NULL: none) in italics, and what it
 * means. Local. */
void roff_item(FILE *to, const char *head, const char *value, const char *text);

#endif
