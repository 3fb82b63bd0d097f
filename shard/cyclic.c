#include "cyclic.h"

#include <assert.h>

enum { BLOCK_MAX = 64 };

int cyclic_block(int n, int parts)
{
    assert(n > 0 && parts > 0);
    int rounds = (n + parts * BLOCK_MAX - 1) / (parts * BLOCK_MAX), blocks = rounds * parts;
    return (n + blocks - 1) / blocks;
}

int cyclic_len(int n, int block, int parts, int part)
{
    assert(n >= 0 && block > 0 && part >= 0 && part < parts);
    int blocks = n / block, mine = blocks / parts * block, extra = blocks % parts;
    if (part < extra) return mine + block;
    return part == extra ? mine + n % block : mine;
}

int cyclic_global(int local, int block, int parts, int part)
{
    return (local / block * parts + part) * block + local % block;
}

int cyclic_owner(int global, int block, int parts)
{
    return global / block % parts;
}

int cyclic_local(int global, int block, int parts)
{
    return global / (block * parts) * block + global % block;
}
