#include "utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

size_t utf8_step(const char *text, size_t size, bool *whole)
{
    const unsigned char *s = (const unsigned char *)text;
    assert(size > 0);
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3
               : s[0] < 0xF5 ? 4 : 0;

    /* Only the second byte has a narrower range: it keeps out overlong forms, surrogates and what
     * lies beyond U+10FFFF. */
    unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    size_t   n = 1;
    while (n < len && n < size && s[n] >= low && s[n] <= high) {
        n++;
        low = 0x80;
        high = 0xBF;
    }
    *whole = n == len;
    return n;
}

size_t utf8_check(const char *text, size_t size)
{
    bool whole = true;
    for (size_t at = 0; at < size;) {
        size_t len = utf8_step(text + at, size - at, &whole);
        if (!whole) return at;
        at += len;
    }
    return size;
}

bool utf8_control(const char *text, size_t size)
{
    unsigned char first = (unsigned char)text[0];
    if (size == 2) return first == 0xC2 && (unsigned char)text[1] < 0xA0;
    return size == 1 && (first < 0x20 || first == 0x7F);
}

void utf8_tidy(char *text)
{
    size_t size = strlen(text);
    bool   whole = true;
    for (size_t at = 0, step; at < size; at += step) {
        step = utf8_step(text + at, size - at, &whole);
        if (!whole || utf8_control(text + at, step)) memset(text + at, '?', step);
    }
}

const char *utf8_quote(char *out, size_t cap, const char *text, size_t size)
{
    size_t used = 0;
    bool   whole = true;
    assert(cap >= 16);
    for (size_t at = 0; at < size;) {
        size_t        len = utf8_step(text + at, size - at, &whole);
        unsigned char c = (unsigned char)text[at];
        if (used + 8 > cap) { /* four for this character or byte, four for the dots and the NUL */
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (!whole || utf8_control(text + at, len)) {
            used += (size_t)snprintf(out + used, cap - used, "\\x%02X", c);
            at++;
        } else {
            memcpy(out + used, text + at, len);
            used += len;
            at += len;
        }
    }
    out[used] = '\0';
    return out;
}
