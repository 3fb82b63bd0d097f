/* fault_memory.h - malloc and its kin with a fault_point in front.
 *
 * A build with faults tells the linker to put these in place of the C library's in everything that
 * is ours (--wrap, which also gives them their names). Nobody calls them by these names. */
#ifndef DID_FAULT_MEMORY_H
#define DID_FAULT_MEMORY_H

#include <stddef.h>

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

/* The C library's own, as the linker calls them. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);

#endif
