#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "log.h"

struct results {
    int   fd;
    char *name;
    bool  plain; /* a regular file of ours: can be read, cut and synced */
    off_t size;  /* of a plain file */
};

static status explain(const results *r, const char *doing)
{
    status kind = errno == ENOSPC || errno == EDQUOT ? DID_EFULL : DID_EIO;
    return status_fail(kind, "output %s: %s: %s", r->name, doing, strerror(errno));
}

static status open_file(results *r, const char *path)
{
    struct stat st;
    bool        special = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    r->fd = special ? open(path, O_WRONLY | O_CLOEXEC)
                    : open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (r->fd < 0 || fstat(r->fd, &st) != 0) return explain(r, "cannot open");
    r->plain = S_ISREG(st.st_mode);
    r->size = st.st_size;
    if (r->plain && flock(r->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return status_fail(DID_EIO, "output %s is being written by another process", path);
    return DID_OK;
}

status results_open(results **out, const char *path)
{
    results *r = calloc(1, sizeof *r);
    *out = r;
    if (!r || !(r->name = strdup(path ? path : "stdout"))) {
        free(r);
        *out = NULL;
        return status_fail(DID_ENOMEM, "no memory for the output");
    }
    r->fd = STDOUT_FILENO;
    status s = path ? open_file(r, path) : DID_OK;
    if (s == DID_OK) return s;
    if (r->fd >= 0) close(r->fd);
    free(r->name);
    free(r);
    *out = NULL;
    return s;
}

static bool shorten(int fd, off_t size)
{
    return !fault_point(FAULT_TRUNCATE) && ftruncate(fd, size) == 0;
}

static status cut(results *r, off_t size)
{
    if (!shorten(r->fd, size)) return explain(r, "cannot cut");
    r->size = size;
    return DID_OK;
}

/* Every line with a newline; *whole is their size. */
static status show_lines(const char *name, FILE *from, results_visit *visit, void *context,
                         off_t *whole)
{
    char   *line = NULL;
    size_t  room = 0;
    ssize_t len;
    status  s = DID_OK;
    *whole = 0;
    errno = 0;
    while (s == DID_OK && (len = getline(&line, &room, from)) > 0 && line[len - 1] == '\n') {
        line[len - 1] = '\0';
        s = visit(context, line, (size_t)len - 1);
        *whole += len;
    }
    if (s == DID_OK && !feof(from))
        s = status_fail(errno == ENOMEM ? DID_ENOMEM : DID_EIO, "output %s: cannot read: %s", name,
                        strerror(errno));
    free(line);
    return s;
}

status results_look(const char *path, results_visit *visit, void *context, long long *torn)
{
    struct stat st;
    off_t       whole = 0;
    FILE       *from = fopen(path, "r");
    if (!from) return status_fail(DID_EIO, "output %s: cannot open: %s", path, strerror(errno));
    status s = show_lines(path, from, visit, context, &whole);
    if (s == DID_OK && fstat(fileno(from), &st) != 0)
        s = status_fail(DID_EIO, "output %s: cannot read: %s", path, strerror(errno));
    if (s == DID_OK) *torn = (long long)(st.st_size - whole);
    fclose(from);
    return s;
}

static status show_and_cut(results *r, FILE *from, results_visit *visit, void *context)
{
    off_t  whole;
    status s = show_lines(r->name, from, visit, context, &whole);
    if (s != DID_OK || whole == r->size) return s;
    log_say("results", "%s: cut a torn last line of %lld bytes", r->name,
            (long long)(r->size - whole));
    return cut(r, whole);
}

status results_resume(results *r, results_visit *visit, void *context)
{
    if (!r->plain || r->size == 0) return DID_OK;
    int   fd = dup(r->fd);
    FILE *from = fd < 0 ? NULL : fdopen(fd, "r");
    if (!from) {
        status s = explain(r, "cannot read");
        if (fd >= 0) close(fd);
        return s;
    }
    rewind(from);
    status s = show_and_cut(r, from, visit, context);
    fclose(from);
    return s;
}

/* All of it, however often the system takes less than it is given. */
static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = fault_point(FAULT_WRITE) ? -1 : write(fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* A line and its newline go out in one call, so a line is torn only where the system tears it. */
static bool write_line(int fd, const char *line, size_t len)
{
    struct iovec part[] = {{(void *)(uintptr_t)line, len}, {(void *)(uintptr_t) "\n", 1}};
    ssize_t      n;
    do n = fault_point(FAULT_WRITE) ? -1 : writev(fd, part, 2);
    while (n < 0 && errno == EINTR);
    if (n < 0) return false;
    size_t done = (size_t)n;
    return (done >= len || write_all(fd, line + done, len - done)) &&
           (done > len || write_all(fd, "\n", 1));
}

status results_append(results *r, const char *line)
{
    size_t len = strlen(line);
    if (write_line(r->fd, line, len)) {
        r->size += (off_t)len + 1;
        return DID_OK;
    }
    status s = explain(r, "cannot write");
    if (r->plain && !shorten(r->fd, r->size))
        log_warn("results", "%s: a torn last line stays: %s", r->name, strerror(errno));
    return s;
}

status results_sync(results *r)
{
    if (r->plain && (fault_point(FAULT_FSYNC) || fsync(r->fd) != 0))
        return explain(r, "cannot sync");
    return DID_OK;
}

status results_close(results **out)
{
    results *r = *out;
    *out = NULL;
    status s = results_sync(r);
    if (r->fd != STDOUT_FILENO && close(r->fd) != 0 && s == DID_OK) s = explain(r, "cannot close");
    free(r->name);
    free(r);
    return s;
}
