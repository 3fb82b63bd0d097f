#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "nearest.h"
#include "utf8.h"

enum { OPTIONS_MAX = 64, FILE_BYTES_MAX = 1 << 16 };

typedef enum { SAID_NOWHERE, SAID_IN_FILE, SAID_IN_WORDS } said;

struct options {
    const option_table *table;
    void               *target;
    said                by[OPTIONS_MAX];
    char               *file;  /* the options file, cut into the strings that targets point at */
    const char         *where; /* its name */
};

static bool is_option(const option *p)
{
    return p->name != NULL;
}

static void *target_of(const options *o, const option *p)
{
    return (char *)o->target + p->offset;
}

/* ---- one value ---- */

/* "a whole number of tokens"-like words for what the table allows. */
static void expected(const option *p, char *text, size_t size)
{
    switch (p->kind) {
    case OPTION_FLAG: snprintf(text, size, "yes or no"); break;
    case OPTION_TEXT: snprintf(text, size, "%s, not empty", p->value); break;
    case OPTION_COUNT:
        snprintf(text, size, "a whole number from %.0f to %.0f", p->min, p->max);
        break;
    case OPTION_REAL:
        snprintf(text, size, "a number %s %g %s %g", p->open ? "above" : "from", p->min,
                 p->open ? "and at most" : "to", p->max);
        break;
    case OPTION_SEED: snprintf(text, size, "a whole number from 0 to %ju", UINTMAX_MAX); break;
    case OPTION_CHOICE: snprintf(text, size, "one of %s", p->value); break;
    }
}

static int choice_find(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (int i = 0; *words; i++) {
        size_t n = strcspn(words, "|");
        if (n == len && memcmp(words, word, n) == 0) return i;
        words += n + (words[n] == '|');
    }
    return -1;
}

static bool set_number(const option *p, const char *text, void *to)
{
    char *end;
    errno = 0;
    if (p->kind == OPTION_SEED) {
        if (!isdigit((unsigned char)*text)) return false;
        *(uint64_t *)to = strtoull(text, &end, 10);
        return errno == 0 && *end == '\0';
    }
    if (!isdigit((unsigned char)*text) && !strchr("+-.", *text)) return false;
    double value = strtod(text, &end);
    if (errno || end == text || *end || !(value >= p->min && value <= p->max)) return false;
    if (p->open && value == p->min) return false;
    if (p->kind == OPTION_REAL) {
        *(double *)to = value;
        return true;
    }
    *(int *)to = (int)value;
    return text[strspn(text, "+-0123456789")] == '\0';
}

static bool set(const options *o, const option *p, const char *text)
{
    void *to = target_of(o, p);
    bool  no = !strcmp(text, "no") || !strcmp(text, "false");
    switch (p->kind) {
    case OPTION_FLAG: *(bool *)to = !no; return no || !strcmp(text, "yes") || !strcmp(text, "true");
    case OPTION_TEXT: *(const char **)to = text; return *text != '\0';
    case OPTION_CHOICE: *(int *)to = choice_find(p->value, text); return *(int *)to >= 0;
    case OPTION_COUNT:
    case OPTION_REAL:
    case OPTION_SEED: return set_number(p, text, to);
    }
    return false;
}

/* `where` is "--length" or "FILE:3: length". */
static status take(options *o, const option *p, const char *text, said by, const char *where)
{
    char what[200], quoted[100];
    if (!set(o, p, text)) {
        expected(p, what, sizeof what);
        return status_fail(DID_EINVAL, "%s: found \"%s\", expected %s", where,
                           utf8_quote(quoted, sizeof quoted, text, strlen(text)), what);
    }
    o->by[p - o->table->option] = by;
    return DID_OK;
}

/* ---- names ---- */

static const option *find(const option_table *t, const char *name, size_t len)
{
    for (int i = 0; i < t->n; i++) {
        const option *p = &t->option[i];
        if (!is_option(p)) continue;
        if (strlen(p->name) == len && memcmp(p->name, name, len) == 0) return p;
    }
    return NULL;
}

