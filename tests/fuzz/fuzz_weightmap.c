/* A model.safetensors.index.json. */
#include <stdbool.h>

#include "fuzz.h"
#include "weightmap.h"

static bool listed(const weightmap *m, const char *file)
{
    for (int i = 0; i < m->n_files; i++)
        if (!strcmp(m->file[i], file)) return true;
    return false;
}

/* No name leads out of the directory, and every file that is named is listed once, in order. */
static void check(const weightmap *m)
{
    assert(m->n >= 1 && m->n_files >= 1 && m->n_files <= m->n);
    for (int i = 0; i < m->n; i++) {
        fuzz_sentence(m->at[i].name);
        fuzz_sentence(m->at[i].file);
        assert(m->at[i].file[0] != '.' && !strchr(m->at[i].file, '/'));
        assert(i == 0 || strcmp(m->at[i - 1].name, m->at[i].name) < 0);
        assert(listed(m, m->at[i].file));
    }
    for (int i = 1; i < m->n_files; i++) assert(strcmp(m->file[i - 1], m->file[i]) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weightmap m;
    status    s = weightmap_parse(&m, (const char *)data, size, "index");
    if (s == DID_OK) {
        check(&m);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(!m.at && !m.file && !m.n && !m.n_files);
    }
    weightmap_clear(&m);
    return 0;
}
