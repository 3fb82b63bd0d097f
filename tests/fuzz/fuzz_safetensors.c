/* A file of tensors. */
#include "fuzz.h"
#include "safetensors.h"
#include "twist.h"

enum { LENGTH_BYTES = 8 };

/* The tensors lie side by side and fill the data to its end; each gives its own bytes. */
static void check(const safetensors *f, const uint8_t *data, size_t size)
{
    static char bytes[1 << 16];
    uint64_t    header;
    assert(f->n >= 1 && size >= LENGTH_BYTES);
    memcpy(&header, data, sizeof header);
    assert(header <= size - LENGTH_BYTES);
    int64_t at = LENGTH_BYTES + (int64_t)header;
    for (int i = 0; i < f->n; i++) {
        const place  *p = &f->at[i];
        const tensor *t = &p->what;
        fuzz_sentence(t->name);
        assert(p->file == f && p->first == at && t->n_dims >= 0 && t->n_dims <= TENSOR_DIMS_MAX);
        int64_t of_tensor = tensor_bytes(t);
        assert(of_tensor >= 0 && of_tensor <= (int64_t)size - at);
        assert(tensor_rows(t) * tensor_cols(t) * (int64_t)tensor_dtype_width(t->type) == of_tensor);
        assert(safetensors_read(p, 0, bytes, (size_t)of_tensor) == DID_OK);
        assert(!memcmp(bytes, data + at, (size_t)of_tensor));
        at += of_tensor;
    }
    assert(at == (int64_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    safetensors f;
    status      s = safetensors_open_bytes(&f, data, size, "file");
    if (s == DID_OK) {
        check(&f, data, size);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(!f.at && !f.path && !f.n);
    }
    safetensors_close(&f);
    return 0;
}

/* A header that was changed still says how long it is, more often than not. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t length = 0;
    if (size >= LENGTH_BYTES) memcpy(&length, data, sizeof length);
    size_t changed = seed % 2 ? twist_text(data, size, max, seed / 2) : 0;
    if (!changed) changed = LLVMFuzzerMutate(data, size, max);
    if (seed % 8 == 0 || size < LENGTH_BYTES || changed < LENGTH_BYTES) return changed;
    length += changed - size;
    memcpy(data, &length, sizeof length);
    return changed;
}
