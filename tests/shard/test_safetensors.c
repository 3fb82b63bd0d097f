#include "crafted.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "safetensors.h"

/* Data enough for every header below. */
static const unsigned char data[64] = {0, 1, 2, 3, 4, 5, 6, 7};

static status open_crafted(safetensors *f, const char *dir, const char *header, size_t data_size)
{
    char *path = crafted_path(dir, "bad.safetensors");
    crafted_safetensors(path, header, data, data_size);
    status all = safetensors_open(f, path);
    free(path);
    return all;
}

#define ONE(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* White space, a __metadata__, data in another order than the header, a tensor without
 * a single element, a scalar: all of it is allowed. */
static void opens_what_is_right(void **state)
{
    const char *header = "{ \"__metadata__\": {\"format\": \"pt\"}, "
                         ONE("late", "\"F16\"", " [2,3]", "[4,16]") ",\n"
                         ONE("none", "\"I64\"", " [0,9]", "[4,4]") ",\n"
                         "\"_orig_mod.first\": {\"data_offsets\":[0,4],\"dtype\":\"F32\","
                         "\"shape\":[]}}   ";
    safetensors f;
    assert_int_equal(open_crafted(&f, *state, header, 16), DID_OK);
    assert_int_equal(f.n, 3);
    assert_string_equal(f.at[0].what.name, "first");
    assert_int_equal(f.at[0].what.n_dims, 0);
    assert_string_equal(f.at[1].what.name, "none");
    assert_string_equal(f.at[2].what.name, "late");
    assert_int_equal(f.at[2].what.type, DTYPE_F16);
    assert_int_equal(f.at[2].what.dim[1], 3);

    unsigned char bytes[5];
    assert_int_equal(safetensors_read(&f.at[2], 1, bytes, 3), DID_OK);
    assert_memory_equal(bytes, data + 5, 3);
    safetensors_close(&f);
    safetensors_close(&f);
}

/* header, bytes of data, what the sentence says besides the file's name */
static void reads_a_file_in_memory(void **state)
{
    (void)state;
    size_t      size;
    char       *bytes = crafted_bytes("{" ONE("a", "\"U8\"", "[3]", "[0,3]") ","
                                      ONE("b", "\"U8\"", "[5]", "[3,8]") "}",
                                      data, 8, &size), got[4];
    safetensors f;
    assert_int_equal(safetensors_open_bytes(&f, bytes, size, "memory"), DID_OK);
    assert_int_equal(f.n, 2);
    assert_int_equal(safetensors_read(&f.at[1], 1, got, sizeof got), DID_OK);
    assert_memory_equal(got, data + 4, sizeof got);
    safetensors_close(&f);
    assert_null(f.at);
    crafted_refused(safetensors_open_bytes(&f, bytes, size - 1, "memory"), DID_EFORMAT,
                    "memory: tensor b: data_offsets end at 8|it was cut short");
    assert_null(f.at);
    free(bytes);
}

