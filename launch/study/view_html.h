/* view_html.h - the same document as view draws, as one self-contained HTML file. */
#ifndef DID_VIEW_HTML_H
#define DID_VIEW_HTML_H

#include <stdio.h>

#include "view.h"

/* Every token tells its confidence, stage and step under the pointer. Local. */
void view_html_write(FILE *to, const view *v);

#endif
