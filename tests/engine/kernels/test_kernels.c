#include "kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void sets_are_found_by_name(void **state)
{
    (void)state;
    const char *const *name = kernels_available();
    assert_non_null(name[0]);
    assert_ptr_equal(kernels_find(NULL), kernels_find(name[0]));
    bool ref = false;
    for (; *name; name++) {
        char copy[16];
        assert_true(strlen(*name) < sizeof copy);
        assert_string_equal(kernels_find(strcpy(copy, *name))->name, *name);
        ref = ref || strcmp(*name, "ref") == 0;
    }
    assert_true(ref);
    assert_null(kernels_find("abacus"));
    assert_null(kernels_find(""));
    assert_null(kernels_find("ref "));
}

static int place(const char *wanted)
{
    const char *const *name = kernels_available();
    for (int i = 0; name[i]; i++)
        if (strcmp(name[i], wanted) == 0) return i;
    return -1;
}

static void best_comes_first(void **state)
{
    static const char *const ORDER[] = {"avx512", "avx2", "blas", "ref"};
    (void)state;
    int last = -1;
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++) {
        int at = place(ORDER[i]);
        if (at < 0) continue;
        assert_true(at > last);
        last = at;
    }
    assert_int_equal(place("ref"), last);
}

/* The compiler's runtime asks the CPU in its own way. */
static void the_cpu_decides(void **state)
{
    (void)state;
#ifdef __x86_64__
    bool avx2   = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    assert_int_equal(place("avx2") >= 0, avx2);
    assert_int_equal(place("avx512") >= 0, avx512);
#else
    assert_int_equal(place("avx2"), -1);
    assert_int_equal(place("avx512"), -1);
#endif
}

static void bf16_has_sets_of_its_own(void **state)
{
    static const char *const ORDER[] = {"amx", "avx512bf16", "avx512", "avx2", "ref"};
    (void)state;
    const char *const *name = kernels_names(PRECISION_BF16);
    assert_ptr_equal(kernels_of(PRECISION_BF16, NULL), kernels_of(PRECISION_BF16, name[0]));
    int last = -1;
    for (; *name; name++) {
        const kernels *k = kernels_of(PRECISION_BF16, *name);
        int            at = 0;
        while (at < 5 && strcmp(ORDER[at], *name)) at++;
        assert_true(at > last && at < 5);
        last = at;
        assert_true(k->precision == PRECISION_BF16 && k->operand && k->linear_packed);
        assert_true(k->norm && k->rotate && k->key_store && k->key_copy && k->attend && k->max);
        assert_true(COLUMNS_MAX % k->columns == 0 && (k->left_bytes == 2 || k->left_bytes == 4));
    }
    assert_int_equal(last, 4);
    assert_null(kernels_of(PRECISION_BF16, "blas"));
    assert_null(kernels_of(PRECISION_F32, "avx512bf16"));
    bool said = strstr(kernels_cpu(), "avx512_bf16") && place("avx512") >= 0;
    assert_int_equal(kernels_of(PRECISION_BF16, "avx512bf16") != NULL, said);
}

/* Tiles are offered where the system gives them and they were right, or refused with a reason. */
static void tiles_are_offered_or_refused(void **state)
{
    (void)state;
    bool has = strstr(kernels_cpu(), "amx_tile") && strstr(kernels_cpu(), "amx_bf16");
    bool offered = kernels_of(PRECISION_BF16, "amx") != NULL;
    if (!has) assert_false(offered);
    if (offered || !has) assert_string_equal(kernels_refused(), "");
    assert_null(kernels_of(PRECISION_F32, "amx"));
}

static void the_environment_does_not_choose(void **state)
{
    (void)state;
    const kernels *best = kernels_find(NULL);
    setenv("DID_KERNELS", "ref", 1);
    assert_ptr_equal(kernels_find(NULL), best);
    unsetenv("DID_KERNELS");
}

static void no_operation_is_missing(void **state)
{
    (void)state;
    for (const char *const *name = kernels_available(); *name; name++) {
        const kernels *k = kernels_find(*name);
        assert_true(k->linear && k->norm && k->gelu && k->residual && k->rotate && k->key_store);
        assert_true(k->key_copy && k->attend && k->max && k->exponentials);
    }
}

static void cpu_and_blas_name_themselves(void **state)
{
    (void)state;
    assert_true(strlen(kernels_cpu()) > 0);
    assert_null(strchr(kernels_cpu(), '\n'));
    if (place("avx512") >= 0) assert_non_null(strstr(kernels_cpu(), "avx512f"));
    if (place("avx2") >= 0) assert_non_null(strstr(kernels_cpu(), "avx2 fma"));
    assert_ptr_equal(strstr(kernels_blas(), "OpenBLAS "), kernels_blas());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_found_by_name),
        cmocka_unit_test(best_comes_first),
        cmocka_unit_test(the_cpu_decides),
        cmocka_unit_test(bf16_has_sets_of_its_own),
        cmocka_unit_test(tiles_are_offered_or_refused),
        cmocka_unit_test(the_environment_does_not_choose),
        cmocka_unit_test(no_operation_is_missing),
        cmocka_unit_test(cpu_and_blas_name_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