static const struct {
    const char *header;
    size_t      data_size;
    const char *says;
} wrong[] = {
    {"{\"a\":", 0, "not JSON|'{\"a\":'"},
    {"{" ONE("a", "\"F32\"", "[1]", "[0,4]") "} x", 4, "not JSON|end of file expected"},
    {" {" ONE("a", "\"F32\"", "[1]", "[0,4]") "}", 4, "begins with byte 0x20, expected '{'"},
    {"[1]", 0, "begins with byte 0x5b, expected '{'"},
    {"{}", 0, "holds no tensor, expected at least one"},
    {"{\"__metadata__\":{}}", 0, "holds no tensor, expected at least one"},
    {"{\"__metadata__\":[]," ONE("a", "\"U8\"", "[1]", "[0,1]") "}", 1,
     "__metadata__ is [], expected an object"},
    {"{\"__metadata__\":{\"k\":7}," ONE("a", "\"U8\"", "[1]", "[0,1]") "}", 1,
     "__metadata__ holds 7, expected text"},
    {"{" ONE("a", "\"U8\"", "[1]", "[0,1]") "," ONE("a", "\"U8\"", "[1]", "[1,2]") "}", 2,
     "duplicate object key|\"a\""},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "duplicate object key|\"a\":{\"dtype\""},
    {"{\"a\":[\"U8\",[1],[0,1]]}", 1,
     "tensor a: the entry is [\"U8\",[1],[0,1]], expected an object"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":0}}", 1,
     "tensor a: the entry is|\"x\":0|expected dtype, shape and data_offsets alone"},
    {"{" ONE("", "\"U8\"", "[1]", "[0,1]") "}", 1,
     "tensor \"\": this is no name, expected 1 to 255"},
    {"{" ONE("a\\tb", "\"U8\"", "[1]", "[0,1]") "}", 1,
     "tensor \"a\\tb\": this is no name, expected"},
    {"{" ONE("a\\u0000b", "\"U8\"", "[1]", "[0,1]") "}", 1, "not JSON"},
    {"{" ONE("a\xc3", "\"U8\"", "[1]", "[0,1]") "}", 1, "not JSON"},
    {"{" ONE("a", "\"F8_E4M3\"", "[1]", "[0,1]") "}", 1,
     "tensor a: dtype is \"F8_E4M3\", expected F32, BF16, F16, I32, U8, I64 or F64"},
    {"{" ONE("a", "4", "[1]", "[0,1]") "}", 1, "tensor a: dtype is 4, expected F32"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "tensor a: dtype is missing, expected F32"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1,
     "tensor a: shape is missing, expected an array"},
    {"{" ONE("a", "\"U8\"", "1", "[0,1]") "}", 1, "tensor a: shape is 1, expected an array"},
    {"{" ONE("a", "\"U8\"", "[1,1,1,1,1]", "[0,1]") "}", 1,
     "tensor a: shape is [1,1,1,1,1], expected an array of at most 4"},
    {"{" ONE("a", "\"U8\"", "[-1]", "[0,1]") "}", 1,
     "tensor a: shape is [-1], expected dimensions"},
    {"{" ONE("a", "\"U8\"", "[1.0]", "[0,1]") "}", 1,
     "tensor a: shape is [1.0], expected dimensions"},
    {"{" ONE("a", "\"U8\"", "[\"1\"]", "[0,1]") "}", 1,
     "tensor a: shape is [\"1\"], expected dimensions"},
    {"{" ONE("a", "\"F32\"", "[4611686018427387904,4]", "[0,0]") "}", 0,
     "tensor a: shape is [4611686018427387904,4], expected a size in bytes below 2^63"},
    {"{" ONE("a", "\"U8\"", "[0,4294967296,4294967296]", "[0,0]") "}", 0,
     "tensor a: shape is [0,4294967296,4294967296], expected a size"},
    {"{" ONE("a", "\"U8\"", "[9223372036854775808]", "[0,0]") "}", 0, "not JSON: too big integer"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1,
     "tensor a: data_offsets is missing, expected [begin"},
    {"{" ONE("a", "\"U8\"", "[1]", "[0]") "}", 1,
     "tensor a: data_offsets is [0], expected [begin, end]"},
    {"{" ONE("a", "\"U8\"", "[1]", "[0,1,1]") "}", 1,
     "tensor a: data_offsets is [0,1,1], expected"},
    {"{" ONE("a", "\"U8\"", "[1]", "[-1,0]") "}", 1, "tensor a: data_offsets is [-1,0], expected"},
    {"{" ONE("a", "\"U8\"", "[1]", "[0,1.0]") "}", 1,
     "tensor a: data_offsets is [0,1.0], expected"},
    {"{" ONE("a", "\"U8\"", "[1]", "[1,0]") "}", 1,
     "data_offsets is [1,0], expected begin <= end"},
    {"{" ONE("a", "\"U8\"", "[1]", "[0,9223372036854775807]") "}", 1,
     "tensor a: data_offsets [0,9223372036854775807] hold 9223372036854775807 bytes, expected 1"},
    {"{" ONE("a", "\"F32\"", "[2,3]", "[0,12]") "}", 12,
     "tensor a: data_offsets [0,12] hold 12 bytes, expected 24 for its F32 shape"},
    {"{" ONE("a", "\"U8\"", "[8]", "[0,8]") "," ONE("b", "\"U8\"", "[8]", "[4,12]") "}", 12,
     "tensor b: begins at byte 4 of the data, expected 8: it overlaps a"},
    {"{" ONE("a", "\"U8\"", "[8]", "[0,8]") "," ONE("b", "\"U8\"", "[8]", "[0,8]") "}", 8,
     "begins at byte 0 of the data, expected 8: it overlaps"},
    {"{" ONE("a", "\"U8\"", "[4]", "[0,4]") "," ONE("b", "\"U8\"", "[4]", "[6,10]") "}", 10,
     "tensor b: begins at byte 6 of the data, expected 4: a hole before it"},
    {"{" ONE("a", "\"U8\"", "[4]", "[1,5]") "}", 5,
     "tensor a: begins at byte 1 of the data, expected 0: a hole before it"},
    {"{" ONE("a", "\"U8\"", "[4]", "[0,4]") "," ONE("b", "\"F32\"", "[4]", "[4,20]") "}", 19,
     "tensor b: data_offsets end at 20, expected at most the 19 bytes|cut short"},
    {"{" ONE("a", "\"U8\"", "[4]", "[0,4]") "}", 5,
     "tensor a: the last one ends at byte 4 of the data, expected 5|belong to no tensor"},
    {"{" ONE("a", "\"U8\"", "[0]", "[0,0]") "}", 5,
     "tensor a: the last one ends at byte 0 of the data, expected 5|belong to no tensor"},
};

