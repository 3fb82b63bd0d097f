#include "noise.h"

void noise_fill(float *x, size_t n, uint64_t stream, uint64_t first, float mean, float spread)
{
    for (size_t i = 0; i < n; i++) x[i] = mean + spread * noise_number(stream, first + i);
}
