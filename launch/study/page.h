/* page.h - one self-contained HTML file: no network, no script, readable on a phone, printable. */
#ifndef DID_PAGE_H
#define DID_PAGE_H

#include <stdio.h>

/* Head, styles and the title as a heading; everything after it is the caller's. Local. */
void page_begin(FILE *to, const char *title);
void page_end(FILE *to);

/* UTF-8 text, escaped for the inside of an element or of a quoted attribute. Local. */
void page_text(FILE *to, const char *text);

#endif
