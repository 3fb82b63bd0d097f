#include "calibration.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "jsontext.h"

const int CALIBRATION_N[CALIBRATION_SHAPES] = {256, 768, 3072, 16384};
const int CALIBRATION_K[CALIBRATION_SHAPES] = {256, 768, 768, 768};
const int CALIBRATION_ROW[CALIBRATION_ROWS] = {1, 4, 8, 16, 64, 192, 768};
const int CALIBRATION_QUERY[CALIBRATION_QUERIES] = {1, 4, 32, 256};
const int CALIBRATION_KEY[CALIBRATION_KEYS] = {64, 256, 1024};
const int CALIBRATION_SIZE[CALIBRATION_SIZES] = {64, 4096, 65536, 1 << 18, 1 << 20, 1 << 22};
const double CALIBRATION_NEAR = 16e6, CALIBRATION_FAR = 192e6;

static const char *const rowwise[ROWWISE_COUNT] = {
#define X(name, text) [ROWWISE_##name] = text,
    CALIBRATION_ROWWISE_MAP(X)
#undef X
};
static const char *const precision[CALIBRATION_PRECISIONS] = {"f32", "bf16"};
static const char *const place[CALIBRATION_PLACES] = {"near", "far"};

/* Numbers as they are in the file: what is read back is written the same, so that the hash holds. */
enum { DIGITS = 8, FLAGS = JSON_SORT_KEYS | JSON_REAL_PRECISION(DIGITS) };

/* One walk over everything there is, in both directions: from `json` or into it. */
typedef struct walk {
    json_t     *json;
    bool        reading;
    const char *where;
    status      s; /* the first that went wrong; nothing is looked at afterwards */
} walk;

static walk inside(walk *w, const char *key)
{
    walk in = {.reading = w->reading, .where = w->where, .s = w->s};
    if (w->reading) in.json = json_object_get(w->json, key);
    else if (json_object_set_new(w->json, key, in.json = json_object()) != 0)
        in.s = status_fail(DID_ENOMEM, "no memory for a calibration");
    if (in.s == DID_OK && !json_is_object(in.json))
        in.s = status_fail(DID_EFORMAT, "%s: %s is missing, expected an object", w->where, key);
    return in;
}

static void leave(walk *w, const walk *in)
{
    if (w->s == DID_OK) w->s = in->s;
}

static void put(walk *w, const char *key, json_t *value)
{
    if (json_object_set_new(w->json, key, value) != 0)
        w->s = status_fail(DID_ENOMEM, "no memory for a calibration");
}

static void refuse(walk *w, const char *key, const json_t *found, const char *expected)
{
    char shown[JSONTEXT_SHOWN];
    w->s = status_fail(DID_EFORMAT, "%s: %s is %s, expected %s", w->where, key,
                       jsontext_show(shown, found), expected);
}

static void text(walk *w, const char *key, char *value, size_t size)
{
    if (w->s != DID_OK) return;
    if (!w->reading) {
        put(w, key, json_string(value));
        return;
    }
    const json_t *found = json_object_get(w->json, key);
    if (!json_is_string(found) || json_string_length(found) >= size)
        refuse(w, key, found, "a short text");
    else strcpy(value, json_string_value(found));
}

static void whole(walk *w, const char *key, int *value, int min)
{
    if (w->s != DID_OK) return;
    if (!w->reading) {
        put(w, key, json_integer(*value));
        return;
    }
    const json_t *found = json_object_get(w->json, key);
    json_int_t    n = json_integer_value(found);
    if (!json_is_integer(found) || n < min || n > 1 << 30) refuse(w, key, found, "a whole number");
    else *value = (int)n;
}

static void truth(walk *w, const char *key, bool *value)
{
    if (w->s != DID_OK) return;
    if (!w->reading) {
        put(w, key, json_boolean(*value));
        return;
    }
    const json_t *found = json_object_get(w->json, key);
    if (!json_is_boolean(found)) refuse(w, key, found, "true or false");
    else *value = json_is_true(found);
}

static void number(walk *w, const char *key, double *value)
{
    if (w->s != DID_OK) return;
    if (!w->reading) {
        put(w, key, json_real(*value));
        return;
    }
    const json_t *found = json_object_get(w->json, key);
    *value = json_number_value(found);
    if (!json_is_real(found) || !isfinite(*value) || *value < 0)
        refuse(w, key, found, "a number that is not negative");
}

