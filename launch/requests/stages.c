#include "stages.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 32, STEPS_WHOLE_DRAFT = 64, STEPS_MAX = 1000000, PART_MAX = 64 };
static const double REMASK = 0.25, THRESHOLD = 0.9;

static const char *const sampler_word[] = {"fhs", "ancestral", "quota", "threshold", NULL};
static const char *const order_word[] = {"random", "left", "confident", "drawn", NULL};
static const char *const policy_word[] = {"lowest", "random", "posthoc", NULL};
static const char *const confidence_word[] = {"raw", "nucleus", NULL};
static const char *const rule_word[] = {"exclusive", "inclusive", NULL};

static bool whole(const char *text, long max, int *value)
{
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    long n = strtol(text, &end, 10);
    *value = (int)n;
    return errno == 0 && *end == '\0' && n >= 1 && n <= max;
}

static bool real(const char *text, double *value)
{
    char *end;
    if (!isdigit((unsigned char)*text) && *text != '.' && *text != '-') return false;
    *value = strtod(text, &end);
    return end != text && *end == '\0';
}

static int word_find(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], word)) return i;
    return -1;
}

static status one_of(const char *name, const char *const *words, const char *value, int *out)
{
    char list[100] = "";
    *out = word_find(words, value);
    if (*out >= 0) return DID_OK;
    for (int i = 0; words[i]; i++) {
        strcat(list, i ? words[i + 1] ? ", " : " or " : "");
        strcat(list, words[i]);
    }
    return status_fail(DID_EINVAL, "%s: found \"%s\", expected %s", name, value, list);
}

static status in_range(const char *name, const char *value, double low, bool open, double high,
                       double *out)
{
    if (real(value, out) && *out <= high && (open ? *out > low : *out >= low)) return DID_OK;
    return status_fail(DID_EINVAL, "%s: found \"%s\", expected a number %s %g %s %g", name, value,
                       open ? "above" : "from", low, open ? "and at most" : "to", high);
}

/* What a stage's text said of itself, beside the stage. */
typedef struct saying {
    bool   sampler, order, remask, policy, cache;
    int    steps;
    double threshold;
} saying;

static bool takes_steps(const stage *s)
{
    return s->sampler == SAMPLER_ANCESTRAL || s->sampler == SAMPLER_QUOTA;
}

static status sampler_read(stage *s, saying *said, char *text)
{
    char *slash = strchr(text, '/');
    if (slash) *slash = '\0';
    s->sampler = (sampler)word_find(sampler_word, text);
    said->sampler = true;
    if (slash == NULL) return DID_OK;
    if (s->sampler == SAMPLER_FHS)
        return status_fail(DID_EINVAL, "fhs takes no steps: it draws one token per pass");
    if (s->sampler == SAMPLER_THRESHOLD)
        return in_range(text, slash + 1, 0, true, 1, &said->threshold);
    if (!whole(slash + 1, STEPS_MAX, &said->steps))
        return status_fail(DID_EINVAL,
                           "%s: found \"%s\" steps, expected a whole number from 1 to %d", text,
                           slash + 1, STEPS_MAX);
    return DID_OK;
}

static status setting_read(stage *s, saying *said, models *m, const char *name, const char *value)
{
    int word = 0;
    if (!strcmp(name, "p")) return in_range(name, value, 0, true, 1, &s->nucleus);
    if (!strcmp(name, "T")) return in_range(name, value, 0, false, 100, &s->temperature);
    if (!strcmp(name, "model")) return models_add(m, value, &s->model);
    if (!strcmp(name, "order")) {
        TRY(one_of(name, order_word, value, &word));
        s->order = (order)word;
        said->order = true;
    } else if (!strcmp(name, "policy")) {
        TRY(one_of(name, policy_word, value, &word));
        s->policy = (policy)word;
        said->policy = true;
    } else if (!strcmp(name, "confidence")) {
        TRY(one_of(name, confidence_word, value, &word));
        s->confidence = (confidence)word;
    } else if (!strcmp(name, "rule")) {
        TRY(one_of(name, rule_word, value, &word));
        s->rule = (nucleus_rule)word;
    } else if (!strcmp(name, "cache")) {
        said->cache = true;
        if (!whole(value, STEPS_MAX, &s->cache))
            return status_fail(DID_EINVAL,
                               "cache: found \"%s\", expected a whole number of passes from 1 to "
                               "%d", value, STEPS_MAX);
    } else {
        return status_fail(DID_EINVAL,
                           "unknown setting \"%s\": there are p, T, order, policy, "
                           "confidence, rule, cache and model",
                           name);
    }
    return DID_OK;
}

