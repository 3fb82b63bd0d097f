/* made_up.h - checkpoints of any geometry, made from a seed, in a directory of their own.
 *
 * Names and shapes are those of the published BD3-LM files, written down here once more, so that
 * the tests do not believe what the loader believes. Norms, shifts, scales and gates are far from
 * trivial, and logits are spread by a few units: nothing is left for an error to hide behind. */
#ifndef DID_TESTS_MADE_UP_H
#define DID_TESTS_MADE_UP_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm.h"

typedef struct made_up {
    const char *family;  /* NULL: bd3lm */
    int         hidden, heads, layers, vocab, mlp, cond, length, block;
    int         mask;    /* 0: the last id */
    int         end;
    bool        plain;   /* no adaptive norms */
    uint64_t    seed;
} made_up;

/* Five heads of 64, nothing else round; as odd, but quick; the smallest transformer there is. */
static const made_up made_up_odd = {.hidden = 320, .heads = 5, .layers = 3, .vocab = 1003,
                                    .mlp = 416, .cond = 24, .length = 96, .block = 4,
                                    .end = 17, .seed = 5};
static const made_up made_up_small = {.hidden = 80, .heads = 5, .layers = 2, .vocab = 131,
                                      .mlp = 72, .cond = 8, .length = 128, .block = 4, .end = 3,
                                      .seed = 8};
static const made_up made_up_toy = {.hidden = 8, .heads = 2, .layers = 1, .vocab = 6, .mlp = 32,
                                    .cond = 4, .length = 16, .block = 4, .end = 4, .seed = 4};

enum { MADE_UP_TENSORS = 128, MADE_UP_PATH = 64 };

typedef struct made_up_tensor {
    char  name[80];
    int   n_dims, dim[2];
    float mean, spread;
} made_up_tensor;

typedef struct made_up_list {
    made_up_tensor of[MADE_UP_TENSORS];
    int            n;
} made_up_list;

static inline uint64_t made_up_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline double made_up_uniform(uint64_t *state)
{
    return (double)(made_up_bits(state) >> 11) * 0x1p-53;
}

/* About normal, of variance 1: three uniform numbers are round enough. */
static inline float made_up_normal(uint64_t *state)
{
    uint64_t bits = made_up_bits(state);
    double   sum = -1.5;
    for (int i = 0; i < 3; i++, bits >>= 21) sum += (double)(bits & 0x1fffff) * 0x1p-21;
    return (float)(2 * sum);
}

/* cols 0: a vector. */
static inline void made_up_add(made_up_list *l, const char *prefix, const char *name, int rows,
                               int cols, double mean, double spread)
{
    made_up_tensor *t = &l->of[l->n++];
    snprintf(t->name, sizeof t->name, "%s%s", prefix, name);
    t->n_dims = cols > 0 ? 2 : 1;
    t->dim[0] = rows;
    t->dim[1] = cols;
    t->mean = (float)mean;
    t->spread = (float)spread;
}

static inline void made_up_layer(made_up_list *l, const made_up *m, int layer)
{
    int    d = m->hidden;
    double wide = 1 / sqrt(d), tall = 1 / sqrt(m->mlp);
    char   p[40];
    snprintf(p, sizeof p, "backbone.blocks.%d.", layer);
    made_up_add(l, p, "norm1.weight", d, 0, 1, 0.3);
    made_up_add(l, p, "attn_qkv.weight", 3 * d, d, 0, 1.5 * wide);
    made_up_add(l, p, "attn_out.weight", d, d, 0, wide);
    made_up_add(l, p, "norm2.weight", d, 0, 1, 0.3);
    made_up_add(l, p, "mlp.0.weight", m->mlp, d, 0, wide);
    made_up_add(l, p, "mlp.0.bias", m->mlp, 0, 0, 0.3);
    made_up_add(l, p, "mlp.2.weight", d, m->mlp, 0, tall);
    made_up_add(l, p, "mlp.2.bias", d, 0, 0, 0.3);
    if (m->plain) return;
    made_up_add(l, p, "adaLN_modulation.weight", 6 * d, m->cond, 0, 0.5 / sqrt(m->cond));
    made_up_add(l, p, "adaLN_modulation.bias", 6 * d, 0, 0.2, 0.3);
}

/* Every tensor that a checkpoint of this geometry has. */
static inline void made_up_tensors(made_up_list *l, const made_up *m)
{
    int         d = m->hidden, c = m->cond;
    const char *p = "backbone.output_layer.", *s = "backbone.sigma_map.mlp.";
    l->n = 0;
    made_up_add(l, "backbone.", "vocab_embed.embedding", m->vocab, d, 0, 1);
    made_up_add(l, p, "norm_final.weight", d, 0, 1, 0.3);
    made_up_add(l, p, "linear.weight", m->vocab, d, 0, 2 / sqrt(d));
    made_up_add(l, p, "linear.bias", m->vocab, 0, 0, 0.5);
    for (int i = 0; i < m->layers; i++) made_up_layer(l, m, i);
    if (m->plain) return;
    made_up_add(l, s, "0.weight", c, 256, 0, 1 / 16.0);
    made_up_add(l, s, "0.bias", c, 0, 0, 0.5);
    made_up_add(l, s, "2.weight", c, c, 0, 1 / sqrt(c));
    made_up_add(l, s, "2.bias", c, 0, 0, 0.5);
    made_up_add(l, p, "adaLN_modulation.weight", 2 * d, c, 0, 0.5 / sqrt(c));
    made_up_add(l, p, "adaLN_modulation.bias", 2 * d, 0, 0.2, 0.3);
}