static void curve(walk *w, const char *key, double *value, int n)
{
    if (w->s != DID_OK) return;
    json_t *list = w->reading ? json_object_get(w->json, key) : json_array();
    if (!w->reading) put(w, key, list);
    if (w->reading && (!json_is_array(list) || json_array_size(list) != (size_t)n))
        refuse(w, key, list, "a list of the format's length");
    for (int i = 0; w->s == DID_OK && i < n; i++) {
        if (!w->reading) {
            json_array_append_new(list, json_real(value[i]));
            continue;
        }
        const json_t *found = json_array_get(list, (size_t)i);
        value[i] = json_number_value(found);
        if (!json_is_real(found) || !isfinite(value[i]) || value[i] < 0)
            refuse(w, key, found, "numbers that are not negative");
    }
}

static void walk_precision(walk *w, calibration_level *l, int p)
{
    char key[48];
    walk in = inside(w, precision[p]);
    for (int at = 0; at < CALIBRATION_PLACES; at++)
        for (int s = 0; s < CALIBRATION_SHAPES; s++) {
            snprintf(key, sizeof key, "linear %s %dx%d", place[at], CALIBRATION_N[s],
                     CALIBRATION_K[s]);
            curve(&in, key, l->linear[p][at][s], CALIBRATION_ROWS);
        }
    for (int q = 0; q < CALIBRATION_QUERIES; q++) {
        snprintf(key, sizeof key, "attend %d", CALIBRATION_QUERY[q]);
        curve(&in, key, l->attend[p][q], CALIBRATION_KEYS);
    }
    for (int i = 0; i < ROWWISE_COUNT; i++) number(&in, rowwise[i], &l->rowwise[p][i]);
    leave(w, &in);
}

static void walk_level(walk *w, const char *name, calibration_level *l)
{
    walk in = inside(w, name);
    whole(&in, "ranks", &l->ranks, 1);
    curve(&in, "bandwidth", l->bandwidth, CALIBRATION_PLACES);
    for (int p = 0; in.s == DID_OK && p < CALIBRATION_PRECISIONS; p++) walk_precision(&in, l, p);
    leave(w, &in);
}

static void walk_all(walk *w, calibration *c)
{
    text(w, "engine", c->engine, sizeof c->engine);
    text(w, "machine", c->machine, sizeof c->machine);
    text(w, "f32", c->set[0], sizeof c->set[0]);
    text(w, "bf16", c->set[1], sizeof c->set[1]);
    whole(w, "cpus", &c->cpus, 1);
    whole(w, "hosts", &c->hosts, 1);
    number(w, "held", &c->held);
    if (w->s == DID_OK) walk_level(w, "alone", &c->level[0]);
    if (w->s == DID_OK) walk_level(w, "together", &c->level[1]);
    if (w->s != DID_OK) return;
    walk sums = inside(w, "sums");
    whole(&sums, "ranks", &c->sums.ranks, 1);
    number(&sums, "wait", &c->sums.wait);
    curve(&sums, "memory", c->sums.memory, CALIBRATION_SIZES);
    curve(&sums, "messages", c->sums.messages, CALIBRATION_SIZES);
    leave(w, &sums);
    if (w->s != DID_OK) return;
    walk link = inside(w, "link");
    truth(&link, "measured", &c->link.measured);
    number(&link, "latency", &c->link.latency);
    number(&link, "bytes_per_s", &c->link.bytes_per_s);
    leave(w, &link);
}

/* A name for everything the object says but its hash (FNV-1a). */
static status hash_of(char out[24], json_t *o)
{
    uint64_t h = 0xcbf29ce484222325u;
    json_object_del(o, "hash");
    char *said = json_dumps(o, FLAGS | JSON_COMPACT);
    if (!said) return status_fail(DID_ENOMEM, "no memory for a calibration");
    for (const char *at = said; *at; at++) h = (h ^ (unsigned char)*at) * 0x100000001b3u;
    free(said);
    snprintf(out, 24, "%016" PRIx64, h);
    return DID_OK;
}

status calibration_path(char *path, size_t size)
{
    const char *said = getenv("DID_CALIBRATION"), *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int         n = -1;
    if (said && *said) n = snprintf(path, size, "%s", said);
    else if (config && *config) n = snprintf(path, size, "%s/did/calibration.json", config);
    else if (home && *home) n = snprintf(path, size, "%s/.config/did/calibration.json", home);
    if (n > 0 && (size_t)n < size) return DID_OK;
    return status_fail(DID_EINVAL, "no place for a calibration: DID_CALIBRATION, XDG_CONFIG_HOME "
                       "and HOME are not set");
}

