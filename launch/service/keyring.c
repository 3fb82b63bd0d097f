#include "keyring.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

enum { PATH_BYTES = 1024, GUESTS_MAX = 65536 };

static const char *const roles[] = {"none", "client", "world", "both"};

typedef struct guest {
    char key[SOCKET_KEY], name[KEYRING_NAME];
    role part;
} guest;

struct keyring {
    char            dir[PATH_BYTES];
    socket_context *context;
    keyring_file    server;
    guest          *guests;
    int             n;
    struct timespec changed;
    off_t           size;
};

static void path_of(char path[PATH_BYTES], const char *dir, const char *name, const char *suffix)
{
    snprintf(path, PATH_BYTES, "%.900s/%.64s%s", dir, name, suffix);
}

/* ---- key files ---- */

static status check_mode(const char *path, FILE *f)
{
    struct stat st;
    if (fstat(fileno(f), &st) != 0)
        return status_fail(DID_EIO, "key file %s: %s", path, strerror(errno));
    if ((st.st_mode & 077) == 0) return DID_OK;
    return status_fail(DID_EINVAL,
                       "key file %s has mode %03o: others may use the secret in it;"
                       " chmod 600 it",
                       path, (unsigned)(st.st_mode & 0777));
}

static void take_word(keyring_file *out, const char *name, const char *value)
{
    char *to = !strcmp(name, "public")   ? out->own.public
               : !strcmp(name, "secret") ? out->own.secret
               : !strcmp(name, "server") ? out->server
                                         : NULL;
    if (to) snprintf(to, SOCKET_KEY, "%s", value);
}

status keyring_read(keyring_file *out, const char *path)
{
    char  name[16], value[SOCKET_KEY];
    FILE *f = fopen(path, "re");
    *out = (keyring_file){0};
    if (!f) return status_fail(DID_EIO, "key file %s: %s", path, strerror(errno));
    status s = check_mode(path, f);
    while (s == DID_OK && fscanf(f, "%15s %40s", name, value) == 2) take_word(out, name, value);
    fclose(f);
    if (s != DID_OK ||
        (strlen(out->own.public) == SOCKET_KEY - 1 && strlen(out->own.secret) == SOCKET_KEY - 1))
        return s;
    return status_fail(DID_EFORMAT,
                       "%s is no key file: expected lines \"public KEY\" and"
                       " \"secret KEY\"",
                       path);
}

/* A new file with a secret in it; never an old one. */
static status write_keys(const char *path, const socket_keys *own, const char *server)
{
    int   fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        return status_fail(errno == EEXIST ? DID_EINVAL : DID_EIO, "key file %s: %s", path,
                           strerror(errno));
    fprintf(f, "public %s\nsecret %s\n", own->public, own->secret);
    if (server) fprintf(f, "server %s\n", server);
    bool good = !ferror(f) && fflush(f) == 0 && fsync(fd) == 0;
    if (fclose(f) == 0 && good) return DID_OK;
    return status_fail(DID_EIO, "key file %s: %s", path, strerror(errno));
}

static status make_server(keyring_file *server, const char *dir)
{
    char path[PATH_BYTES];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return status_fail(DID_EIO, "key directory %s: %s", dir, strerror(errno));
    path_of(path, dir, "server", ".key");
    if (access(path, F_OK) != 0) {
        socket_keys made;
        TRY(socket_keys_make(&made));
        TRY(write_keys(path, &made, NULL));
    }
    return keyring_read(server, path);
}

static status check_name(const char *name)
{
    size_t len = strlen(name), plain = 0;
    while (isalnum((unsigned char)name[plain]) ||
           (plain > 0 && strchr("._-", name[plain]) && name[plain]))
        plain++;
    if (len > 0 && len < KEYRING_NAME && plain == len && strcmp(name, "server") != 0) return DID_OK;
    return status_fail(DID_EINVAL,
                       "--name: found \"%.80s\", expected letters, digits, . _ - (at most"
                       " %d), and not \"server\"",
                       name, KEYRING_NAME - 1);
}

