#include "manual.h"

#include <string.h>

#include "roff.h"

static void option_item(FILE *to, const option *p)
{
    char        head[80], text[1400], letter[8] = "";
    const char *without = p->initial ? p->initial : p->silent;
    if (p->letter) snprintf(letter, sizeof letter, "-%c, ", p->letter);
    snprintf(head, sizeof head, "%s--%s", letter, p->name);
    if (p->kind == OPTION_FLAG || without == NULL) snprintf(text, sizeof text, "%s.", p->help);
    else if (!strcmp(without, "must be given"))
        snprintf(text, sizeof text, "%s. It must be given.", p->help);
    else snprintf(text, sizeof text, "%s. Default: %s.", p->help, without);
    roff_item(to, head, p->kind == OPTION_FLAG ? NULL : p->value, text);
}

void manual_exit_codes(FILE *to)
{
    static const char *const codes[][2] = {
        {"0", "Done."},
        {"1", "Something inside went wrong."},
        {"2", "The command line is wrong, or does not fit this machine."},
        {"3", "The input is wrong; the sentence names file, line and what was expected."},
        {"4", "A model cannot be read, or does not fit the others."},
        {"5", "Some documents failed; their records say why."},
        {"6", "Stopped early; the same command goes on."},
        {"7", "A rank or a peer was lost."}};
    roff_section(to, "EXIT STATUS");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        roff_item(to, codes[i][0], NULL, codes[i][1]);
}

void manual_page(FILE *to, const option_table *t, const char *version)
{
    char name[64];
    snprintf(name, sizeof name, "did %s", t->command);
    roff_begin(to, name, version, t->summary, t->usage);
    roff_section(to, "OPTIONS");
    for (int i = 0; i < t->n; i++) {
        if (t->option[i].name) option_item(to, &t->option[i]);
        else roff_subsection(to, t->option[i].help);
    }
    manual_exit_codes(to);
    roff_section(to, "SEE ALSO");
    roff_paragraph(to, "did(1)");
}
