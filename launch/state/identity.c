#include "identity.h"

#include <string.h>

/* The value of line "name value" of `identity` that begins like `line` of `len` bytes up to its
 * space. */
static const char *value_of(const char *identity, const char *line, size_t name_len, size_t *len)
{
    for (const char *at = identity; *at;) {
        size_t line_len = strcspn(at, "\n");
        if (line_len > name_len && strncmp(at, line, name_len) == 0 && at[name_len] == ' ') {
            *len = line_len - name_len - 1;
            return at + name_len + 1;
        }
        at += line_len + (at[line_len] == '\n');
    }
    *len = 0;
    return "";
}

status identity_compare(const char *path, const char *found, const char *now)
{
    if (strcmp(found, now) == 0) return DID_OK;
    for (const char *at = now; *at;) {
        size_t      len = strcspn(at, "\n"), name = strcspn(at, " \n"), old_len, new_len;
        const char *old = value_of(found, at, name, &old_len);
        const char *new = value_of(now, at, name, &new_len);
        if (old_len != new_len || strncmp(old, new, new_len) != 0)
            return status_fail(DID_EINVAL,
                               "state file %s belongs to another job: its %.*s is \"%.*s\","
                               " this run has \"%.*s\"",
                               path, (int)name, at, (int)old_len, old, (int)new_len, new);
        at += len + (at[len] == '\n');
    }
    return status_fail(DID_EINVAL,
                       "state file %s belongs to another job: it knows settings that this"
                       " run has not",
                       path);
}
