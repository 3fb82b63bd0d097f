"""Looks at the report of a sweep without a browser.

    look_at_report.py FILE [WORDS...]    every element is closed, nothing leads outside, every picture
                                         has axes with units and a caption, and the words are there
    look_at_report.py --numbers FILE     its claims and its table, without what a clock has measured
"""
import html.parser
import sys

VOID = ("meta", "br")
SVG_LEADS = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.bad = [], [], []
        self.text, self.style = "", ""
        self.figures, self.tables, self.claims = [], [], []

    # One figure: its pictures, the words along and below their axes, its caption.
    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.ids.append(values["id"])
        for name, value in values.items():
            if name in SVG_LEADS and not (value or "").startswith("#"):
                self.bad.append("<%s %s=%s> leads outside" % (tag, name, value))
            if name.startswith("on"):
                self.bad.append("<%s %s> is a script" % (tag, name))
        if tag in ("script", "link", "iframe", "object", "embed", "img", "base"):
            self.bad.append("<%s> does not belong here" % tag)
        if tag == "figure":
            self.figures.append({"svg": 0, "upright": [], "level": [], "caption": ""})
        if tag == "svg":
            if not self.inside("figure"):
                self.bad.append("a picture outside of a figure")
            else:
                self.figures[-1]["svg"] += 1
        if tag == "table":
            self.tables.append([])
        if tag == "tr" and self.tables:
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "li":
            self.claims.append("")
        if tag not in VOID:
            turn = values.get("transform", "")
            self.open.append((tag, "rotate(-90" in turn or "rotate(270" in turn))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()[0] != tag:
            self.bad.append("</%s> closes another element (line %d)" % (tag, self.getpos()[0]))

    def inside(self, tag):
        return any(name == tag for name, _ in self.open)

    def handle_data(self, data):
        if self.inside("style"):
            self.style += data
            return
        self.text += data
        if self.inside("figcaption"):
            self.figures[-1]["caption"] += data
        elif self.inside("svg") and self.inside("text") and data.strip():
            upright = any(turned for _, turned in self.open)
            self.figures[-1]["upright" if upright else "level"].append(data.strip())
        if self.inside("li"):
            self.claims[-1] += data
        if self.inside("td") or self.inside("th"):
            self.tables[-1][-1][-1] += data + " "

    def look(self):
        self.close()
        if self.open:
            self.bad.append("not closed: %s" % self.open)
        if len(self.ids) != len(set(self.ids)):
            self.bad.append("an id occurs twice")
        if "url(" in self.style or "@import" in self.style:
            self.bad.append("the style leads outside")
        for number, figure in enumerate(self.figures, 1):
            what = "figure %d: " % number
            if len(figure["caption"]) < 80 or "Shown: " not in figure["caption"]:
                self.bad.append(what + "the caption does not say what was run")
            if figure["svg"] != 1:
                continue
            if not figure["upright"]:
                self.bad.append(what + "no words along the upright axis")
            for label in figure["upright"]:
                if label != "setting" and "(" not in label:
                    self.bad.append(what + "no unit in \"%s\"" % label)
            if not any("(" in label for label in figure["level"]):
                self.bad.append(what + "no words and unit below the level axis")

    def numbers(self):
        yield from self.claims
        for table in self.tables:
            measured = [i for i, cell in enumerate(table[0])
                        if cell.split()[:1] == ["seconds"] or cell.split()[:2] == ["tokens", "per"]]
            if len(table[0]) > 5:
                for row in table:
                    yield "|".join(c for i, c in enumerate(row) if i not in measured)


def main():
    numbers = sys.argv[1] == "--numbers"
    page = Page()
    with open(sys.argv[1 + numbers], encoding="utf-8") as file:
        page.feed(file.read())
    page.look()
    if numbers:
        print("\n".join(page.numbers()))
        return 0
    page.bad += ["\"%s\" is missing" % w for w in sys.argv[2:] if w not in page.text]
    print("\n".join(page.bad), end="")
    return bool(page.bad)


sys.exit(main())
