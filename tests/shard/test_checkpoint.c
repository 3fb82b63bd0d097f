#include "crafted.h"

#include <math.h>
#include <unistd.h>

#include "checkpoint.h"

/* The whole of a tensor, to be freed. */
static float *read_all(const checkpoint *c, const char *name)
{
    const tensor *t = checkpoint_find(c, name);
    assert_non_null(t);
    float *out = malloc((size_t)(tensor_rows(t) * tensor_cols(t)) * sizeof *out);
    assert_int_equal(checkpoint_read(c, t, 0, tensor_rows(t), 0, tensor_cols(t), out), DID_OK);
    return out;
}

static double sum_of(const checkpoint *c, const char *name)
{
    const tensor *t = checkpoint_find(c, name);
    float        *all = read_all(c, name);
    double        sum = 0;
    for (int64_t i = 0; i < tensor_rows(t) * tensor_cols(t); i++) sum += all[i];
    free(all);
    return sum;
}

/* The sums and the hash are those of an independent reader of the same file. */
static void reads_the_bundled_model(void **state)
{
    (void)state;
    checkpoint *c;
    assert_int_equal(checkpoint_open(&c, DID_TEST_MODELS "/did-tiny"), DID_OK);
    assert_int_equal(checkpoint_count(c), 73);
    assert_string_equal(checkpoint_tensor(c, 0)->name, "backbone.blocks.0.adaLN_modulation.bias");
    assert_string_equal(checkpoint_tensor(c, 72)->name, "sampling_eps_min");
    assert_null(checkpoint_find(c, "backbone.blocks.6.norm1.weight"));

    const tensor *t = checkpoint_find(c, "backbone.vocab_embed.embedding");
    assert_int_equal(t->type, DTYPE_BF16);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dim[0], 4097);
    assert_int_equal(t->dim[1], 256);
    float corner[2];
    assert_int_equal(checkpoint_read(c, t, 0, 1, 0, 2, corner), DID_OK);
    assert_true(corner[0] == -0.193359375f && corner[1] == -0.10791015625f);
    assert_int_equal(checkpoint_read(c, t, 4096, 1, 255, 1, corner), DID_OK);
    assert_true(corner[0] == -0.0172119140625f);
    assert_true(fabs(sum_of(c, t->name) - -563.6076966651308) < 1e-9);
    assert_true(fabs(sum_of(c, "backbone.blocks.3.attn_qkv.weight") - 36.447569254785776) < 1e-9);
    assert_true(fabs(sum_of(c, "backbone.output_layer.linear.bias") - -751.752965927124) < 1e-9);
    assert_true(fabs(sum_of(c, "backbone.rotary_emb.inv_freq") - 3.997908228135202) < 1e-9);

    t = checkpoint_find(c, "sampling_eps_min");
    assert_int_equal(t->n_dims, 0);
    assert_int_equal(t->type, DTYPE_F32);
    assert_true(sum_of(c, t->name) == 0.001f);

    uint64_t hash;
    assert_int_equal(checkpoint_hash(c, &hash), DID_OK);
    assert_int_equal(hash, UINT64_C(0x7635beb2f1230c50));
    checkpoint_close(&c);
    checkpoint_close(&c);
}

static void reads_integers(void **state)
{
    (void)state;
    checkpoint *c;
    assert_int_equal(checkpoint_open_file(&c, DID_TEST_MODELS "/goldens/bd3_goldens.safetensors"),
                     DID_OK);
    const tensor *t = checkpoint_find(c, "c0.x0");
    int32_t       ids[256];
    assert_int_equal(checkpoint_read_raw(c, t, ids, sizeof ids), DID_OK);
    assert_int_equal(ids[0], 4095);
    crafted_refused(checkpoint_read_raw(c, t, ids, 4), DID_EFORMAT,
                    "bd3_goldens.safetensors: tensor c0.x0: found 1024 bytes, expected 4");
    float one;
    crafted_refused(checkpoint_read(c, t, 0, 1, 0, 1, &one), DID_EFORMAT,
                    "bd3_goldens.safetensors: tensor c0.x0: its type is I32, expected F32, BF16 "
                    "or F16");
    checkpoint_close(&c);
}