static inline size_t made_up_count(const made_up_tensor *t)
{
    return (size_t)t->dim[0] * (t->n_dims > 1 ? (size_t)t->dim[1] : 1);
}

static inline FILE *made_up_file(const char *dir, const char *name)
{
    char path[2 * MADE_UP_PATH];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f) abort();
    return f;
}

/* Write `l` as DIR/model.safetensors in f32; what a tensor holds depends on its name and `seed`. */
static inline void made_up_save(const char *dir, const made_up_list *l, uint64_t seed)
{
    FILE  *f = made_up_file(dir, "model.safetensors");
    char  *header = calloc((size_t)l->n + 1, 200);
    size_t at = 0, n = (size_t)sprintf(header, "{");
    for (int i = 0; i < l->n; i++) {
        const made_up_tensor *t = &l->of[i];
        n += (size_t)sprintf(header + n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d", i ? "," : "",
                             t->name, t->dim[0]);
        if (t->n_dims > 1) n += (size_t)sprintf(header + n, ",%d", t->dim[1]);
        size_t end = at + 4 * made_up_count(t);
        n += (size_t)sprintf(header + n, "],\"data_offsets\":[%zu,%zu]}", at, end);
        at = end;
    }
    n += (size_t)sprintf(header + n, "}");
    uint64_t length = n;
    fwrite(&length, sizeof length, 1, f);
    fwrite(header, 1, n, f);
    for (int i = 0; i < l->n; i++) {
        const made_up_tensor *t = &l->of[i];
        size_t                count = made_up_count(t);
        float                *x = malloc(count * sizeof *x);
        uint64_t              state = seed;
        for (const char *c = t->name; *c; c++) state = state * 31 + (unsigned char)*c;
        for (size_t j = 0; j < count; j++) x[j] = t->mean + t->spread * made_up_normal(&state);
        fwrite(x, sizeof *x, count, f);
        free(x);
    }
    free(header);
    if (fclose(f) != 0) abort();
}

static inline void made_up_config(const char *dir, const made_up *m)
{
    FILE *f = made_up_file(dir, "config.json");
    fprintf(f,
            "{\"model_type\": \"%s\", \"block_size\": %d, \"vocab_size\": %d, \"model_length\": %d,"
            " \"hidden_dim\": %d, \"cond_dim\": %d, \"n_blocks\": %d, \"n_heads\": %d,"
            " \"intermediate_size\": %d, \"adaln\": %s, \"bos_token_id\": %d, \"eos_token_id\": %d",
            m->family ? m->family : "bd3lm", m->block, m->vocab, m->length, m->hidden,
            m->cond > 0 ? m->cond : 1, m->layers, m->heads, m->mlp, m->plain ? "false" : "true",
            m->end, m->end);
    if (m->mask > 0) fprintf(f, ", \"mask_index\": %d", m->mask);
    fprintf(f, "}\n");
    if (fclose(f) != 0) abort();
}

/* A new directory with nothing in it yet. */
static inline void made_up_directory(char dir[MADE_UP_PATH])
{
    snprintf(dir, MADE_UP_PATH, "/tmp/did-made-up-XXXXXX");
    if (!mkdtemp(dir)) abort();
}

/* A new directory with a checkpoint of geometry `m`. */
static inline void made_up_open(char dir[MADE_UP_PATH], const made_up *m)
{
    made_up_list l;
    made_up_directory(dir);
    made_up_tensors(&l, m);
    made_up_save(dir, &l, m->seed);
    made_up_config(dir, m);
}

static inline void made_up_close(const char *dir)
{
    static const char *const names[] = {"model.safetensors", "config.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[2 * MADE_UP_PATH];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* The same for all ranks of a launch: the first writes, everybody reads. Collective. */
static inline void made_up_open_all(char dir[MADE_UP_PATH], const made_up *m, comm *world)
{
    if (comm_rank(world) == 0) made_up_open(dir, m);
    if (comm_broadcast(world, dir, MADE_UP_PATH, 0, EV_SETUP) != DID_OK) abort();
}

static inline void made_up_close_all(const char *dir, comm *world)
{
    if (comm_barrier(world, EV_SETUP) != DID_OK) abort();
    if (comm_rank(world) == 0) made_up_close(dir);
}

#endif
