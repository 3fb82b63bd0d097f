#include "fault_memory.h"

#ifdef DID_FAULTS

#include "fault.h"

void *__wrap_malloc(size_t size)
{
    return fault_point(FAULT_MEMORY) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fault_point(FAULT_MEMORY) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fault_point(FAULT_MEMORY) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fault_point(FAULT_MEMORY) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fault_point(FAULT_MEMORY) ? NULL : __real_strndup(text, len);
}

#endif
