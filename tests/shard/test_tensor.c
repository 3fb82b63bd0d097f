#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crafted.h"
#include "tensor.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* All 65536 halves against the definition of the format. */
static void every_f16(void **state)
{
    (void)state;
    enum { N = 65536 };
    float    *out = malloc(N * sizeof *out);
    uint16_t *raw = (uint16_t *)(out + N) - N;  /* as reading does: the end of the same buffer */
    for (int i = 0; i < N; i++) raw[i] = (uint16_t)i;
    tensor_widen(out, raw, DTYPE_F16, N);
    for (int i = 0; i < N; i++) {
        int sign = i >> 15, exponent = i >> 10 & 31, fraction = i & 1023;
        if (exponent == 31 && fraction != 0) {
            assert_true(isnan(out[i]));
            continue;
        }
        double size = exponent == 31  ? INFINITY
                      : exponent == 0 ? ldexp(fraction, -24)
                                      : ldexp(1024 + fraction, exponent - 25);
        assert_int_equal(bits_of(out[i]), bits_of((float)(sign ? -size : size)));
    }
    free(out);
}

static void known_f16(void **state)
{
    (void)state;
    const uint16_t raw[] = {0x3c00, 0xc000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x8000, 0x3555};
    const float expected[] = {1, -2, 0x1p-24f, 0x3ffp-24f, 0x1p-14f, 65504, -0.0f, 0x1.554p-2f};
    float out[8];
    tensor_widen(out, raw, DTYPE_F16, 8);
    for (int i = 0; i < 8; i++) assert_int_equal(bits_of(out[i]), bits_of(expected[i]));
}

/* bf16 is the upper half of an f32, NaN payloads and all. */
static void every_bf16(void **state)
{
    (void)state;
    enum { N = 65536 };
    float    *out = malloc(N * sizeof *out);
    uint16_t *raw = (uint16_t *)(out + N) - N;
    for (int i = 0; i < N; i++) raw[i] = (uint16_t)i;
    tensor_widen(out, raw, DTYPE_BF16, N);
    for (int i = 0; i < N; i++) assert_int_equal(bits_of(out[i]), (uint32_t)i << 16);
    assert_true(out[0x3f80] == 1 && out[0xc040] == -3);
    free(out);
}

static void f32_is_copied(void **state)
{
    (void)state;
    const float raw[] = {1.5f, -0.0f, INFINITY};
    float       out[3];
    tensor_widen(out, raw, DTYPE_F32, 3);
    assert_memory_equal(out, raw, sizeof raw);
}

static void formats(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        dtype       type;
        size_t      width;
        bool        widens;
    } known[] = {{"F32", DTYPE_F32, 4, true},  {"BF16", DTYPE_BF16, 2, true},
                 {"F16", DTYPE_F16, 2, true},  {"I32", DTYPE_I32, 4, false},
                 {"U8", DTYPE_U8, 1, false},   {"I64", DTYPE_I64, 8, false},
                 {"F64", DTYPE_F64, 8, false}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        dtype type;
        assert_true(tensor_dtype_find(&type, known[i].name));
        assert_int_equal(type, known[i].type);
        assert_string_equal(tensor_dtype_name(type), known[i].name);
        assert_int_equal(tensor_dtype_width(type), known[i].width);
        assert_int_equal(tensor_dtype_widens(type), known[i].widens);
    }
    dtype none;
    assert_false(tensor_dtype_find(&none, "f32"));
    assert_false(tensor_dtype_find(&none, ""));
}

static void shapes(void **state)
{
    (void)state;
    const tensor scalar = {.type = DTYPE_F32};
    const tensor vector = {.type = DTYPE_BF16, .n_dims = 1, .dim = {5}};
    const tensor cube = {.type = DTYPE_I64, .n_dims = 3, .dim = {2, 3, 4}};
    const tensor empty = {.type = DTYPE_F32, .n_dims = 2, .dim = {7, 0}};
    const tensor huge = {.type = DTYPE_U8, .n_dims = 2, .dim = {INT64_MAX, 1}};
    const tensor over = {
        .type = DTYPE_F16, .n_dims = 2, .dim = {INT64_C(1) << 31, INT64_C(1) << 31}};
    const tensor beyond = {
        .type = DTYPE_F16, .n_dims = 2, .dim = {INT64_C(1) << 32, INT64_C(1) << 30}};
    const tensor masked = {.type = DTYPE_U8, .n_dims = 3, .dim = {0, INT64_MAX, 2}};
    assert_true(tensor_rows(&scalar) == 1 && tensor_cols(&scalar) == 1 &&
                tensor_bytes(&scalar) == 4);
    assert_true(tensor_rows(&vector) == 1 && tensor_cols(&vector) == 5 &&
                tensor_bytes(&vector) == 10);
    assert_true(tensor_rows(&cube) == 2 && tensor_cols(&cube) == 12 && tensor_bytes(&cube) == 192);
    assert_true(tensor_rows(&empty) == 7 && tensor_cols(&empty) == 0 && tensor_bytes(&empty) == 0);
    assert_true(tensor_bytes(&huge) == INT64_MAX);
    assert_true(tensor_bytes(&over) == -1 && tensor_bytes(&beyond) == -1);
    assert_true(tensor_bytes(&masked) == -1);
}

static void expect_name(const char *key, const char *expected)
{
    char *name;
    assert_int_equal(tensor_name_read(&name, key, "file"), DID_OK);
    assert_string_equal(name, expected);
    free(name);
}

static void names(void **state)
{
    (void)state;
    expect_name("a", "a");
    expect_name("_orig_mod.a.b", "a.b");
    expect_name("backbone._orig_mod.blocks.0._orig_mod._orig_mod.w", "backbone.blocks.0.w");
    expect_name("my_orig_mod.w", "my_orig_mod.w");
    expect_name("a._orig_mod", "a._orig_mod");

    char longest[257];
    memset(longest, 'n', 256);
    longest[255] = '\0';
    expect_name(longest, longest);

    char *name;
    longest[255] = 'n', longest[256] = '\0';
    crafted_refused(tensor_name_read(&name, longest, "file"), DID_EFORMAT, "file: |nnnn|1 to 255");
    crafted_refused(tensor_name_read(&name, "", "file"), DID_EFORMAT,
                    "file: tensor \"\":|1 to 255");
    crafted_refused(tensor_name_read(&name, "_orig_mod.", "file"), DID_EFORMAT, "\"_orig_mod.\"");
    crafted_refused(tensor_name_read(&name, "a\nb", "file"), DID_EFORMAT, "tensor \"a\\nb\"");
    crafted_refused(tensor_name_read(&name, "a b", "file"), DID_EFORMAT, "tensor \"a b\"");
    crafted_refused(tensor_name_read(&name, "gr\xc3\xbc\xc3\x9f" "e", "file"), DID_EFORMAT,
                    "gr\\u00FC\\u00DFe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16),     cmocka_unit_test(known_f16), cmocka_unit_test(every_bf16),
        cmocka_unit_test(f32_is_copied), cmocka_unit_test(formats),   cmocka_unit_test(shapes),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
