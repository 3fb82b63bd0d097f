#include "view_html.h"

#include <math.h>

#include "page.h"

static void tell(FILE *to, const view_token *t)
{
    if (isinf(t->confidence)) fputs("given", to);
    else if (isnan(t->confidence)) fputs("confidence not recorded", to);
    else fprintf(to, "%.3g, stage %d, step %d", (double)t->confidence, t->stage + 1, t->step);
}

static void token(FILE *to, const char *element, const view_token *t)
{
    int level = view_level(t->confidence);
    if (t->text[0] == '\0') return;
    fprintf(to, "<%s class=\"", element);
    if (level == VIEW_LEVEL_NONE) fputs("g", to);
    else fprintf(to, "c%d", level);
    fprintf(to, "%s\" title=\"", t->reopens ? " r" : "");
    tell(to, t);
    fputs("\">", to);
    page_text(to, t->text);
    fprintf(to, "</%s>", element);
}

static void edit(FILE *to, const view_stage *s, int first, int end)
{
    fputs("<del>", to);
    for (int i = first; i < end; i++) page_text(to, s->token[i].before);
    fputs("</del>", to);
    for (int i = first; i < end; i++) token(to, "ins", &s->token[i]);
}

static void stage_write(FILE *to, const view_stage *s)
{
    fputs("<section>\n<h2>", to);
    page_text(to, s->title);
    fputs("</h2>\n<p class=\"soft\">", to);
    page_text(to, s->costs);
    fputs("</p>\n", to);
    if (s->n > 0) fputs("<p class=\"text\">", to);
    for (int i = 0, end; i < s->n; i = end) {
        if (view_edit(s, i, &end)) {
            edit(to, s, i, end);
        } else {
            token(to, "span", &s->token[i]);
            end = i + 1;
        }
    }
    fputs(s->n > 0 ? "</p>\n</section>\n" : "</section>\n", to);
}

static void key(FILE *to)
{
    fputs("<p class=\"small\">Confidence when placed:", to);
    for (int k = 0; k < VIEW_LEVELS - 1; k++)
        fprintf(to, " <span class=\"c%d\">below %g</span>", k, view_level_end[k]);
    fputs(
        "; <span class=\"r\">underlined</span>: reopened by the next stage; <del>old</del>"
        "<ins>new</ins>: changed by this one. A token under the pointer tells its confidence, and "
        "the stage and step that placed it.</p>\n",
        to);
}

void view_html_write(FILE *to, const view *v)
{
    page_begin(to, v->name);
    fputs("<p>", to);
    page_text(to, v->ending);
    fputs("</p>\n", to);
    if (v->traced) key(to);
    for (int k = 0; k < v->n_stages; k++) stage_write(to, &v->stage[k]);
    if (!v->traced && v->text) {
        fputs("<p class=\"text\">", to);
        page_text(to, v->text);
        fputs("</p>\n", to);
    }
    page_end(to);
}
