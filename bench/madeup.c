#include "madeup.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "noise.h"

enum { FREQUENCIES = 256, PARTS_MAX = 6, NAME_MAX_LEN = 96 };

/* A tensor to be made up. A vector's parts of equal length have means of their own: shift, scale
 * and gate of the attention, then of the MLP. */
typedef struct made {
    char  name[NAME_MAX_LEN];
    int   rows, cols; /* cols 0: a vector */
    float spread, mean[PARTS_MAX];
    int   parts;
} made;

/* Rows whose products with numbers of variance 1 have the standard deviation `gain`. */
static made matrix(const char *name, int rows, int cols, double gain)
{
    made m = {.rows = rows, .cols = cols, .spread = (float)(gain / sqrt(cols)), .parts = 1};
    snprintf(m.name, sizeof m.name, "backbone.%s", name);
    return m;
}

static made vector(const char *name, int n, float mean, float spread)
{
    made m = {.rows = n, .spread = spread, .mean = {mean}, .parts = 1};
    snprintf(m.name, sizeof m.name, "backbone.%s", name);
    return m;
}

enum { OF_LAYER = 10, OF_MODEL = 10 };

static made of_layer(const geometry *g, int i)
{
    int  d = g->d_model, f = g->d_mlp;
    made gates = vector("adaLN_modulation.bias", 6 * d, 0, 0.15f);
    memcpy(gates.mean, (const float[]){0.1f, 0, 0.7f, -0.1f, 0, 0.6f}, sizeof gates.mean);
    gates.parts = 6;
    switch (i) {
    case 0: return vector("norm1.weight", d, 1, 0.2f);
    case 1: return matrix("attn_qkv.weight", 3 * d, d, 1.1);
    case 2: return matrix("attn_out.weight", d, d, 1.5);
    case 3: return vector("norm2.weight", d, 1, 0.2f);
    case 4: return matrix("mlp.0.weight", f, d, 1);
    case 5: return vector("mlp.0.bias", f, 0, 0.3f);
    case 6: return matrix("mlp.2.weight", d, f, 1.5);
    case 7: return vector("mlp.2.bias", d, 0, 0.1f);
    case 8: return matrix("adaLN_modulation.weight", 6 * d, g->d_cond, 0.3);
    default: return gates;
    }
}

static made of_model(const geometry *g, int i)
{
    int  d = g->d_model, c = g->d_cond;
    made shift = vector("output_layer.adaLN_modulation.bias", 2 * d, 0, 0.15f);
    shift.mean[0] = 0.1f;
    shift.parts = 2;
    made table = matrix("vocab_embed.embedding", g->vocab, d, 1);
    table.spread = 1;
    switch (i) {
    case 0: return table;
    case 1: return vector("output_layer.norm_final.weight", d, 1, 0.2f);
    case 2: return matrix("output_layer.linear.weight", g->vocab, d, 2);
    case 3: return vector("output_layer.linear.bias", g->vocab, 0, 0.5f);
    case 4: return matrix("sigma_map.mlp.0.weight", c, FREQUENCIES, 1.4);
    case 5: return vector("sigma_map.mlp.0.bias", c, 0, 0.5f);
    case 6: return matrix("sigma_map.mlp.2.weight", c, c, 1.4);
    case 7: return vector("sigma_map.mlp.2.bias", c, 0, 0.5f);
    case 8: return matrix("output_layer.adaLN_modulation.weight", 2 * d, c, 0.3);
    default: return shift;
    }
}

static int count(const geometry *g)
{
    return OF_MODEL + g->n_layers * OF_LAYER;
}

static made at(const geometry *g, int i)
{
    if (i < OF_MODEL) return of_model(g, i);
    made m = of_layer(g, (i - OF_MODEL) % OF_LAYER);
    char name[NAME_MAX_LEN];
    snprintf(name, sizeof name, "backbone.blocks.%d.%.60s", (i - OF_MODEL) / OF_LAYER,
             m.name + strlen("backbone."));
    memcpy(m.name, name, sizeof name);
    return m;
}

static int64_t elements(const made *m)
{
    return (int64_t)m->rows * (m->cols ? m->cols : 1);
}

double madeup_bytes(const geometry *g)
{
    double bytes = 0;
    for (int i = 0; i < count(g); i++) {
        made m = at(g, i);
        bytes += 2.0 * (double)elements(&m);
    }
    return bytes;
}

/* The header: its length in eight bytes, then JSON, filled with blanks so that data begins
 * aligned. */
