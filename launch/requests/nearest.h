/* nearest.h - the name somebody meant when they typed another one.
 *
 * Source: optimal string alignment distance (Damerau 1964, restricted): letters inserted, left out,
 * replaced, or two neighbours exchanged. */
#ifndef DID_NEAREST_H
#define DID_NEAREST_H

/* The name closest to `word`, the first of equals; NULL when none is close enough to be a slip of
 * the fingers (more than a third of the word would have to change). names[n], entries may be NULL.
 * Borrowed from `names`. Local. */
const char *nearest_name(const char *word, const char *const *names, int n);

#endif
