#include "split.h"

#include <assert.h>

span split_part(int total, int unit, int parts, int i)
{
    assert(total >= 0 && unit > 0 && parts > 0 && i >= 0 && i < parts);
    int units = (total + unit - 1) / unit;
    int each = units / parts, extra = units % parts;
    int first = i * each + (i < extra ? i : extra);
    int count = each + (i < extra);
    int from = first * unit, to = (first + count) * unit;
    if (from > total) from = total;
    if (to > total) to = total;
    return (span){from, to - from};
}