static status write_header(FILE *to, const geometry *g)
{
    char   *text = NULL;
    size_t  size = 0;
    int64_t end = 0;
    FILE   *memory = open_memstream(&text, &size);
    if (!memory) return status_fail(DID_ENOMEM, "no memory for the header of a checkpoint");
    for (int i = 0; i < count(g); i++) {
        made    m = at(g, i);
        int64_t begin = end;
        end += 2 * elements(&m);
        fprintf(memory, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%d", i ? "," : "{", m.name,
                m.rows);
        if (m.cols) fprintf(memory, ",%d", m.cols);
        fprintf(memory, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", begin, end);
    }
    fputc('}', memory);
    while (ftell(memory) % 8) fputc(' ', memory);
    fclose(memory);
    for (int byte = 0; byte < 8; byte++) fputc((int)((uint64_t)size >> 8 * byte & 0xff), to);
    fwrite(text, 1, size, to);
    free(text);
    return DID_OK;
}

/* bf16 is the upper half of an f32; the lower half is rounded off, ties to even. */
static uint16_t bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void write_data(FILE *to, const made *m, uint64_t stream)
{
    enum { CHUNK = 4096 };
    float         x[CHUNK];
    unsigned char raw[2 * CHUNK];
    int64_t       n = elements(m), part = n / m->parts;
    for (int64_t done = 0; done < n;) {
        int64_t left = part - done % part, take = left < CHUNK ? left : CHUNK;
        noise_fill(x, (size_t)take, stream, (uint64_t)done, m->mean[done / part], m->spread);
        for (int64_t i = 0; i < take; i++) {
            uint16_t half = bf16(x[i]);
            raw[2 * i] = (unsigned char)half;
            raw[2 * i + 1] = (unsigned char)(half >> 8);
        }
        fwrite(raw, 2, (size_t)take, to);
        done += take;
    }
}

static status close_file(FILE *f, const char *path)
{
    int lost = ferror(f);
    lost |= fclose(f) != 0;
    return lost ? status_fail(DID_EIO, "%s could not be written: %s", path, strerror(errno))
                : DID_OK;
}

static status create(FILE **out, char path[MADEUP_PATH + 32], const char *dir, const char *name)
{
    snprintf(path, MADEUP_PATH + 32, "%s/%s", dir, name);
    *out = fopen(path, "w");
    return *out ? DID_OK : status_fail(DID_EIO, "%s: %s", path, strerror(errno));
}

static status write_config(const char *dir, const geometry *g)
{
    char  path[MADEUP_PATH + 32];
    FILE *f;
    TRY(create(&f, path, dir, "config.json"));
    fprintf(
        f,
        "{\"model_type\": \"%s\", \"vocab_size\": %d, \"model_length\": %d, \"hidden_dim\": %d,\n"
        " \"intermediate_size\": %d, \"cond_dim\": %d, \"n_blocks\": %d, \"n_heads\": %d,\n"
        " \"block_size\": %d, \"adaln\": true, \"causal\": false, \"time_conditioning\": false,\n"
        " \"bos_token_id\": %d, \"eos_token_id\": %d}\n",
        g->family, g->vocab, g->length, g->d_model, g->d_mlp, g->d_cond, g->n_layers, g->n_heads,
        g->block, g->end_id, g->end_id);
    return close_file(f, path);
}

status madeup_write(const char *dir, const geometry *g, int seed)
{
    char  path[MADEUP_PATH + 32];
    FILE *f;
    TRY(write_config(dir, g));
    TRY(create(&f, path, dir, "model.safetensors"));
    status s = write_header(f, g);
    for (int i = 0; s == DID_OK && i < count(g); i++) {
        made m = at(g, i);
        write_data(f, &m, (uint64_t)seed << 32 | (uint64_t)i);
    }
    status closed = close_file(f, path);
    return s != DID_OK ? s : closed;
}

void madeup_close(madeup *m)
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    char                     path[MADEUP_PATH + 32];
    for (size_t i = 0; m->mine && i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", m->dir, files[i]);
        unlink(path);
    }
    if (m->mine) rmdir(m->dir);
    *m = (madeup){0};
}

/* What ranks tell each other: where they are, and where the writer of their host put it. */
typedef struct place_card {
    char host[64], dir[MADEUP_PATH];
} place_card;

static status write_here(madeup *m, const geometry *g, int seed)
{
    const char *under = getenv("TMPDIR");
    int         n =
        snprintf(m->dir, sizeof m->dir, "%s/did-bench-XXXXXX", under && *under ? under : "/tmp");
    if (n >= (int)sizeof m->dir)
        return status_fail(DID_EIO, "TMPDIR has %d characters, at most %d will do", n, MADEUP_PATH);
    if (!mkdtemp(m->dir)) return status_fail(DID_EIO, "%s: %s", m->dir, strerror(errno));
    m->mine = true;
    return madeup_write(m->dir, g, seed);
}

/* The card of the lowest rank on my host. */
static const place_card *of_my_host(const place_card *cards, const char *host)
{
    while (strcmp(cards->host, host)) cards++;
    return cards;
}

static status share_out(madeup *m, place_card *cards, const geometry *g, int seed, comm *world)
{
    place_card mine = {0};
    gethostname(mine.host, sizeof mine.host - 1);
    TRY(comm_gather(world, cards, &mine, sizeof mine, EV_BENCH));
    status s = DID_OK;
    if (of_my_host(cards, mine.host) == &cards[comm_rank(world)]) s = write_here(m, g, seed);
    TRY(comm_agree(world, s));
    memcpy(mine.dir, m->dir, sizeof mine.dir);
    TRY(comm_gather(world, cards, &mine, sizeof mine, EV_BENCH));
    memcpy(m->dir, of_my_host(cards, mine.host)->dir, sizeof m->dir);
    return DID_OK;
}

status madeup_open(madeup *m, const geometry *g, int seed, comm *world)
{
    *m = (madeup){0};
    place_card *cards = calloc((size_t)comm_size(world), sizeof *cards);
    status s = cards ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", comm_size(world));
    s = comm_agree(world, s);
    if (s == DID_OK) s = share_out(m, cards, g, seed, world);
    free(cards);
    if (s != DID_OK) madeup_close(m);
    return s;
}
