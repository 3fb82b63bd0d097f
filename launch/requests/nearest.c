#include "nearest.h"

#include <stddef.h>
#include <string.h>

enum { WORD_MAX = 63 }; /* longer words are compared by nobody's fingers */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Three rows of the distance table are enough: an exchange looks two rows back. */
static int distance(const char *a, int a_len, const char *b, int b_len)
{
    int row[3][WORD_MAX + 1];
    for (int j = 0; j <= b_len; j++) row[0][j] = j;
    for (int i = 1; i <= a_len; i++) {
        int *now = row[i % 3], *above = row[(i + 2) % 3], *two_above = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= b_len; j++) {
            int best = smaller(above[j], now[j - 1]) + 1;
            best = smaller(best, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, two_above[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[a_len % 3][b_len];
}

const char *nearest_name(const char *word, const char *const *names, int n)
{
    size_t len = strlen(word);
    if (len > WORD_MAX) return NULL;
    const char *best = NULL;
    int         closest = 1 + (int)len / 3;
    for (int i = 0; i < n; i++) {
        if (names[i] == NULL || strlen(names[i]) > WORD_MAX) continue;
        int d = distance(word, (int)len, names[i], (int)strlen(names[i]));
        if (d < closest || (d == closest && best == NULL && d < (int)len)) {
            best = names[i];
            closest = d;
        }
    }
    return best;
}