static void refuses_headers(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        safetensors f;
        status      found = open_crafted(&f, *state, wrong[i].header, wrong[i].data_size);
        crafted_refused(found, DID_EFORMAT, "/bad.safetensors: ");
        crafted_refused(found, DID_EFORMAT, wrong[i].says);
        assert_null(f.path);
        assert_int_equal(f.n, 0);
    }
}

static void refuses_lengths(void **state)
{
    static const struct {
        uint64_t    claimed;
        size_t      size;
        const char *says;
    } lengths[] = {
        {0, 0, "has 0 bytes, expected at least 8"},
        {0, 7, "has 7 bytes, expected at least 8"},
        {0, 8, "has an empty header, expected '{'"},
        {1, 8, "claims a header of 1 bytes, expected at most the 0 that follow: it was cut short"},
        {50, 57, "claims a header of 50 bytes, expected at most the 49 that follow"},
        {100000001, 100000020, "claims a header of 100000001 bytes, expected at most 100000000"},
        {UINT64_MAX, 64,
         "claims a header of 18446744073709551615 bytes, expected at most 100000000"},
        {UINT64_C(1) << 63, 64, "claims a header of 9223372036854775808 bytes, expected at most"},
    };
    char *path = crafted_path(*state, "short.safetensors");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        crafted_write(path, &lengths[i].claimed, 8);
        assert_int_equal(truncate(path, (off_t)lengths[i].size), 0);
        safetensors f;
        status      found = safetensors_open(&f, path);
        crafted_refused(found, DID_EFORMAT, "/short.safetensors: ");
        crafted_refused(found, DID_EFORMAT, lengths[i].says);
    }
    assert_int_equal(remove(path), 0);
    free(path);
}

static void refuses_what_is_no_file(void **state)
{
    safetensors f;
    crafted_refused(safetensors_open(&f, *state), DID_EIO, *state);
    crafted_refused(safetensors_open(&f, *state), DID_EIO, "is not a regular file");
    char *path = crafted_path(*state, "absent.safetensors");
    crafted_refused(safetensors_open(&f, path), DID_EIO,
                    "/absent.safetensors: cannot open: No such file or directory");
    assert_int_equal(mkfifo(path, 0600), 0);
    crafted_refused(safetensors_open(&f, path), DID_EIO,
                    "/absent.safetensors: is not a regular file");
    free(path);
}

static void says_when_a_file_is_cut_in_use(void **state)
{
    safetensors f;
    const char *header = "{" ONE("a", "\"U8\"", "[40]", "[0,40]") "}";
    assert_int_equal(open_crafted(&f, *state, header, 40), DID_OK);
    int64_t begin = f.at[0].first;
    assert_int_equal(truncate(f.path, begin + 30), 0);
    unsigned char bytes[40];
    assert_int_equal(safetensors_read(&f.at[0], 0, bytes, 30), DID_OK);
    assert_memory_equal(bytes, data, 30);
    crafted_refused(safetensors_read(&f.at[0], 0, bytes, 40), DID_EIO,
                    "tensor a: /|/bad.safetensors: the file ends at byte|expected 40 bytes from "
                    "byte");
    safetensors_close(&f);
}

/* Mutations: whatever becomes of a small file, it is refused in a sentence, or what was opened
 * holds together. */

static uint64_t random_state;

static size_t random_below(size_t n)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;  /* splitmix64: the same run everywhere */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((z ^ z >> 31) % n);
}

typedef struct blob {
    unsigned char bytes[1024];
    size_t        size;
} blob;

