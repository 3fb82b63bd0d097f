#include "page.h"

#include <string.h>

/* Dark text on white in print whatever the screen shows; wide things scroll in their own box. */
static const char style[] =
    ":root{--ink:#1c2430;--soft:#5b6675;--line:#d5dae1;--paper:#fff;--box:#f5f7f9;--link:#1858a8;"
    "--old:#a32626;--new:#11692f;--newbox:#dcf2e2}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1rem;max-width:72rem;color:var(--ink);background:var(--paper);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2.2rem}h3{font-size:1rem}\n"
    "a{color:var(--link)}.soft{color:var(--soft)}small,.small{font-size:.86rem}\n"
    ".wide{overflow-x:auto;border:1px solid var(--line);border-radius:4px}\n"
    "table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;width:100%}"
    "\n"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;"
    "white-space:nowrap;vertical-align:top}\n"
    "th{background:var(--box)}th:first-child,td:first-child,.left{text-align:left}\n"
    "td.words{text-align:left;white-space:normal;min-width:16rem}\n"
    "figure{margin:1.2rem 0}figure svg{display:block;width:100%;height:auto;max-width:56rem}\n"
    "figcaption{font-size:.86rem;color:var(--soft);max-width:56rem}\n"
    ".text{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--box);padding:.7rem;"
    "border-radius:4px;margin:.4rem 0}\n"
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:.8rem}\n"
    "del{color:var(--old)}ins{color:var(--new);background:var(--newbox);text-decoration:none}\n"
    ".r{text-decoration:underline dotted 2px}del.r,del{text-decoration:line-through}\n"
    ".c0{background:#f6a5a0}.c1{background:#fbc9a0}.c2{background:#fbe6a2}.c3{background:#e2efc0}"
    ".c4{background:none}.g{color:var(--soft)}\n"
    ".passed{color:var(--new);font-weight:600}.failed{color:var(--old);font-weight:600}\n"
    "@media print{body{max-width:none;font-size:10pt}.wide{overflow:visible;border:0}"
    "figure,.pair,tr{break-inside:avoid}table{font-size:8pt}th,td{padding:.1rem .3rem}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n";

void page_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        switch (c) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        default:
            /* HTML has no way to write other control characters. */
            if ((c < 32 && !strchr("\n\t", c)) || c == 127) fputs("\xEF\xBF\xBD", to);
            else fputc(c, to);
        }
    }
}

void page_begin(FILE *to, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          to);
    page_text(to, title);
    fprintf(to, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", style);
    page_text(to, title);
    fputs("</h1>\n", to);
}

void page_end(FILE *to)
{
    fputs("</body>\n</html>\n", to);
}
