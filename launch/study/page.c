#include "page.h"

#include <string.h>

/* Dark text on white in print whatever the screen shows; wide things scroll in their own box. */
static const char style[] =
    ":root{--ink:#1c2430;--soft:#5b6675;--line:#d5dae1;--paper:#fff;--box:#f5f7f9;--link:#1858a8;"
    "--old:#a32626;--new:#11692f;--newbox:#dcf2e2}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1.2rem 1rem 3rem;max-width:76rem;color:var(--ink);"
    "background:var(--paper);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:.4rem 0}"
    "h2{font-size:1.25rem;margin:2.4rem 0 .8rem;padding-bottom:.2rem;"
    "border-bottom:2px solid var(--ink)}h3{font-size:1rem;margin:.6rem 0}\n"
    "a{color:var(--link)}.soft{color:var(--soft)}small,.small{font-size:.86rem}\n"
    ".line{display:flex;flex-wrap:wrap;gap:.4rem;font-size:.86rem}"
    ".line span{background:var(--box);border:1px solid var(--line);border-radius:1rem;"
    "padding:.1rem .7rem;overflow-wrap:anywhere}\n"
    ".claims{list-style:none;padding:0;display:grid;gap:.6rem;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr))}"
    ".claims li{border-left:.3rem solid var(--new);background:var(--box);padding:.4rem .7rem;"
    "line-height:1.35;overflow-wrap:anywhere}.claims li.failed{border-color:var(--old)}"
    ".badge{color:var(--new);font-weight:700;font-size:.8rem;letter-spacing:.03em}"
    ".failed .badge,small.failed{color:var(--old)}\n"
    ".wide{overflow-x:auto;border:1px solid var(--line);border-radius:4px}\n"
    "table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;width:100%}"
    "\n"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;"
    "white-space:nowrap;vertical-align:top}\n"
    "th{background:var(--box)}th:first-child,td:first-child,.left{text-align:left}\n"
    ".rows tbody tr:hover td{background:var(--box)}"
    ".rows td:nth-child(2){position:sticky;left:0;background:var(--paper);white-space:normal;"
    "min-width:8rem}\n"
    "td.words{text-align:left;white-space:normal;min-width:16rem;overflow-wrap:anywhere}\n"
    ".plots{display:grid;gap:1.6rem 2rem;align-items:start;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr))}\n"
    "figure{margin:0}figure svg{display:block;width:100%;height:auto}\n"
    "figcaption{font-size:.86rem;color:var(--soft)}\n"
    ".text{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--box);padding:.7rem;"
    "border-radius:4px;margin:.4rem 0}\n"
    ".pair{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));"
    "gap:.8rem}\n"
    "del{color:var(--old)}ins{color:var(--new);background:var(--newbox);text-decoration:none}\n"
    ".r{text-decoration:underline dotted 2px}del.r,del{text-decoration:line-through}\n"
    ".c0{background:#f6a5a0}.c1{background:#fbc9a0}.c2{background:#fbe6a2}.c3{background:#e2efc0}"
    ".c4{background:none}.g{color:var(--soft)}\n"
    "@media print{@page{margin:14mm}body{max-width:none;padding:0;font-size:10pt}"
    ".wide{overflow:visible;border:0}.plots{grid-template-columns:1fr 1fr;gap:1rem}"
    "figure,.claims li,.pair>div,tr{break-inside:avoid}h2,h3{break-after:avoid}"
    "table{font-size:6pt}th,td{padding:.1rem .2rem}.rows td:nth-child(2){position:static}"
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
