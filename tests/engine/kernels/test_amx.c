/* The set "amx": the real one where this CPU has it, and everywhere its very lines over tiles of
 * plain C, so that packing, ragged edges and the law of rows are seen to hold on any machine. */
#include "amx_emulated.h"
#include "laws_bf16.h"
#include "trial.h"

static kernels emulated;

/* ---- the emulation itself ------------------------------------------------------------------- */

/* The sum of one place after one instruction over pairs of k, everything else being 0. */
static float one_dot(float sum, const float pairs[][4], int n)
{
    float    sums[16 * 16] = {0};
    uint16_t left[16 * 32] = {0}, right[16 * 32] = {0};
    sums[0] = sum;
    for (int i = 0; i < n; i++)
        for (int odd = 0; odd < 2; odd++) {
            left[2 * i + odd] = half_round(pairs[i][odd]);
            right[32 * i + odd] = half_round(pairs[i][2 + odd]);
        }
    amx_emulated_dot(sums, left, right, 16);
    for (int i = 1; i < 16 * 16; i++)
        assert_true(sums[i] == 0);
    return sums[0];
}

/* 2^24 + 1 is 2^24 again: which sum is made first shows in the bits. */
static void a_dot_adds_in_the_manuals_order(void **state)
{
    (void)state;
    static const float apart[][4] = {{0x1p24f, 1, 1, 1}, {-0x1p24f, 1, 1, 1}};
    assert_true(one_dot(0, apart, 2) == 2);  /* even places alone, odd places alone */
    static const float inner[][4] = {{1, 0, 1, 0}, {1, 0, 1, 0}};
    assert_true(one_dot(0x1p24f, inner, 2) == 0x1p24f + 2);  /* the sum comes last */
    static const float late[][4] = {{1, 0x1p24f, 1, 1}, {0, -0x1p24f, 0, 1}};
    assert_true(one_dot(0, late, 2) == 1);
}

static void a_dot_has_no_denormals(void **state)
{
    (void)state;
    static const float in[][4] = {{0x1p-130f, 0, 0x1p100f, 0}};
    assert_true(one_dot(0, in, 1) == 0);
    static const float out[][4] = {{0x1p-70f, 0, 0x1p-70f, 0}};
    assert_true(one_dot(0, out, 1) == 0);
    static const float fine[][4] = {{0x1p-60f, 0, 0x1p-60f, 0}};
    assert_true(one_dot(0, fine, 1) == 0x1p-120f);
    assert_true(one_dot(0x1p-130f, fine, 1) == 0x1p-120f);
}

static void a_dot_knows_its_rows(void **state)
{
    (void)state;
    float    sums[16 * 16] = {0};
    uint16_t left[16 * 32], right[16 * 32];
    for (int i = 0; i < 16 * 32; i++)
        left[i] = right[i] = half_round(1);
    amx_emulated_dot(sums, left, right, 5);
    for (int i = 0; i < 16 * 16; i++)
        assert_true(sums[i] == (i < 5 * 16 ? 32 : 0));
}

/* ---- the trial ------------------------------------------------------------------------------ */

static void refused(const kernels *bad, const char *because)
{
    char why[128];
    assert_false(trial_passes(bad, kernels_of(PRECISION_BF16, "ref"), why, sizeof why));
    if (!strstr(why, because)) fail_msg("\"%s\" does not speak of \"%s\"", why, because);
}

static void packed_short(void *out, const void *a, const void *w, const float *bias, int rows,
                         int n, int from, int to, int k, epilogue e)
{
    emulated.linear_packed(out, a, w, bias, rows, n, from, to, k, e);
    if (to == n && e == EPILOGUE_STORE) ((float *)out)[(size_t)rows * n - 1] -= 0.01f;
}

static void packed_plain(void *out, const void *a, const void *w, const float *bias, int rows,
                         int n, int from, int to, int k, epilogue e)
{
    emulated.linear_packed(out, a, w, e == EPILOGUE_GELU ? NULL : bias, rows, n, from, to, k, e);
}