/* Element i of a crafted matrix: exact in every format, and unlike its neighbours. */
static float value_of(int64_t i)
{
    return (float)(i % 251 - 125) / 8;
}

static void encode(char *out, int64_t i, dtype type)
{
    float    value = value_of(i);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (type == DTYPE_F32) memcpy(out, &bits, 4);
    if (type == DTYPE_BF16) memcpy(out, (char *)&bits + 2, 2);
    if (type != DTYPE_F16) return;
    uint16_t half = (uint16_t)(bits >> 16 & 0x8000);
    if (value != 0) half |= (uint16_t)(((bits >> 23 & 255) - 112) << 10 | (bits >> 13 & 1023));
    memcpy(out, &half, 2);
}

static void craft_matrix(const char *path, dtype type, int rows, int cols)
{
    size_t width = tensor_dtype_width(type), bytes = (size_t)rows * (size_t)cols * width;
    char  *data = malloc(bytes), header[256];
    for (int64_t i = 0; i < (int64_t)rows * cols; i++) encode(data + (size_t)i * width, i, type);
    sprintf(header, "{\"m\":{\"dtype\":\"%s\",\"shape\":[%d,1,%d],\"data_offsets\":[0,%zu]}}",
            tensor_dtype_name(type), rows, cols, bytes);
    crafted_safetensors(path, header, data, bytes);
    free(data);
}

/* The buffer is as long as the slice, so the sanitizer sees a byte too many. */
static void expect_slice(const checkpoint *c, const tensor *t, int64_t row0, int64_t rows,
                         int64_t col0, int64_t cols)
{
    float *out = malloc((size_t)(rows * cols) * sizeof *out);
    assert_int_equal(checkpoint_read(c, t, row0, rows, col0, cols, out), DID_OK);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = 0; k < cols; k++) {
            float expected = value_of((row0 + r) * tensor_cols(t) + col0 + k);
            if (out[r * cols + k] != expected)
                fail_msg("%s [%d,%d] is %g, expected %g", tensor_dtype_name(t->type),
                         (int)(row0 + r), (int)(col0 + k), out[r * cols + k], expected);
        }
    }
    free(out);
}

/* Narrow rows are read many at once, wide ones one by one, whole ones in one piece. */
static void slices_are_cut_from_the_whole(void **state)
{
    static const int   sizes[][2] = {{1, 1}, {7, 3}, {64, 96}, {700, 100}, {9, 2500}, {3, 40000}};
    static const dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    char *path = crafted_path(*state, "matrix.safetensors");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            int rows = sizes[s][0], cols = sizes[s][1];
            craft_matrix(path, types[k], rows, cols);
            checkpoint *c;
            assert_int_equal(checkpoint_open_file(&c, path), DID_OK);
            const tensor *t = checkpoint_find(c, "m");
            expect_slice(c, t, 0, rows, 0, cols);
            expect_slice(c, t, rows / 2, rows - rows / 2, 0, cols);
            for (int part = 0; part < 3; part++) {
                int from = cols * part / 3, to = cols * (part + 1) / 3;
                expect_slice(c, t, 0, rows, from, to - from);
                expect_slice(c, t, rows / 3, rows - rows / 3, from, to - from);
            }
            expect_slice(c, t, 0, rows, 0, cols - 1);
            expect_slice(c, t, rows - 1, 1, cols - 1, 1);
            expect_slice(c, t, 0, rows, cols - 1, 1);
            expect_slice(c, t, rows, 0, 0, cols);
            checkpoint_close(&c);
        }
    }
    free(path);
}

