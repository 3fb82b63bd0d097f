/* guard.h - arrays that end where memory ends, so reading or writing past them is a fault. */
#ifndef DID_GUARD_H
#define DID_GUARD_H

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARDS_MAX = 512 };

static struct {
    void  *map[GUARDS_MAX];
    size_t size[GUARDS_MAX];
    int    n;
} guards;

/* `bytes` bytes, the last of them followed by an unreadable page. Lives until guard_clear. */
static inline void *guard_bytes(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (bytes + page - 1) / page * page;
    int    how  = MAP_PRIVATE | MAP_ANONYMOUS;
    char  *map  = mmap(NULL, body + page, PROT_READ | PROT_WRITE, how, -1, 0);
    if (map == MAP_FAILED || guards.n == GUARDS_MAX || mprotect(map + body, page, PROT_NONE) != 0)
        abort();
    guards.map[guards.n]    = map;
    guards.size[guards.n++] = body + page;
    return map + body - bytes;
}

static inline float *guard_floats(size_t n)
{
    return guard_bytes(n * sizeof(float));
}

/* How many arrays live, for guard_clear to return to. */
static inline int guard_mark(void)
{
    return guards.n;
}

static inline void guard_clear(int mark)
{
    while (guards.n > mark) {
        guards.n--;
        munmap(guards.map[guards.n], guards.size[guards.n]);
    }
}

#endif
