#include "tidy.h"

#include <string.h>

/* Take one out of every " X": what is written is never longer than what was read. */
static void replace(char *text, size_t *size, const char *from, const char *to)
{
    size_t from_size = strlen(from), to_size = strlen(to), kept = 0, at = 0;
    while (at < *size) {
        if (*size - at >= from_size && memcmp(text + at, from, from_size) == 0) {
            memcpy(text + kept, to, to_size);
            kept += to_size;
            at += from_size;
        } else {
            text[kept++] = text[at++];
        }
    }
    text[kept] = '\0';
    *size = kept;
}

void tidy_text(char *text, size_t *size)
{
    static const char *const change[][2] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (size_t i = 0; i < sizeof change / sizeof change[0]; i++)
        replace(text, size, change[i][0], change[i][1]);
}