static void says_when_a_file_is_cut_in_use(void **state)
{
    char *path = crafted_path(*state, "cut.safetensors");
    craft_matrix(path, DTYPE_BF16, 10, 10);
    checkpoint *c;
    assert_int_equal(checkpoint_open_file(&c, path), DID_OK);
    assert_int_equal(truncate(path, 100), 0);
    float    out[100];
    uint64_t hash;
    crafted_refused(checkpoint_read(c, checkpoint_tensor(c, 0), 0, 10, 0, 10, out), DID_EIO,
                    "tensor m: /|/cut.safetensors: the file ends at byte 100");
    crafted_refused(checkpoint_read(c, checkpoint_tensor(c, 0), 0, 10, 0, 9, out), DID_EIO,
                    "tensor m: /|/cut.safetensors: the file ends at byte 100");
    crafted_refused(checkpoint_hash(c, &hash), DID_EIO, "/cut.safetensors: the file ends at");
    checkpoint_close(&c);
    free(path);
}

/* A checkpoint in a directory of its own: an index (or none), and files given as name, header,
 * data. */
typedef struct part {
    const char *name, *header, *data;
} part;

static char *craft_directory(const char *parent, const char *index, const part *parts, int n)
{
    char *dir = crafted_path(parent, "split-XXXXXX");
    assert_non_null(mkdtemp(dir));
    if (index) {
        char *path = crafted_path(dir, "model.safetensors.index.json");
        crafted_write(path, index, strlen(index));
        free(path);
    }
    for (int i = 0; i < n; i++) {
        char *path = crafted_path(dir, parts[i].name);
        crafted_safetensors(path, parts[i].header, parts[i].data, strlen(parts[i].data));
        free(path);
    }
    return dir;
}

static status open_directory(checkpoint **c, const char *parent, const char *index,
                             const part *parts, int n)
{
    char  *dir = craft_directory(parent, index, parts, n);
    status all = checkpoint_open(c, dir);
    free(dir);
    return all;
}

#define A "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}"
#define B "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}"
#define B_AFTER "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]}"
static const part two_files[] = {{"1.st", "{" A "}", "AAAA"}, {"2.st", "{" B "}", "bb"}};
static const char two_index[] = "{\"weight_map\":{\"b\":\"2.st\",\"a\":\"1.st\"}}";

static void opens_several_files(void **state)
{
    checkpoint *c;
    char        bytes[4];
    assert_int_equal(open_directory(&c, *state, two_index, two_files, 2), DID_OK);
    assert_int_equal(checkpoint_count(c), 2);
    assert_int_equal(checkpoint_read_raw(c, checkpoint_find(c, "a"), bytes, 4), DID_OK);
    assert_memory_equal(bytes, "AAAA", 4);
    assert_int_equal(checkpoint_read_raw(c, checkpoint_find(c, "b"), bytes, 2), DID_OK);
    assert_memory_equal(bytes, "bb", 2);
    checkpoint_close(&c);

    /* Beside a single file an index is not asked. */
    part single = {"model.safetensors", "{" B "}", "bb"};
    assert_int_equal(open_directory(&c, *state, two_index, &single, 1), DID_OK);
    assert_int_equal(checkpoint_count(c), 1);
    checkpoint_close(&c);
}