static void flip(blob *b)
{
    if (b->size) b->bytes[random_below(b->size)] ^= (unsigned char)(1u << random_below(8));
}

static void shorten(blob *b)
{
    b->size = random_below(b->size + 1);
}

static void insert(blob *b)
{
    size_t n = 1 + random_below(8), at = random_below(b->size + 1);
    if (b->size + n > sizeof b->bytes) return;
    memmove(b->bytes + at + n, b->bytes + at, b->size - at);
    for (size_t i = 0; i < n; i++) b->bytes[at + i] = (unsigned char)random_below(256);
    b->size += n;
}

static void cut_out(blob *b)
{
    size_t at = random_below(b->size + 1), n = random_below(8);
    if (n > b->size - at) n = b->size - at;
    memmove(b->bytes + at, b->bytes + at + n, b->size - at - n);
    b->size -= n;
}

/* Another digit in the header: still JSON, with other shapes and offsets. */
static void miscount(blob *b)
{
    for (int tries = 0; b->size && tries < 200; tries++) {
        unsigned char *at = &b->bytes[random_below(b->size)];
        if (*at < '0' || *at > '9') continue;
        *at = (unsigned char)('0' + random_below(10));
        return;
    }
}

/* Everything that was opened can be read, and the tensors are the whole of the data. */
static void expect_consistent(const checkpoint *c, const blob *b)
{
    uint64_t header;
    memcpy(&header, b->bytes, sizeof header);
    size_t data_bytes = 0;
    for (int i = 0; i < checkpoint_count(c); i++) {
        const tensor *t = checkpoint_tensor(c, i);
        size_t        bytes = (size_t)tensor_bytes(t);
        assert_true(bytes <= b->size);
        assert_ptr_equal(checkpoint_find(c, t->name), t);
        assert_true(i == 0 || strcmp(checkpoint_tensor(c, i - 1)->name, t->name) < 0);
        void *raw = malloc(bytes + 1);
        assert_int_equal(checkpoint_read_raw(c, t, raw, bytes), DID_OK);
        free(raw);
        float *out = malloc(2 * bytes + 4);
        if (tensor_dtype_widens(t->type))
            assert_int_equal(checkpoint_read(c, t, 0, tensor_rows(t), 0, tensor_cols(t), out),
                             DID_OK);
        free(out);
        data_bytes += bytes;
    }
    assert_int_equal(8 + header + data_bytes, b->size);
}

static void survives_mutations(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    static void (*const mutate[])(blob *) = {flip,   flip,    miscount, miscount,
                                             insert, cut_out, shorten};
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
                         ONE("w.a", "\"F32\"", "[3,4]", "[0,48]") ","
                         ONE("_orig_mod.w.b", "\"BF16\"", "[5]", "[48,58]") ","
                         ONE("c", "\"F16\"", "[1,2,1]", "[58,62]") ","
                         ONE("d", "\"U8\"", "[2]", "[62,64]") "}";
    size_t size;
    char  *bytes = crafted_bytes(header, data, sizeof data, &size), path[64];
    int    fd = memfd_create("mutant", MFD_CLOEXEC);  /* twenty thousand files are slow on a disk */
    sprintf(path, "/proc/self/fd/%d", fd);
    random_state = 20240229;
    int opened = 0;
    for (int round = 0; round < ROUNDS; round++) {
        blob b = {.size = size};
        memcpy(b.bytes, bytes, size);
        for (size_t n = round == 0 ? 0 : 1 + random_below(3); n > 0; n--)
            mutate[random_below(sizeof mutate / sizeof *mutate)](&b);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, b.bytes, b.size, 0), b.size);

        checkpoint *c;
        status      found = checkpoint_open_file(&c, path);
        if (found == DID_OK) {
            expect_consistent(c, &b);
            opened++;
            checkpoint_close(&c);
        } else {
            crafted_refused(found, DID_EFORMAT, path);
        }
        assert_null(c);
    }
    /* Both ends are met often: changed data and names are nobody's business here. */
    assert_in_range(opened, ROUNDS / 40, ROUNDS / 2);
    free(bytes);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_is_right),     cmocka_unit_test(reads_a_file_in_memory),
        cmocka_unit_test(refuses_headers),
        cmocka_unit_test(refuses_lengths),         cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(says_when_a_file_is_cut_in_use), cmocka_unit_test(survives_mutations),
    };
    return cmocka_run_group_tests(tests, crafted_begin, crafted_end);
}