static const option *find_letter(const option_table *t, char letter)
{
    for (int i = 0; i < t->n; i++)
        if (is_option(&t->option[i]) && t->option[i].letter == letter) return &t->option[i];
    return NULL;
}

static status unknown(const option_table *t, const char *name, size_t len, const char *dashes,
                      const char *where)
{
    const char *names[OPTIONS_MAX], *near;
    char        word[80];
    for (int i = 0; i < t->n; i++) names[i] = t->option[i].name;
    utf8_quote(word, sizeof word, name, len);
    near = nearest_name(word, names, t->n);
    if (near == NULL)
        return status_fail(DID_EINVAL, "%sunknown option %s%s: see did %s --help", where, dashes,
                           word, t->command);
    return status_fail(DID_EINVAL, "%sunknown option %s%s: did you mean %s%s?", where, dashes, word,
                       dashes, near);
}

/* ---- the file ---- */

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1])) text[--n] = '\0';
    return text;
}

/* The value on the rest of a line: quoted text as it is, otherwise up to a comment. */
static char *file_value(char *text)
{
    text = trim(text);
    size_t n = strlen(text);
    if (*text == '"') {
        char *close = strchr(text + 1, '"');
        if (close) {
            char *rest = trim(close + 1);
            if (*rest == '\0' || *rest == '#') {
                *close = '\0';
                return text + 1;
            }
        }
        return text;
    }
    for (size_t i = 0; i < n; i++)
        if (text[i] == '#' && (i == 0 || isspace((unsigned char)text[i - 1]))) text[i] = '\0';
    return trim(text);
}

static status file_line(options *o, char *text, int number)
{
    char where[600], named[700];
    snprintf(where, sizeof where, "%s:%d: ", o->where, number);
    text = trim(text);
    if (*text == '\0' || *text == '#') return DID_OK;
    if (strncmp(text, "--", 2) == 0) text += 2;
    size_t        len = strcspn(text, " \t=");
    const option *p = find(o->table, text, len);
    if (p == NULL) return unknown(o->table, text, len, "", where);
    if (strcmp(p->name, "options") == 0)
        return status_fail(DID_EINVAL, "%soptions files do not name further options files", where);
    char *rest = text + len;
    while (*rest == ' ' || *rest == '\t') rest++;
    bool equals = *rest == '=';
    rest = file_value(rest + equals);
    if (p->kind == OPTION_FLAG && *rest == '\0' && !equals)
        return take(o, p, "yes", SAID_IN_FILE, "");
    snprintf(named, sizeof named, "%s%s", where, p->name);
    return take(o, p, rest, SAID_IN_FILE, named);
}

static status file_slurp(char **out, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return status_fail(DID_EINVAL, "--options: cannot read %s: %s", path, strerror(errno));
    char  *text = calloc(1, FILE_BYTES_MAX + 1);
    size_t n = text ? fread(text, 1, FILE_BYTES_MAX + 1, f) : 0;
    int    failed = text == NULL ? ENOMEM : ferror(f) ? errno : 0;
    fclose(f);
    if (!failed && n <= FILE_BYTES_MAX && memchr(text, '\0', n) == NULL) {
        *out = text;
        return DID_OK;
    }
    free(text);
    if (failed)
        return status_fail(DID_EINVAL, "--options: cannot read %s: %s", path, strerror(failed));
    return status_fail(DID_EINVAL, "--options: %s is not a text file of at most %d bytes", path,
                       FILE_BYTES_MAX);
}

static status read_file(options *o, const char *path)
{
    if (o->file) return status_fail(DID_EINVAL, "--options: only one file can be read");
    o->where = path;
    TRY(file_slurp(&o->file, path));
    int   number = 1;
    char *line = o->file;
    while (line) {
        char *next = strchr(line, '\n');
        if (next) *next++ = '\0';
        TRY(file_line(o, line, number++));
        line = next;
    }
    return DID_OK;
}

