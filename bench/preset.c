#include "preset.h"

#include <stdio.h>
#include <string.h>

enum { COND = 128, BLOCK = 4, LENGTH = 1024 };
enum { SIZE_MAX_WIDTH = 1 << 16, SIZE_MAX_VOCAB = 1 << 22 };

/* 7b stands for models of that class; one layer of it is enough to know them all. */
static const struct preset {
    const char *name;
    int         width, heads, layers, mlp, vocab, length;
} presets[] = {
    {"tiny", 256, 4, 6, 1024, 4097, 256},
    {"small", 768, 12, 12, 3072, 50258, 1024},
    {"7b", 4096, 32, 1, 12288, 32001, 2048},
};

static void fill(geometry *g, const struct preset *p)
{
    *g = (geometry){.family = "bd3lm",
                    .d_model = p->width,
                    .n_layers = p->layers,
                    .n_heads = p->heads,
                    .head_size = p->width / p->heads,
                    .d_mlp = p->mlp,
                    .d_cond = COND,
                    .vocab = p->vocab,
                    .mask_id = p->vocab - 1,
                    .end_id = p->vocab - 2,
                    .length = p->length,
                    .block = BLOCK,
                    .adaln = true,
                    .rotary = true};
}

status preset_find(geometry *g, const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (!strcmp(name, presets[i].name)) {
            fill(g, &presets[i]);
            return DID_OK;
        }
    struct preset p = {.length = LENGTH};
    int           used = 0, all = 0;
    sscanf(name, "%dx%dx%dx%d%nx%d%n", &p.width, &p.heads, &p.layers, &p.vocab, &used, &p.length,
           &all);
    if (used == 0 || ((size_t)used != strlen(name) && (size_t)all != strlen(name)))
        return status_fail(DID_EINVAL,
                           "--geometry: found \"%.60s\", expected tiny, small, 7b or "
                           "WIDTHxHEADSxLAYERSxVOCABULARY[xLENGTH]",
                           name);
    if (p.heads < 1 || p.width < 2 || p.width > SIZE_MAX_WIDTH || p.width % (2 * p.heads) != 0 ||
        p.width / p.heads > 256 || p.layers < 1 || p.layers > 1024 || p.vocab < 16 ||
        p.vocab > SIZE_MAX_VOCAB || p.length < 8 || p.length > 1 << 20)
        return status_fail(DID_EINVAL,
                           "--geometry: found \"%.60s\", expected a width up to %d of heads of an "
                           "even size up to 256, a vocabulary from 16 to %d, a length from 8",
                           name, SIZE_MAX_WIDTH, SIZE_MAX_VOCAB);
    p.mlp = 4 * p.width;
    fill(g, &p);
    return DID_OK;
}