static status allow(const char *dir, const char *key, const char *name, role part)
{
    char path[PATH_BYTES], line[SOCKET_KEY + KEYRING_NAME + 16];
    path_of(path, dir, "allowed", "");
    int    n = snprintf(line, sizeof line, "%s %s %s\n", key, roles[part], name);
    int    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool   good = fd >= 0 && write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    status s = good ? DID_OK : status_fail(DID_EIO, "%s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return s;
}

status keyring_make(const char *dir, const char *name, role part)
{
    keyring_file server;
    socket_keys  made;
    char         path[PATH_BYTES];
    if (name) TRY(check_name(name));
    TRY(make_server(&server, dir));
    if (!name) return DID_OK;
    path_of(path, dir, name, ".key");
    TRY(socket_keys_make(&made));
    TRY(write_keys(path, &made, server.own.public));
    return allow(dir, made.public, name, part);
}

/* ---- the list ---- */

static bool read_guest(guest *g, const char *line)
{
    char part[16];
    if (sscanf(line, "%40s %15s %63s", g->key, part, g->name) != 3) return false;
    if (strlen(g->key) != SOCKET_KEY - 1) return false;
    for (int i = ROLE_CLIENT; i <= ROLE_BOTH; i++)
        if (strcmp(part, roles[i]) == 0) {
            g->part = (role)i;
            return true;
        }
    return false;
}

static status read_list(guest **list, int *n, FILE *f, const char *path)
{
    char line[256];
    int  room = 0;
    for (int number = 1; fgets(line, sizeof line, f); number++) {
        if (line[0] == '\n') continue;
        if (*n == room) {
            room = room ? 2 * room : 16;
            guest *grown = realloc(*list, (size_t)room * sizeof *grown);
            if (!grown || *n >= GUESTS_MAX) return status_fail(DID_ENOMEM, "%s: too long", path);
            *list = grown;
        }
        if (!read_guest(&(*list)[*n], line))
            return status_fail(DID_EFORMAT, "%s:%d: expected KEY, client, world or both, and NAME",
                               path, number);
        ++*n;
    }
    return DID_OK;
}

static status load(keyring *k)
{
    char        path[PATH_BYTES];
    struct stat st;
    guest      *list = NULL;
    int         n = 0;
    path_of(path, k->dir, "allowed", "");
    FILE *f = fopen(path, "re");
    if (!f && errno == ENOENT) return DID_OK;
    if (!f || fstat(fileno(f), &st) != 0)
        return status_fail(DID_EIO, "%s: %s", path, strerror(errno));
    k->changed = st.st_mtim;
    k->size = st.st_size;
    status s = read_list(&list, &n, f, path);
    fclose(f);
    for (int i = 0; i < n && s == DID_OK; i++) s = socket_allow(k->context, list[i].key);
    if (s != DID_OK) {
        free(list);
        return s;
    }
    free(k->guests);
    k->guests = list;
    k->n = n;
    return DID_OK;
}

status keyring_open(keyring **out, const char *dir, socket_context *c)
{
    char     path[PATH_BYTES];
    keyring *k = calloc(1, sizeof *k);
    *out = k;
    if (!k) return status_fail(DID_ENOMEM, "no memory for the keys");
    snprintf(k->dir, sizeof k->dir, "%.900s", dir);
    k->context = c;
    path_of(path, dir, "server", ".key");
    status s = keyring_read(&k->server, path);
    if (s == DID_OK) s = load(k);
    if (s != DID_OK) keyring_close(out);
    return s;
}

void keyring_close(keyring **out)
{
    if (!*out) return;
    free((*out)->guests);
    free(*out);
    *out = NULL;
}

const socket_keys *keyring_server(const keyring *k)
{
    return &k->server.own;
}

void keyring_refresh(keyring *k)
{
    char        path[PATH_BYTES];
    struct stat st;
    path_of(path, k->dir, "allowed", "");
    if (stat(path, &st) != 0) return;
    bool same = st.st_mtim.tv_sec == k->changed.tv_sec &&
                st.st_mtim.tv_nsec == k->changed.tv_nsec && st.st_size == k->size;
    if (!same && load(k) != DID_OK) log_warn("keys", "%s", status_message());
}

role keyring_role(const keyring *k, const char *key, const char **name)
{
    *name = "";
    for (int i = 0; i < k->n; i++)
        if (strcmp(k->guests[i].key, key) == 0) {
            *name = k->guests[i].name;
            return k->guests[i].part;
        }
    return ROLE_NONE;
}