/* ---- the words ---- */

/* One word of the command line split into the option and the value that came with it. */
static status word_split(const option_table *t, const char *word, const option **p,
                         const char **value)
{
    *value = NULL;
    if (strncmp(word, "--", 2) == 0 && word[2]) {
        size_t len = strcspn(word + 2, "=");
        *p = find(t, word + 2, len);
        if (word[2 + len] == '=') *value = word + 2 + len + 1;
        return *p ? DID_OK : unknown(t, word + 2, len, "--", "");
    }
    if (word[0] == '-' && isalpha((unsigned char)word[1]) && word[2] == '\0') {
        *p = find_letter(t, word[1]);
        return *p ? DID_OK
                  : status_fail(DID_EINVAL, "unknown option %s: see did %s --help", word,
                                t->command);
    }
    char quoted[100];
    return status_fail(DID_EINVAL, "found \"%s\" where an option (--name) was expected",
                       utf8_quote(quoted, sizeof quoted, word, strlen(word)));
}

/* The files are read before the other words so that words win; so this walks the words twice. */
static status read_words(options *o, int argc, char *const *argv, bool files)
{
    for (int i = 0; i < argc; i++) {
        const option *p = NULL;
        const char   *value = NULL;
        char          where[64];
        TRY(word_split(o->table, argv[i], &p, &value));
        if (p->kind == OPTION_FLAG && value == NULL) value = "yes";
        if (value == NULL) {
            const char *next = i + 1 < argc ? argv[i + 1] : NULL;
            if (next == NULL || strncmp(next, "--", 2) == 0)
                return status_fail(DID_EINVAL, "%s needs a value (%s), found %s", argv[i], p->value,
                                   next ? next : "nothing");
            value = next;
            i++;
        }
        bool names_file = strcmp(p->name, "options") == 0;
        snprintf(where, sizeof where, "--%s", p->name);
        if (names_file == files) TRY(take(o, p, value, SAID_IN_WORDS, where));
        if (names_file && files) TRY(read_file(o, value));
    }
    return DID_OK;
}

status options_read(options **out, const option_table *table, void *target, int argc,
                    char *const *argv)
{
    *out = NULL;
    options *o = calloc(1, sizeof *o);
    if (o == NULL || table->n > OPTIONS_MAX) {
        free(o);
        return status_fail(DID_ENOMEM, "no memory for the options");
    }
    o->table = table;
    o->target = target;
    for (int i = 0; i < table->n; i++) {
        const option *p = &table->option[i];
        if (!is_option(p)) continue;
        if (p->kind == OPTION_CHOICE) *(int *)target_of(o, p) = -1;
        if (p->initial) set(o, p, p->initial);
    }
    status s = read_words(o, argc, argv, true);
    if (s == DID_OK) s = read_words(o, argc, argv, false);
    if (s != DID_OK) {
        options_close(&o);
        return s;
    }
    *out = o;
    return DID_OK;
}

void options_close(options **o)
{
    if (*o == NULL) return;
    free((*o)->file);
    free(*o);
    *o = NULL;
}

bool options_given(const options *o, const char *name)
{
    const option *p = find(o->table, name, strlen(name));
    return p != NULL && o->by[p - o->table->option] != SAID_NOWHERE;
}

/* ---- telling ---- */

