#include "arena.h"

#include <assert.h>
#include <stdlib.h>

size_t arena_round(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

status arena_open(arena *a, size_t size)
{
    *a = (arena){.size = arena_round(size)};
    if (a->size == 0) return DID_OK;
    a->base = aligned_alloc(ARENA_ALIGN, a->size);
    if (!a->base) return status_fail(DID_ENOMEM, "cannot get %zu bytes from the system", a->size);
    return DID_OK;
}

void arena_close(arena *a)
{
    free(a->base);
    *a = (arena){0};
}

void *arena_take(arena *a, size_t bytes)
{
    size_t size = arena_round(bytes);
    assert(size <= a->size - a->used);
    void *p = a->base + a->used;
    a->used += size;
    return p;
}

size_t arena_mark(const arena *a)
{
    return a->used;
}

void arena_release(arena *a, size_t mark)
{
    assert(mark <= a->used);
    a->used = mark;
}
