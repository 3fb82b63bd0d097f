#include "roff.h"

#include <ctype.h>
#include <string.h>

/* A dash is to stay one that can be copied into a shell, and a line may begin with a point. */
static void text_of(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '-') fputs("\\-", to);
        else if (*text == '\\') fputs("\\e", to);
        else if (*text == '\n') fputs(" ", to);
        else fputc(*text, to);
    }
}

/* An argument of a macro: blanks belong to it, and `more` behind it. */
static void argument(FILE *to, const char *text, const char *more)
{
    fputs(" \"", to);
    for (const char *p = text; *p; p++) {
        if (*p == '"') fputs("\\(dq", to);
        else if (*p == '-') fputs("\\-", to);
        else if (*p == '\\') fputs("\\e", to);
        else fputc(*p, to);
    }
    fprintf(to, "%s\"", more);
}

void roff_begin(FILE *to, const char *name, const char *version, const char *summary,
                const char *usage)
{
    char title[64];
    snprintf(title, sizeof title, "%s", name);
    for (char *c = title; *c; c++) *c = *c == ' ' ? '-' : (char)toupper((unsigned char)*c);
    fputs(".TH", to);
    argument(to, title, "");
    fputs(" 1 \"\"", to);
    argument(to, version, "");
    fputs(" \"did\"\n.SH NAME\n", to);
    for (const char *c = name; *c; c++) fputs(*c == ' ' || *c == '-' ? "\\-" : (char[]){*c, 0}, to);
    fputs(" \\- ", to);
    text_of(to, summary);
    fputs("\n.SH SYNOPSIS\n.B ", to);
    text_of(to, name);
    fputc('\n', to);
    text_of(to, usage);
    fputc('\n', to);
}

void roff_section(FILE *to, const char *title)
{
    fputs(".SH", to);
    argument(to, title, "");
    fputc('\n', to);
}

void roff_subsection(FILE *to, const char *title)
{
    fputs(".SS", to);
    argument(to, title, "");
    fputc('\n', to);
}

void roff_paragraph(FILE *to, const char *text)
{
    fputs(".PP\n", to);
    text_of(to, text);
    fputc('\n', to);
}

void roff_item(FILE *to, const char *head, const char *value, const char *text)
{
    fputs(".TP\n.BI", to);
    argument(to, head, value ? " " : "");
    if (value) argument(to, value, "");
    fputc('\n', to);
    text_of(to, text);
    fputc('\n', to);
}
