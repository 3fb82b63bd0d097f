/* One block, carved and given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "arena.h"

static void test_round(void **state)
{
    (void)state;
    assert_int_equal(arena_round(0), 0);
    assert_int_equal(arena_round(1), 64);
    assert_int_equal(arena_round(64), 64);
    assert_int_equal(arena_round(65), 128);
}

static void test_take(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 64, 100, 0, 7};
    unsigned char *parts[5];
    size_t total = 0;
    arena  a;
    for (int i = 0; i < 5; i++) total += arena_round(sizes[i]);
    assert_int_equal(arena_open(&a, total), DID_OK);
    for (int i = 0; i < 5; i++) {
        parts[i] = arena_take(&a, sizes[i]);
        assert_int_equal((uintptr_t)parts[i] % ARENA_ALIGN, 0);
        memset(parts[i], 10 + i, sizes[i]);
    }
    assert_int_equal(a.used, a.size);
    for (int i = 0; i < 5; i++)
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(parts[i][j], 10 + i);
    arena_close(&a);
    assert_null(a.base);
}

static void test_mark(void **state)
{
    (void)state;
    arena a;
    assert_int_equal(arena_open(&a, 1000), DID_OK);
    assert_int_equal(a.size, 1024);
    void  *kept = arena_take(&a, 10);
    size_t mark = arena_mark(&a);
    void  *first = arena_take(&a, 500);
    assert_ptr_not_equal(first, kept);
    arena_release(&a, mark);
    assert_ptr_equal(arena_take(&a, 200), first);
    arena_release(&a, mark);
    arena_take(&a, 1024 - 64);
    assert_int_equal(a.used, 1024);
    arena_close(&a);
}

static void test_empty(void **state)
{
    (void)state;
    arena a;
    assert_int_equal(arena_open(&a, 0), DID_OK);
    assert_int_equal(a.size, 0);
    arena_close(&a);
    arena_close(&a);
}

/* Large blocks begin with a large page, and end where they were asked to. */
static void test_large(void **state)
{
    (void)state;
    size_t size = (5 << 20) + 64;
    arena  a;
    assert_int_equal(arena_open(&a, size), DID_OK);
    assert_int_equal((uintptr_t)a.base % (2 << 20), 0);
    assert_int_equal(a.size, size);
    memset(arena_take(&a, size), 1, size);
    arena_close(&a);
}

static void test_too_large(void **state)
{
    (void)state;
    arena a;
    assert_int_equal(arena_open(&a, (size_t)1 << 62), DID_ENOMEM);
    assert_non_null(strstr(status_message(), "4611686018427387904 bytes"));
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round), cmocka_unit_test(test_take),      cmocka_unit_test(test_mark),
        cmocka_unit_test(test_empty), cmocka_unit_test(test_large),     cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
