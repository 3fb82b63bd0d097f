#include "madeup.h"

#include <math.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "preset.h"

static comm *world;

static geometry odd(void)
{
    geometry g;
    assert_int_equal(preset_find(&g, "40x5x2x203x64"), DID_OK);
    return g;
}

static uint64_t hash_of(const char *dir)
{
    checkpoint *c = NULL;
    uint64_t    hash = 0;
    assert_int_equal(checkpoint_open(&c, dir), DID_OK);
    assert_int_equal(checkpoint_hash(c, &hash), DID_OK);
    checkpoint_close(&c);
    return hash;
}

/* Written, read by everybody as any checkpoint is, and gone. */
static void a_checkpoint_like_any_other(void **state)
{
    (void)state;
    geometry g = odd(), read;
    madeup   m;
    assert_int_equal(madeup_open(&m, &g, 1, world), DID_OK);
    assert_int_equal(geometry_read(&read, m.dir), DID_OK);
    assert_memory_equal(&g, &read, sizeof g);
    model net;
    assert_int_equal(model_open(&net, m.dir, &read, comm_rank(world), comm_size(world), true,
                                kernels_find("ref")),
                     DID_OK);
    double sum = 0;
    int    n = net.vocab.len * g.d_model;
    for (int i = 0; i < n; i++) sum += net.embedding[i] * net.embedding[i];
    assert_true(fabs(sum / n - 1) < 0.1);
    model_close(&net);

    char dir[MADEUP_PATH];
    strcpy(dir, m.dir);
    assert_int_equal(comm_barrier(world, EV_BENCH), DID_OK);
    madeup_close(&m);
    assert_int_equal(comm_barrier(world, EV_BENCH), DID_OK);
    assert_true(access(dir, F_OK) != 0);
    madeup_close(&m);
}

static void the_seed_decides(void **state)
{
    (void)state;
    geometry g = odd();
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        madeup m;
        assert_int_equal(madeup_open(&m, &g, i == 2 ? 8 : 7, world), DID_OK);
        hash[i] = hash_of(m.dir);
        assert_int_equal(comm_barrier(world, EV_BENCH), DID_OK);
        madeup_close(&m);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

static void sizes_are_told_beforehand(void **state)
{
    (void)state;
    geometry g = odd();
    madeup   m;
    assert_int_equal(madeup_open(&m, &g, 1, world), DID_OK);
    char path[MADEUP_PATH + 32];
    snprintf(path, sizeof path, "%s/model.safetensors", m.dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    double bytes = (double)ftell(f), said = madeup_bytes(&g);
    fclose(f);
    assert_true(bytes > said && bytes < said + 8192);
    assert_int_equal(comm_barrier(world, EV_BENCH), DID_OK);
    madeup_close(&m);
}

static void no_place_to_write(void **state)
{
    (void)state;
    geometry g = odd();
    madeup   m;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    assert_int_equal(madeup_open(&m, &g, 1, world), DID_EIO);
    assert_non_null(strstr(status_message(), "/nowhere/at/all"));
    unsetenv("TMPDIR");
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_like_any_other), cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(sizes_are_told_beforehand), cmocka_unit_test(no_place_to_write)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