static void refuses_directories(void **state)
{
    static const part twice[] = {{"1.st", "{" A "}", "AAAA"},
                                 {"2.st", "{\"_orig_mod.a\":{\"dtype\":\"U8\",\"shape\":[2],"
                                          "\"data_offsets\":[0,2]}," "\"b\":{\"dtype\":\"U8\","
                                          "\"shape\":[1],\"data_offsets\":[2,3]}}", "aab"}};
    static const part bad = {"model.safetensors", "{" A "}", "AAA"};
    static const part both = {"model.safetensors",
                              "{" A ",\"_orig_mod.a\":{\"dtype\":\"U8\",\"shape\":[1],"
                              "\"data_offsets\":[4,5]}}", "AAAAa"};
    const struct {
        const char *index;
        const part *parts;
        int         n;
        status      code;
        const char *says;
    } wrong[] = {
        {NULL, NULL, 0, DID_EIO,
         "found neither model.safetensors nor model.safetensors.index.json"},
        {"{", NULL, 0, DID_EFORMAT, "/model.safetensors.index.json: not JSON"},
        {two_index, two_files, 1, DID_EIO, "/2.st: cannot open: No such file"},
        {"{\"weight_map\":{\"a\":\"1.st\"}}", &(part){"1.st", "{" A "," B_AFTER "}", "AAAAbb"}, 1,
         DID_EFORMAT, "/1.st: tensor b: found in the file, expected also in /|index.json"},
        {"{\"weight_map\":{\"a\":\"1.st\",\"b\":\"1.st\"}}", two_files, 1, DID_EFORMAT,
         "/model.safetensors.index.json: tensor b: expected in 1.st, found in no file"},
        {"{\"weight_map\":{\"a\":\"2.st\",\"b\":\"1.st\"}}", two_files, 2, DID_EFORMAT,
         "/model.safetensors.index.json: tensor a: expected in 2.st, found in 1.st"},
        {"{\"weight_map\":{\"A\":\"1.st\",\"b\":\"2.st\"}}", two_files, 2, DID_EFORMAT,
         "/model.safetensors.index.json: tensor A: expected in 1.st, found in no file"},
        {two_index, twice, 2, DID_EFORMAT, ".st: tensor a: found also in /|.st (|expected once"},
        {NULL, &bad, 1, DID_EFORMAT,
         "/model.safetensors: tensor a: data_offsets end at 4|the 3 bytes"},
        {NULL, &both, 1, DID_EFORMAT,
         "/model.safetensors: tensor a: found also in /|expected once"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        checkpoint *c;
        crafted_refused(open_directory(&c, *state, wrong[i].index, wrong[i].parts, wrong[i].n),
                        wrong[i].code, wrong[i].says);
        assert_null(c);
    }
}

static uint64_t hash_of(const char *parent, const char *index, const part *parts, int n)
{
    checkpoint *c;
    uint64_t    hash;
    assert_int_equal(open_directory(&c, parent, index, parts, n), DID_OK);
    assert_int_equal(checkpoint_hash(c, &hash), DID_OK);
    checkpoint_close(&c);
    return hash;
}

/* The same model, whatever the files; another one, whatever the difference. */
static void hashes_the_model(void **state)
{
    static const part model[] = {
        {"model.safetensors", "{" A "," B_AFTER "}", "AAAAbb"},
        {"model.safetensors",
         "{" B ",\"_orig_mod.a\":{\"data_offsets\":[2,6],\"shape\":[4],"
         "\"dtype\":\"U8\"}}",
         "bbAAAA"},
        {"model.safetensors", "{" A "," B_AFTER "}", "AAABbb"},
        {"model.safetensors",
         "{" A ",\"c\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]}}", "AAAAbb"},
        {"model.safetensors",
         "{" B_AFTER ",\"a\":{\"dtype\":\"U8\",\"shape\":[2,2],"
         "\"data_offsets\":[0,4]}}",
         "AAAAbb"},
        {"model.safetensors",
         "{" B_AFTER ",\"a\":{\"dtype\":\"I32\",\"shape\":[1],"
         "\"data_offsets\":[0,4]}}",
         "AAAAbb"},
        {"model.safetensors", "{" A "}", "AAAA"},
    };
    uint64_t hash = hash_of(*state, NULL, &model[0], 1);
    assert_int_equal(hash_of(*state, two_index, two_files, 2), hash);
    assert_int_equal(hash_of(*state, NULL, &model[1], 1), hash);
    for (size_t i = 2; i < sizeof model / sizeof *model; i++)
        assert_int_not_equal(hash_of(*state, NULL, &model[i], 1), hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_bundled_model),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(slices_are_cut_from_the_whole),
        cmocka_unit_test(says_when_a_file_is_cut_in_use),
        cmocka_unit_test(opens_several_files),
        cmocka_unit_test(refuses_directories),
        cmocka_unit_test(hashes_the_model),
    };
    return cmocka_run_group_tests(tests, crafted_begin, crafted_end);
}
