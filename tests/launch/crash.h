/* crash.h - a story that dies, or is refused, at every write, sync, truncation and allocation in
 * turn, and is lived again until it is whole. Needs DID_FAULTS. */
#ifndef DID_TESTS_CRASH_H
#define DID_TESTS_CRASH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "status.h"

enum { CRASH_POINTS_MAX = 5000 };
enum {
    CRASH_FINISHED = 0,
    CRASH_REFUSED = 3,
    CRASH_UNTOUCHED = 4,
    CRASH_KILLED = 137,
    CRASH_SKIPPED = 77
};

typedef struct crash_story {
    const void *subject;
    const char *said;                                      /* a file for what a life says */
    status (*live)(const void *subject);                   /* all of it, or what is left of it */
    void (*clear)(const void *subject);                    /* as if nothing had been */
    void (*check)(const void *subject, const char *fault); /* what was acknowledged is there */
    void (*whole)(const void *subject, const char *fault); /* all is there, each once */
} crash_story;

static inline void crash_show_said(const crash_story *c)
{
    char  line[500];
    FILE *said = fopen(c->said, "r");
    while (said && fgets(line, sizeof line, said)) fputs(line, stderr);
    if (said) fclose(said);
}

/* One life in a process of its own: how it ended. */
static inline int crash_live(const crash_story *c, const char *fault)
{
    int   how;
    pid_t child = fork();
    if (child == 0) {
        int said = open(c->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(said, STDERR_FILENO);
        setenv("DID_FAULT", fault, 1);
        if (fault_begin() != DID_OK) _exit(8);
        status s = c->live(c->subject);
        bool   struck = fault_left() == 0;
        if (s != DID_OK) fprintf(stderr, "%s\n", status_message());
        _exit(s != DID_OK ? CRASH_REFUSED : struck ? CRASH_FINISHED : CRASH_UNTOUCHED);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    int code = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
    if (code != CRASH_KILLED && code != CRASH_REFUSED && code != CRASH_FINISHED &&
        code != CRASH_UNTOUCHED) {
        crash_show_said(c);
        fail_msg("%s: ended with %d", fault, code);
    }
    return code;
}

static inline void crash_come_home(const crash_story *c, const char *fault)
{
    c->check(c->subject, fault);
    if (crash_live(c, "") != CRASH_FINISHED) {
        crash_show_said(c);
        fail_msg("%s: the story was not finished afterwards", fault);
    }
    c->check(c->subject, fault);
    c->whole(c->subject, fault);
}

/* Let it happen at every point of a kind, each in a fresh story; how many points there were. */
static inline int crash_everywhere(const crash_story *c, const char *kind, const char *what)
{
    for (int n = 1; n < CRASH_POINTS_MAX; n++) {
        char fault[40];
        snprintf(fault, sizeof fault, "%s:%d:%s", kind, n, what);
        c->clear(c->subject);
        int code = crash_live(c, fault);
        if (code == CRASH_UNTOUCHED) return n - 1;
        if (strcmp(what, "die") == 0) assert_int_equal(code, CRASH_KILLED);
        crash_come_home(c, fault);
    }
    fail_msg("%s: no end", kind);
    return 0;
}

static inline void crash_killed(const crash_story *c)
{
    int writes = crash_everywhere(c, "write", "die"), syncs = crash_everywhere(c, "fsync", "die");
    int cuts = crash_everywhere(c, "truncate", "die");
    print_message("killed at %d writes, %d syncs, %d truncations\n", writes, syncs, cuts);
    assert_true(writes > 20 && syncs > 5);
}

static inline void crash_refused(const crash_story *c)
{
    int writes = crash_everywhere(c, "write", "fail"), syncs = crash_everywhere(c, "fsync", "fail");
    int cuts = crash_everywhere(c, "truncate", "fail");
    int memory = crash_everywhere(c, "memory", "fail");
    print_message("refused %d writes, %d syncs, %d truncations, %d allocations\n", writes, syncs,
                  cuts, memory);
    assert_true(writes > 20 && syncs > 5 && memory > 20);
}

/* The same where several hosts see the disk, so that there is no write-ahead log. The sanitizers are
 * shown the syncs and truncations alone: what they watch for is the same everywhere. */
static inline void crash_on_a_shared_disk(const crash_story *c)
{
    const char *slow = getenv("DID_TEST_SANITIZED");
    setenv("DID_DISK", "shared", 1);
    int cuts = crash_everywhere(c, "truncate", "die"), syncs = crash_everywhere(c, "fsync", "die");
    assert_true(cuts > 5); /* it is cut after every commit */
    print_message("shared disk: killed at %d syncs, %d truncations\n", syncs, cuts);
    if (!slow || strcmp(slow, "1") != 0) {
        int writes = crash_everywhere(c, "write", "die");
        int refused = crash_everywhere(c, "write", "fail") + crash_everywhere(c, "fsync", "fail") +
                      crash_everywhere(c, "truncate", "fail");
        print_message("shared disk: killed at %d writes; %d refused\n", writes, refused);
    }
    unsetenv("DID_DISK");
}

#endif
