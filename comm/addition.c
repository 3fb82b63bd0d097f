#include "addition.h"

#include <assert.h>
#include <string.h>

/* So many numbers of a sum stay in the nearest cache while part after part is added. */
enum { STRIP = 1 << 10 };

size_t addition_slice(size_t n, int r, int size)
{
    return n / (size_t)size * (size_t)r + n % (size_t)size * (size_t)r / (size_t)size;
}

void addition_two(float *sum, const float *other, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += other[i];
}

static void in_order(float *sum, const float *const *part, int parts, size_t at, size_t n)
{
    if (sum != part[0] + at) memcpy(sum, part[0] + at, n * sizeof *sum);
    for (int r = 1; r < parts; r++) addition_two(sum, part[r] + at, n);
}

static void in_pairs(float *sum, const float *const *part, int parts, size_t at, size_t n)
{
    float upper[STRIP];
    if (parts <= 2) {
        in_order(sum, part, parts, at, n);
        return;
    }
    in_pairs(sum, part, parts / 2, at, n);
    in_pairs(upper, part + parts / 2, parts / 2, at, n);
    addition_two(sum, upper, n);
}

void addition_all(float *sum, const float *const *part, int parts, size_t at, size_t n, bool pairs)
{
    assert(parts > 0 && (!pairs || (parts <= ADDITION_PARTS_MAX && (parts & (parts - 1)) == 0)));
    for (size_t done = 0; done < n; done += STRIP) {
        size_t some = n - done < STRIP ? n - done : STRIP;
        if (pairs) in_pairs(sum + done, part, parts, at + done, some);
        else in_order(sum + done, part, parts, at + done, some);
    }
}
