#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wal.h"

enum { COMMITS = 4, PAGE = 4096, FRAME = 24 + PAGE };

typedef struct fixture {
    char           folder[64], path[96], log[104];
    unsigned char *sound;
    size_t         size;
} fixture;

/* A log of some commits, left behind by a process that ended without closing anything. */
static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    int      how;
    strcpy(f->folder, "/tmp/did-wal-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->path, sizeof f->path, "%s/db", f->folder);
    snprintf(f->log, sizeof f->log, "%s-wal", f->path);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        if (sqlite3_open(f->path, &db) != SQLITE_OK) _exit(1);
        sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)", NULL, NULL, NULL);
        for (int i = 1; i < COMMITS; i++)
            sqlite3_exec(db, "INSERT INTO t VALUES (randomblob(5000))", NULL, NULL, NULL);
        _exit(0);
    }
    if (waitpid(child, &how, 0) != child || how) return 1;
    FILE *log = fopen(f->log, "r");
    f->sound = malloc(1 << 20);
    f->size = fread(f->sound, 1, 1 << 20, log);
    fclose(log);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char     shared[104];
    snprintf(shared, sizeof shared, "%s-shm", f->path);
    unlink(shared);
    unlink(f->log);
    unlink(f->path);
    int left = rmdir(f->folder);
    free(f->sound);
    free(f);
    return left;
}

static wal_report examine(const fixture *f, const unsigned char *bytes, size_t size)
{
    wal_report r;
    FILE      *log = fopen(f->log, "w");
    assert_int_equal(fwrite(bytes, 1, size, log), size);
    fclose(log);
    assert_int_equal(wal_examine(&r, f->path), DID_OK);
    return r;
}

static void a_sound_log(void **state)
{
    const fixture *f = *state;
    wal_report     r = examine(f, f->sound, f->size);
    assert_true(r.there && r.header && !r.cut);
    assert_int_equal(r.frames, (f->size - 32) / FRAME);
    assert_int_equal(r.commits, COMMITS);
    assert_int_equal(r.after + r.lost, 0);
    assert_false(wal_damaged(&r));
    unlink(f->log);
    assert_int_equal(wal_examine(&r, f->path), DID_OK);
    assert_false(r.there || wal_damaged(&r));
    r = examine(f, f->sound, 0);
    assert_false(r.there || wal_damaged(&r));
}

/* What a death leaves is no damage: a header, a frame or a commit cut short at the end. */
static void cut_short(void **state)
{
    const fixture *f = *state;
    char           says[WAL_SENTENCE];
    for (size_t size = 1; size < f->size; size += size < 200 ? 1 : 97) {
        wal_report r = examine(f, f->sound, size);
        if (wal_damaged(&r)) fail_msg("%zu: %s", size, wal_describe(&r, says));
        assert_int_equal(r.cut, size < 32 || (size - 32) % FRAME != 0);
        if (r.header) assert_int_equal(r.frames, (size - 32) / FRAME);
    }
}

/* A bit that is not as it was: in front of later commits it is damage and named with its frame. */
static void flipped_bits(void **state)
{
    const fixture *f = *state;
    char           says[WAL_SENTENCE];
    long           frames = (long)((f->size - 32) / FRAME);
    for (size_t at = 0; at < f->size; at += at < 100 ? 1 : 211) {
        f->sound[at] ^= 16;
        wal_report r = examine(f, f->sound, f->size);
        f->sound[at] ^= 16;
        if (at < 32) {
            assert_false(r.header);
            assert_true(wal_damaged(&r));
            continue;
        }
        long frame = (long)((at - 32) / FRAME);
        assert_int_equal(r.frames, frame);
        assert_int_equal(r.after, frames - frame - 1);
        assert_int_equal(wal_damaged(&r), frame < frames - 1);
        if (!wal_damaged(&r)) continue;
        char named[40];
        snprintf(named, sizeof named, "damaged at frame %ld:", frame + 1);
        assert_non_null(strstr(wal_describe(&r, says), named));
    }
}

/* The frames of an earlier generation behind the end are the file's history and mean nothing. */
static void older_frames(void **state)
{
    const fixture *f = *state;
    unsigned char *longer = malloc(f->size + FRAME);
    memcpy(longer, f->sound, f->size);
    memcpy(longer + f->size, f->sound + f->size - FRAME, FRAME);
    longer[f->size + 8] ^= 1; /* its salt */
    wal_report r = examine(f, longer, f->size + FRAME);
    assert_int_equal(r.commits, COMMITS);
    assert_false(r.cut || wal_damaged(&r));
    free(longer);
}

int main(void)
{
#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {WITH_LOG(a_sound_log), WITH_LOG(cut_short),
                                       WITH_LOG(flipped_bits), WITH_LOG(older_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
