#include "tensor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "jsontext.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files hold little-endian values");

static const struct {
    const char *name;
    size_t      width;
} formats[] = {
#define X(name, width) [DTYPE_##name] = {#name, width},
    DTYPE_MAP(X)
#undef X
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static void strip_compiled(char *name)
{
    static const char part[] = "_orig_mod.";
    size_t len = sizeof part - 1;
    char  *to = name;
    for (const char *from = name; *from;) {
        bool starts = from == name || from[-1] == '.';
        if (starts && strncmp(from, part, len) == 0) from += len;
        else *to++ = *from++;
    }
    *to = '\0';
}

static bool is_printable(const char *name)
{
    while (*name > ' ' && *name < 0x7f) name++;
    return *name == '\0';
}

status tensor_name_read(char **out, const char *key, const char *where)
{
    enum { BYTES_MAX = 255 };
    *out = NULL;
    if (strlen(key) <= BYTES_MAX && is_printable(key)) {
        char *name = strdup(key);
        if (!name) return status_fail(DID_ENOMEM, "%s: tensor %s: out of memory", where, key);
        strip_compiled(name);
        if (*name) {
            *out = name;
            return DID_OK;
        }
        free(name);
    }
    char    shown[JSONTEXT_SHOWN];
    json_t *text = json_string(key);
    jsontext_show(shown, text);
    json_decref(text);
    return status_fail(DID_EFORMAT,
                       "%s: tensor %s: this is no name, expected 1 to %d printable bytes "
                       "without spaces, \"_orig_mod.\" not counted",
                       where, shown, BYTES_MAX);
}

bool tensor_dtype_find(dtype *out, const char *name)
{
    for (int i = 0; i < N_FORMATS; i++) {
        if (strcmp(name, formats[i].name) != 0) continue;
        *out = (dtype)i;
        return true;
    }
    return false;
}

const char *tensor_dtype_name(dtype type)
{
    return formats[type].name;
}

size_t tensor_dtype_width(dtype type)
{
    return formats[type].width;
}

bool tensor_dtype_widens(dtype type)
{
    return type == DTYPE_F32 || type == DTYPE_BF16 || type == DTYPE_F16;
}

int64_t tensor_rows(const tensor *t)
{
    return t->n_dims > 1 ? t->dim[0] : 1;
}

int64_t tensor_cols(const tensor *t)
{
    int64_t cols = 1;
    for (int i = t->n_dims > 1; i < t->n_dims; i++) cols *= t->dim[i];
    return cols;
}

int64_t tensor_bytes(const tensor *t)
{
    /* A zero does not excuse its neighbours: with [0, 2^62, 2^62] rows are empty but not
     * countable. */
    int64_t bytes = (int64_t)formats[t->type].width;
    bool    empty = false;
    for (int i = 0; i < t->n_dims; i++) {
        if (t->dim[i] == 0) empty = true;
        else if (__builtin_mul_overflow(bytes, t->dim[i], &bytes)) return -1;
    }
    return empty ? 0 : bytes;
}

/* Going upward, the write of element i ends where the read of element i + 1 begins or before. */
static void widen_bf16(float *out, const unsigned char *raw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, raw + 2 * i, sizeof half);
        float wide = half_widen(half);
        memcpy(out + i, &wide, sizeof wide);
    }
}

static uint32_t f16_bits(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0x1f) return sign | 0x7f800000 | fraction << 13;
    if (exponent != 0) return sign | (exponent + 127 - 15) << 23 | fraction << 13;

    /* Subnormal or zero: a whole number of 2^-24, and every such number is a normal f32. */
    float    value = (float)fraction * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return sign | bits;
}

static void widen_f16(float *out, const unsigned char *raw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, raw + 2 * i, sizeof half);
        uint32_t bits = f16_bits(half);
        memcpy(out + i, &bits, sizeof bits);
    }
}

void tensor_widen(float *out, const void *raw, dtype type, size_t n)
{
    assert(tensor_dtype_widens(type));
    switch (type) {
    case DTYPE_BF16: widen_bf16(out, raw, n); break;
    case DTYPE_F16: widen_f16(out, raw, n); break;
    default: memmove(out, raw, n * sizeof *out);
    }
}
