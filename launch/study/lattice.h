/* lattice.h - a section of a spec, as it was written, and the settings it stands for: one for each
 * combination of the values that its lists hold. */
#ifndef DID_LATTICE_H
#define DID_LATTICE_H

#include "spec.h"

typedef struct lattice_line {
    char *key, *value;
    int   line;
} lattice_line;

enum { GRID_LINES_MAX = 64 };

/* The lines before the first section, or those of one. */
typedef struct grid {
    char     *name; /* NULL: before the first section */
    int       line; /* where it begins */
    lattice_line row[GRID_LINES_MAX];
    int       n;
} grid;

/* Is `key` one that settings have, rather than one that a spec makes up? Local. */
bool lattice_knows(const char *key);

/* May its value be a list? Local. */
bool lattice_lists(const char *key);

/* The line of `key`; NULL when it has none. Local. */
const lattice_line *lattice_find(const grid *g, const char *key);

/* Append the settings of section `g`, at place `section`, to `out`; `common` holds where it is
 * silent. Fails DID_EFORMAT "LINE: ...", DID_ENOMEM. Local. */
status lattice_expand(spec *out, const grid *common, const grid *g, int section);

void lattice_clear(grid *g); /* Leaves it zeroed. Local. */

#endif