static void packed_over(void *out, const void *a, const void *w, const float *bias, int rows,
                        int n, int from, int to, int k, epilogue e)
{
    emulated.linear_packed(out, a, w, bias, rows, n, from, to, k,
                           e == EPILOGUE_ADD ? EPILOGUE_STORE : e);
}

static void attend_blind(float *out, int out_stride, const float *q, int q_stride, int rows,
                         const key_tiles *all, int head_size)
{
    key_tiles fewer = *all;
    fewer.to -= 20;
    emulated.attend(out, out_stride, q, q_stride, rows, &fewer, head_size);
}

static void a_trial_sees_what_is_wrong(void **state)
{
    (void)state;
    char    why[128];
    kernels bad = emulated;
    if (!trial_passes(&emulated, kernels_of(PRECISION_BF16, "ref"), why, sizeof why))
        fail_msg("%s", why);
    bad.linear_packed = packed_short;
    refused(&bad, "of a product is");
    bad.linear_packed = packed_plain;
    refused(&bad, "of a product's gelu is");
    bad.linear_packed = packed_over;
    refused(&bad, "of a product added is");
    bad        = emulated;
    bad.attend = attend_blind;
    refused(&bad, "of attention is");
    bad         = emulated;
    bad.columns = 16; /* packed in another order than it is read */
    refused(&bad, "of a product is");
}

static void every_other_set_passes_it_too(void **state)
{
    (void)state;
    for (const char *const *name = kernels_names(PRECISION_BF16); *name; name++) {
        char why[128];
        if (!trial_passes(kernels_of(PRECISION_BF16, *name), kernels_of(PRECISION_BF16, "ref"), why,
                          sizeof why))
            fail_msg("%s: %s", *name, why);
    }
}

/* ---- products larger than one piece of a weight ---------------------------------------------- */

static void pieces_of_a_weight_fit_together(void **state)
{
    (void)state;
    static const int SHAPES[][2] = {{290, 800}, {40, 1200}, {257, 390}, {513, 33}};
    for (int i = 0; i < COUNT(SHAPES); i++) {
        product_agrees(SHAPES[i][0], SHAPES[i][1], 70, true);
        product_agrees(SHAPES[i][0], SHAPES[i][1], 201, false);
    }
}

/* Up to 32 rows read the weight in another order than more of them do. */
static void few_rows_are_those_of_many(void **state)
{
    (void)state;
    int         mark = guard_mark();
    bench       b = bench_make(set, 290, 800, 200, true);
    const char *all = multiply(set, &b, 0, 200, EPILOGUE_STORE);
    size_t      row = 290 * sizeof(float);
    static const int HEIGHTS[] = {1, 15, 16, 17, 31, 32, 33, 48, 64, 100};
    for (int h = 0; h < COUNT(HEIGHTS); h++)
        assert_memory_equal(all + 77 * row, multiply(set, &b, 77, HEIGHTS[h], EPILOGUE_STORE),
                            (size_t)HEIGHTS[h] * row);
    guard_clear(mark);
}

static const struct CMUnitTest OWN[] = {
    cmocka_unit_test(a_dot_adds_in_the_manuals_order),
    cmocka_unit_test(a_dot_has_no_denormals),
    cmocka_unit_test(a_dot_knows_its_rows),
    cmocka_unit_test(a_trial_sees_what_is_wrong),
    cmocka_unit_test(every_other_set_passes_it_too),
    cmocka_unit_test(pieces_of_a_weight_fit_together),
    cmocka_unit_test(few_rows_are_those_of_many),
};

int main(void)
{
    int failed = laws_run_bf16("amx");
    if (!kernels_of(PRECISION_BF16, "avx512bf16")) {
        printf("skipped: emulated tiles need AVX512_BF16 beside them (%s)\n", kernels_cpu());
        return failed;
    }
    emulated      = *kernels_of(PRECISION_BF16, "avx512");
    emulated.name = "amx, emulated";
    amx_emulated_fill(&emulated);
    failed += laws_run_bf16_on(&emulated);
    return failed + cmocka_run_group_tests_name("amx, emulated", OWN, NULL, NULL);
}
