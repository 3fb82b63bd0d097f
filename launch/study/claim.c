#include "claim.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[MEASURES] = {
    "nll",     "perplexity", "perplexity-mean", "perplexity-text",
    "entropy", "repeated",   "edits",           "nfe",
    "rows",    "gap",        "seconds",         "change"};

const char *measure_name(measure m)
{
    return names[m];
}

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for a claim");
}

/* text[size] without blanks around it, malloc'ed. */
static char *trimmed(const char *text, size_t size)
{
    while (size > 0 && isspace((unsigned char)*text)) text++, size--;
    while (size > 0 && isspace((unsigned char)text[size - 1])) size--;
    return strndup(text, size);
}

static status measure_find(measure *out, const char *word)
{
    for (*out = 0; *out < MEASURES; ++*out)
        if (!strcmp(word, names[*out])) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "claim: found \"%.40s\", expected nll, perplexity, perplexity-mean, "
                       "perplexity-text, entropy, repeated, edits, nfe, rows, gap, seconds or change",
                       word);
}

static bool number_read(double *out, const char *text)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

/* "measure(setting)" */
static status measured_read(claim_term *t, const char *text)
{
    const char *open = strchr(text, '(');
    size_t      size = strlen(text);
    if (!open || text[size - 1] != ')')
        return status_fail(DID_EFORMAT,
                           "claim: found \"%.60s\", expected a number or measure(setting)", text);
    char *word = trimmed(text, (size_t)(open - text));
    t->name = trimmed(open + 1, size - (size_t)(open - text) - 2);
    status s = word && t->name ? measure_find(&t->what, word) : no_memory();
    free(word);
    return s;
}

static status term_read(claim_term *t, const char *from, size_t size)
{
    char  *text = trimmed(from, size);
    status s = DID_OK;
    t->setting = -1;
    if (!text) return no_memory();
    if (!number_read(&t->number, text)) s = measured_read(t, text);
    free(text);
    return s;
}

/* "number of count": what somebody reported. False when it is something else. */
static bool reported_read(claim *c, const char *text)
{
    enum { REPORTED_MAX = 1000000000 };
    char  *end, *last;
    double number = strtod(text, &end);
    if (end == text || !isfinite(number)) return false;
    end += strspn(end, " \t");
    if (strncmp(end, "of", 2) != 0) return false;
    long count = strtol(end + 2, &last, 10);
    if (last == end + 2 || count < 1 || count > REPORTED_MAX) return false;
    c->right = (claim_term){.setting = -1, .number = number};
    c->reported = (int)count;
    return last[strspn(last, " \t")] == '\0';
}

/* What follows "=": a term, "+-" and a number. */
static status tolerance_read(claim *c, const char *text)
{
    if (reported_read(c, text)) return DID_OK;
    const char *between = strstr(text, "+-");
    char       *spread = trimmed(between ? between + 2 : "", between ? strlen(between + 2) : 0);
    bool        good = spread && number_read(&c->tolerance, spread) && c->tolerance >= 0;
    free(spread);
    if (good) return term_read(&c->right, text, (size_t)(between - text));
    return status_fail(DID_EFORMAT, "claim: found \"=%.40s\", expected = ... +- number, or "
                       "= number of documents", text);
}

/* The relation after a term; an "=" inside of "(lowest remask=0.25)" is none. */
static const char *relation_of(const char *text)
{
    int depth = 0;
    for (; *text; text++) {
        depth += (*text == '(') - (*text == ')');
        if (depth == 0 && strchr("<>=", *text)) return text;
    }
    return NULL;
}

static status condition_read(claim *c, const char *text)
{
    const char *at = relation_of(text);
    if (!at)
        return status_fail(DID_EFORMAT,
                           "claim: found \"%.60s\", expected a condition with <, > or =", text);
    c->relation = *at;
    TRY(term_read(&c->left, text, (size_t)(at - text)));
    if (!c->left.name)
        return status_fail(DID_EFORMAT,
                           "claim: found the number %g in front, expected "
                           "measure(setting)",
                           c->left.number);
    if (c->relation == '=') TRY(tolerance_read(c, at + 1));
    else TRY(term_read(&c->right, at + 1, strlen(at + 1)));
    if (!c->right.name || c->left.what == c->right.what) return DID_OK;
    return status_fail(DID_EFORMAT, "claim: found %s and %s, expected one measure on both sides",
                       names[c->left.what], names[c->right.what]);
}

/* The last colon that is not in the name of a setting. */
static const char *colon_of(const char *text)
{
    const char *found = NULL;
    int         depth = 0;
    for (; *text; text++) {
        depth += (*text == '(') - (*text == ')');
        if (depth == 0 && *text == ':') found = text;
    }
    return found;
}

status claim_parse(claim *out, const char *text)
{
    const char *colon = colon_of(text);
    *out = (claim){0};
    if (!colon || colon == text)
        return status_fail(DID_EFORMAT,
                           "claim: found \"%.60s\", expected a sentence, a colon and a condition",
                           text);
    out->sentence = trimmed(text, (size_t)(colon - text));
    if (!out->sentence) return no_memory();
    return condition_read(out, colon + 1);
}

void claim_clear(claim *c)
{
    free(c->sentence);
    free(c->left.name);
    free(c->right.name);
    *c = (claim){0};
}