/* What cannot be made is found out when the file is opened. */
static void make_directories(const char *path)
{
    char *part = strdup(path);
    for (char *at = part ? strchr(part + 1, '/') : NULL; at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(part, 0777);
        *at = '/';
    }
    free(part);
}

static status store(json_t *o, const char *path)
{
    make_directories(path);
    FILE *to = fopen(path, "we");
    if (!to) return status_fail(DID_EIO, "cannot write %s: %s", path, strerror(errno));
    bool lost = json_dumpf(o, to, FLAGS | JSON_INDENT(1)) != 0;
    lost |= fputc('\n', to) == EOF;
    lost |= fclose(to) != 0;
    return lost ? status_fail(DID_EIO, "cannot write %s", path) : DID_OK;
}

status calibration_write(const calibration *c, const char *path)
{
    char        hash[24];
    calibration copy = *c;
    walk        w = {.json = json_object(), .where = path};
    if (!w.json) return status_fail(DID_ENOMEM, "no memory for a calibration");
    put(&w, "calibration", json_integer(CALIBRATION_FORMAT));
    walk_all(&w, &copy);
    if (w.s == DID_OK) w.s = hash_of(hash, w.json);
    if (w.s == DID_OK) put(&w, "hash", json_string(hash));
    if (w.s == DID_OK) w.s = store(w.json, path);
    json_decref(w.json);
    return w.s;
}

/* The format first: another one may say anything else. Then the hash: what is damaged is not
 * explained value by value. */
static status sound(json_t *o, const char *path)
{
    char          hash[24], said[24] = "";
    const json_t *format = json_object_get(o, "calibration");
    const char   *found = json_string_value(json_object_get(o, "hash"));
    if (!json_is_integer(format))
        return status_fail(DID_EFORMAT, "%s is no calibration: expected what did bench calibrate "
                           "wrote", path);
    if (json_integer_value(format) != CALIBRATION_FORMAT)
        return status_fail(DID_EFORMAT,
                           "%s is a calibration of format %lld, expected %d: run did bench "
                           "calibrate again", path, (long long)json_integer_value(format),
                           CALIBRATION_FORMAT);
    if (found) snprintf(said, sizeof said, "%s", found);
    TRY(hash_of(hash, o));
    if (strcmp(hash, said) != 0)
        return status_fail(DID_EFORMAT,
                           "%s is damaged: its hash is %s, expected %s: run did bench calibrate "
                           "again", path, *said ? said : "missing", hash);
    return DID_OK;
}

/* Where a later call divides: what a good calibration never has. */
static status complete(const calibration *c, const char *path)
{
    for (int l = 0; l < CALIBRATION_LEVELS; l++)
        for (int p = 0; p < CALIBRATION_PRECISIONS; p++)
            if (c->level[l].linear[p][0][0][0] <= 0 || c->level[l].attend[p][0][0] <= 0 ||
                c->level[l].bandwidth[0] <= 0 || c->link.bytes_per_s <= 0)
                return status_fail(DID_EFORMAT, "%s holds times of zero, expected times", path);
    return DID_OK;
}

status calibration_read(calibration *out, const char *path)
{
    json_t     *o;
    calibration c = {0};
    TRY(jsontext_read(&o, path));
    walk w = {.json = o, .reading = true, .where = path};
    w.s = sound(o, path);
    if (w.s == DID_OK) walk_all(&w, &c);
    if (w.s == DID_OK) w.s = complete(&c, path);
    if (w.s == DID_OK) *out = c;
    json_decref(o);
    return w.s;
}

status calibration_match(const calibration *c, const char *path, const char *engine,
                         const char *machine, int cpus)
{
    if (strcmp(c->engine, engine) != 0)
        return status_fail(DID_EINVAL,
                           "%s is of did %s, this is %s: run did bench calibrate again", path,
                           c->engine, engine);
    if (strcmp(c->machine, machine) != 0 || c->cpus != cpus)
        return status_fail(DID_EINVAL,
                           "%s is of another machine (%s, %d processors), this is %s, %d: run did "
                           "bench calibrate here", path, c->machine, c->cpus, machine, cpus);
    return DID_OK;
}