static void value_text(const options *o, const option *p, char *text, size_t size)
{
    const void *at = target_of(o, p);
    const char *word = p->value;
    switch (p->kind) {
    case OPTION_FLAG: snprintf(text, size, "%s", *(const bool *)at ? "yes" : "no"); break;
    case OPTION_TEXT: snprintf(text, size, "\"%s\"", *(const char *const *)at); break;
    case OPTION_COUNT: snprintf(text, size, "%d", *(const int *)at); break;
    case OPTION_REAL: snprintf(text, size, "%.17g", *(const double *)at); break;
    case OPTION_SEED: snprintf(text, size, "%" PRIu64, *(const uint64_t *)at); break;
    case OPTION_CHOICE:
        for (int i = 0; i < *(const int *)at; i++) word = strchr(word, '|') + 1;
        snprintf(text, size, "%.*s", (int)strcspn(word, "|"), word);
        break;
    }
    if (p->kind == OPTION_REAL) {
        char shorter[32];
        snprintf(shorter, sizeof shorter, "%g", *(const double *)at);
        if (strtod(shorter, NULL) == *(const double *)at) snprintf(text, size, "%s", shorter);
    }
}

bool options_line(const options *o, int i, bool *given, char *text, size_t size)
{
    for (int k = 0; k < o->table->n; k++) {
        const option *p = &o->table->option[k];
        char          value[4096];
        if (!is_option(p) || i-- > 0) continue;
        *given = o->by[k] != SAID_NOWHERE;
        if (!*given && p->initial == NULL && p->kind != OPTION_FLAG) {
            snprintf(text, size, "# %s: %s", p->name, p->silent ? p->silent : "none");
        } else {
            value_text(o, p, value, sizeof value);
            snprintf(text, size, "%s %s", p->name, value);
        }
        return true;
    }
    return false;
}

void options_say(const options *o)
{
    enum { WIDTH = 90 };
    char line[8192], packed[2 * WIDTH + 2] = "";
    bool given;
    for (int i = 0; options_line(o, i, &given, line, sizeof line); i++) {
        size_t used = strlen(packed), skip = strspn(line, "# ");
        if (given) {
            log_say("options", "%s", line);
            continue;
        }
        if (used > 0 && used + strlen(line) > WIDTH) {
            log_say("options", "default: %s", packed);
            used = 0;
        }
        snprintf(packed + used, sizeof packed - used, "%s%s", used ? "; " : "", line + skip);
    }
    if (*packed) log_say("options", "default: %s", packed);
}

bool options_help_asked(int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

enum { HELP_MARGIN = 28, HELP_WIDTH = 96 };

/* `text` broken at blanks so that no line passes the width; `at` is the column we stand in. */
static void wrap(FILE *to, const char *text, int at)
{
    while (*text) {
        int len = (int)strcspn(text, " ");
        if (at > HELP_MARGIN && at + 1 + len > HELP_WIDTH) {
            fprintf(to, "\n%*s", HELP_MARGIN, "");
            at = HELP_MARGIN;
        } else if (at > HELP_MARGIN) {
            fputc(' ', to);
            at++;
        }
        fwrite(text, 1, (size_t)len, to);
        at += len;
        text += len + (text[len] == ' ');
    }
    fputc('\n', to);
}

static void help_option(const option *p, FILE *to)
{
    char left[200], text[1200], letter[8] = "";
    if (p->letter) snprintf(letter, sizeof letter, "-%c, ", p->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, p->name, p->kind == OPTION_FLAG ? "" : " ",
             p->kind == OPTION_FLAG ? "" : p->value);
    fputs(left, to);
    int at = (int)strlen(left);
    if (at > HELP_MARGIN - 2) {
        fputc('\n', to);
        at = 0;
    }
    fprintf(to, "%*s", HELP_MARGIN - at, "");
    const char *without = p->initial ? p->initial : p->silent;
    if (p->kind == OPTION_FLAG || without == NULL) snprintf(text, sizeof text, "%s", p->help);
    else snprintf(text, sizeof text, "%s (default: %s)", p->help, without);
    wrap(to, text, HELP_MARGIN);
}

void options_help(const option_table *t, FILE *to)
{
    fprintf(to, "did %s - %s\n\nusage: did %s %s\n", t->command, t->summary, t->command, t->usage);
    for (int i = 0; i < t->n; i++) {
        if (is_option(&t->option[i])) help_option(&t->option[i], to);
        else fprintf(to, "\n%s\n", t->option[i].help);
    }
}
