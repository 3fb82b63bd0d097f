#include "host.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The number in a limit file; SIZE_MAX for "max" or no file. */
static size_t limit_in(const char *path)
{
    unsigned long long bytes;
    FILE              *f = fopen(path, "re");
    if (f == NULL) return SIZE_MAX;
    bool number = fscanf(f, "%llu", &bytes) == 1;
    fclose(f);
    return number ? (size_t)bytes : SIZE_MAX;
}

/* The smallest limit of the group and the groups around it. */
static size_t limit_upwards(const char *root, const char *group, const char *file)
{
    char   path[PATH_BYTES], inside[PATH_BYTES];
    size_t least = SIZE_MAX;
    snprintf(inside, sizeof inside, "%s", group);
    for (;;) {
        if (snprintf(path, sizeof path, "%s%s/%s", root, inside, file) < (int)sizeof path) {
            size_t here = limit_in(path);
            if (here < least) least = here;
        }
        char *slash = strrchr(inside, '/');
        if (slash == NULL) return least;
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "0::/group" (version 2) and "4:memory:/group" (version 1). */
static size_t group_limit(void)
{
    char   line[PATH_BYTES];
    size_t least = SIZE_MAX;
    FILE  *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *kind = strchr(line, ':'), *group = kind ? strchr(kind + 1, ':') : NULL;
        if (group == NULL) continue;
        *group++ = '\0';
        size_t here = SIZE_MAX;
        if (kind[1] == '\0') here = limit_upwards("/sys/fs/cgroup", group, "memory.max");
        if (!strcmp(kind + 1, "memory"))
            here = limit_upwards("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        if (here < least) least = here;
    }
    if (f) fclose(f);
    return least;
}

/* A value of /proc/meminfo in bytes; SIZE_MAX where it is missing. */
static size_t meminfo(const char *name)
{
    char          line[256];
    unsigned long kilobytes;
    size_t        found = SIZE_MAX, len = strlen(name);
    FILE         *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, len) && sscanf(line + len, ": %lu", &kilobytes) == 1)
            found = (size_t)kilobytes * 1024;
    if (f) fclose(f);
    return found;
}

/* Version 1 writes "no limit" as a number near 2^63, hence the comparison with the whole memory. */
size_t host_memory_limit(size_t held, const char **source)
{
    size_t group = group_limit(), all = meminfo("MemTotal"), left = meminfo("MemAvailable");
    *source = "cgroup";
    if (group < all || left == SIZE_MAX) return group;
    *source = "free memory";
    return left + held;
}

/* Only a character device is opened: opening the launcher's log file would be writing into it. */
FILE *host_terminal(void)
{
    char        path[64];
    struct stat about;
    if (isatty(STDERR_FILENO)) return stderr;
    snprintf(path, sizeof path, "/proc/%ld/fd/2", (long)getppid());
    if (stat(path, &about) || !S_ISCHR(about.st_mode)) return NULL;
    int   fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    FILE *f = fd >= 0 && isatty(fd) ? fdopen(fd, "w") : NULL;
    if (f == NULL && fd >= 0) close(fd);
    return f;
}

int host_terminal_lines(FILE *terminal)
{
    struct winsize size;
    if (ioctl(fileno(terminal), TIOCGWINSZ, &size) || size.ws_row == 0) return 24;
    return size.ws_row;
}