static bool is_sampler(const char *part)
{
    char word[16];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(part, "/"), part);
    return word_find(sampler_word, word) >= 0;
}

static status part_read(stage *s, saying *said, models *m, char *part, int place)
{
    char *equals = strchr(part, '=');
    if (equals) {
        *equals = '\0';
        return setting_read(s, said, m, part, equals + 1);
    }
    if (is_sampler(part)) return sampler_read(s, said, part);
    if (place == 1 && (isdigit((unsigned char)*part) || *part == '.' || *part == '-')) {
        said->remask = true;
        return in_range("remask share", part, 0, false, 1, &s->remask);
    }
    return status_fail(DID_EINVAL,
                       "found \"%s\", expected %sfhs, ancestral/N, quota/N, threshold/P or a "
                       "setting like p=0.9",
                       part, place == 1 ? "a remask share, " : "");
}

static void start(stage *s, const stage_defaults *d, bool draft)
{
    *s = (stage){.remask = draft ? 0 : REMASK,
                 .policy = d->policy,
                 .order = d->order,
                 .nucleus = d->nucleus,
                 .rule = d->rule,
                 .temperature = d->temperature,
                 .confidence = d->confidence};
}

/* What depends on the whole text of the stage: sampler and steps. */
static status settle(stage *s, const saying *said, const stage_defaults *d, bool draft)
{
    bool one_block = s->block == STAGE_BLOCK_WHOLE;
    if (!said->sampler) {
        s->sampler = draft && !one_block ? SAMPLER_FHS : SAMPLER_QUOTA;
        if (d->sampler >= 0) s->sampler = (sampler)d->sampler;
    }
    if (s->sampler == SAMPLER_THRESHOLD) {
        s->threshold = said->threshold > 0 ? said->threshold : d->threshold;
        if (s->threshold == 0) s->threshold = THRESHOLD;
    }
    if (takes_steps(s)) {
        s->steps = said->steps ? said->steps : d->steps;
        if (s->steps == 0) s->steps = draft && one_block ? STEPS_WHOLE_DRAFT : STEPS;
    }
    if (said->order && s->sampler != SAMPLER_QUOTA)
        return status_fail(DID_EINVAL, "order= belongs to quota; %s chooses its own order",
                           sampler_word[s->sampler]);
    bool cacheable = !draft && one_block;
    if (!said->cache && cacheable) s->cache = d->cache;
    if (said->cache && !cacheable)
        return status_fail(DID_EINVAL, "cache= belongs to a refinement of the whole document, L");
    if (draft && (said->remask || said->policy))
        return status_fail(DID_EINVAL, "the first stage drafts from nothing: it takes no %s",
                           said->remask ? "remask share" : "policy");
    return DID_OK;
}

static status stage_read(stage *s, char *text, const stage_defaults *d, models *m, bool draft)
{
    saying said = {0};
    char  *rest = text, *part = strsep(&rest, ":");
    start(s, d, draft);
    if (!strcmp(part, "L")) s->block = STAGE_BLOCK_WHOLE;
    else if (!whole(part, INT32_MAX, &s->block))
        return status_fail(DID_EINVAL, "found block \"%s\", expected a whole number of tokens or L",
                           part);
    for (int place = 1; (part = strsep(&rest, ":")); place++)
        TRY(part_read(s, &said, m, part, place));
    return settle(s, &said, d, draft);
}

status stages_parse(stage *out, int *n, const char *text, const stage_defaults *d, models *m)
{
    char copy[STAGES_TEXT_MAX], *rest = copy, *one;
    *n = 0;
    if (strlen(text) >= sizeof copy)
        return status_fail(DID_EINVAL, "stages: text of %zu bytes, at most %d allowed",
                           strlen(text), STAGES_TEXT_MAX - 1);
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            return status_fail(DID_EINVAL, "stages: found a control character (0x%02x)", *p);
    strcpy(copy, text);
    while ((one = strsep(&rest, ","))) {
        char word[PART_MAX];
        snprintf(word, sizeof word, "%s", one);
        if (*n == STAGES_MAX)
            return status_fail(DID_EINVAL, "stages \"%.80s\": more than %d stages", text,
                               STAGES_MAX);
        status s = stage_read(&out[*n], one, d, m, *n == 0 && !d->found);
        if (s != DID_OK) return status_at(s, "stage %d (%s)", *n + 1 + d->found, word);
        (*n)++;
    }
    return DID_OK;
}

