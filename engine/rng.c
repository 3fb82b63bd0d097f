#include "rng.h"

static void multiply(uint32_t a, uint32_t b, uint32_t *high, uint32_t *low)
{
    uint64_t product = (uint64_t)a * b;
    *high = (uint32_t)(product >> 32);
    *low = (uint32_t)product;
}

/* Philox4x32 with ten rounds; constants of the paper's table 2. */
static void philox(uint32_t counter[4], uint64_t key)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint32_t high0, low0, high1, low1;
        multiply(0xD2511F53u, counter[0], &high0, &low0);
        multiply(0xCD9E8D57u, counter[2], &high1, &low1);
        uint32_t next[4] = {high1 ^ counter[1] ^ k0, low1, high0 ^ counter[3] ^ k1, low0};
        for (int i = 0; i < 4; i++) counter[i] = next[i];
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

uint64_t rng_bits(uint64_t key, int attempt, int stage, int position, purpose why)
{
    uint32_t counter[4] = {(uint32_t)position, (uint32_t)stage, (uint32_t)attempt, (uint32_t)why};
    philox(counter, key);
    return (uint64_t)counter[1] << 32 | counter[0];
}

double rng_uniform(uint64_t key, int attempt, int stage, int position, purpose why)
{
    return (double)(rng_bits(key, attempt, stage, position, why) >> 11) * 0x1p-53;
}

uint64_t rng_hash(uint64_t seed, const void *bytes, int size)
{
    const unsigned char *p = bytes;
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (int i = 0; i < size; i++) h = (h ^ p[i]) * 0x100000001b3u;
    h ^= (uint64_t)size;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu; /* the finalizer of MurmurHash3 */
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}
