#include "arena.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Large blocks begin and end with large pages, where the system gives those on request: weights and
 * keys are read from front to back, and an entry of the page table should last for a while. */
enum { LARGE_PAGE = 2 << 20 };

size_t arena_round(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

status arena_open(arena *a, size_t size)
{
    *a = (arena){.size = arena_round(size)};
    if (a->size == 0) return DID_OK;
    bool   large = a->size >= LARGE_PAGE;
    size_t align = large ? LARGE_PAGE : ARENA_ALIGN;
    a->base = aligned_alloc(align, (a->size + align - 1) / align * align);
    if (!a->base) return status_fail(DID_ENOMEM, "cannot get %zu bytes from the system", a->size);
    if (large) madvise(a->base, a->size, MADV_HUGEPAGE);
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