/* The divisors of `length` on both sides of `block`, in words. */
static void divisors_near(int length, int block, char *text, size_t size)
{
    int below = block, above = block;
    while (length % below) below--;
    while (length % above) above++;
    snprintf(text, size, above < length ? "%d or %d" : "%d or L", below, above);
}

status stages_check(const stage *s, int n, int length, const models *m)
{
    for (int k = 0; k < n; k++) {
        int  block = stage_block(&s[k], length);
        int  trained = m->shape[s[k].model].length;
        char near[64];
        if (s[k].block > trained)
            return status_fail(DID_EINVAL,
                               "stage %d: block %d is larger than the model's length %d", k + 1,
                               s[k].block, trained);
        if (length % block) {
            divisors_near(length, block, near, sizeof near);
            return status_fail(DID_EINVAL,
                               "stage %d: block %d does not divide the length %d; %s would", k + 1,
                               block, length, near);
        }
        int before = k && s[k - 1].work != WORK_FOUND ? stage_block(&s[k - 1], length) : 0;
        if (block < before)
            return status_fail(DID_EINVAL,
                               "stage %d: block %d is smaller than the %d of the stage before; %d "
                               "or larger would work",
                               k + 1, block, before, before);
    }
    return DID_OK;
}

static long common_divisor(long a, long b)
{
    while (b) {
        long r = a % b;
        a = b;
        b = r;
    }
    return a;
}

int stages_round(const stage *s, int n, int length)
{
    long unit = 1;
    for (int k = 0; k < n && unit < INT32_MAX; k++)
        if (s[k].block != STAGE_BLOCK_WHOLE)
            unit = unit / common_divisor(unit, s[k].block) * s[k].block;
    long up = (length + unit - 1) / unit * unit;
    return up > INT32_MAX ? INT32_MAX : (int)up;
}

void stages_default(const geometry *g, char *text, size_t size)
{
    if (g->block >= g->length) snprintf(text, size, "L");
    else snprintf(text, size, "%d,L:%g", g->block, REMASK);
}

/* The shortest decimal that reads back as the same number. */
static const char *number(char *text, size_t size, double x)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    return text;
}

static size_t stage_text(const stage *s, bool draft, const models *m, char *text, size_t size)
{
    if (s->work == WORK_FOUND) return (size_t)snprintf(text, size, "found");
    char block[16] = "L", remask[40] = "", p[32], T[32], steps[40] = "", way[32] = "";
    if (s->block != STAGE_BLOCK_WHOLE) snprintf(block, sizeof block, "%d", s->block);
    if (!draft) {
        remask[0] = ':';
        number(remask + 1, sizeof remask - 1, s->remask);
        snprintf(way, sizeof way, ":policy=%s", policy_word[s->policy]);
    }
    if (takes_steps(s)) snprintf(steps, sizeof steps, "/%d", s->steps);
    if (s->sampler == SAMPLER_THRESHOLD) {
        steps[0] = '/';
        number(steps + 1, sizeof steps - 1, s->threshold);
    }
    int n = snprintf(text, size, "%s%s:%s%s%s%s:p=%s:rule=%s:T=%s%s:confidence=%s", block, remask,
                     sampler_word[s->sampler], steps, s->sampler == SAMPLER_QUOTA ? ":order=" : "",
                     s->sampler == SAMPLER_QUOTA ? order_word[s->order] : "",
                     number(p, sizeof p, s->nucleus), rule_word[s->rule],
                     number(T, sizeof T, s->temperature), way, confidence_word[s->confidence]);
    if (s->cache > 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, ":cache=%d", s->cache);
    if (s->model > 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, ":model=%s", m->dir[s->model]);
    return (size_t)n;
}

void stages_text(const stage *s, int n, const models *m, char *text, size_t size)
{
    size_t used = 0;
    for (int k = 0; k < n && used < size; k++) {
        if (k > 0) used += (size_t)snprintf(text + used, size - used, ",");
        if (used < size) used += stage_text(&s[k], k == 0, m, text + used, size - used);
    }
}
