#!/usr/bin/env bash
# did sweep: the same tables on one rank and on two, after a kill as without one, a report that parses
# and names its axes, the shipped specs, and refusals. $DID is the program.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
models=${DID_TEST_MODELS:-$here/../models}
specs=$here/../../bench/specs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# The search for leaks is slow: one run does it, on one rank.
sanitizer=${ASAN_OPTIONS:-}
no_leaks() { ASAN_OPTIONS=$sanitizer:detect_leaks=0 "$@"; }

usual=(--model "$models/did-tiny" --scorer "$models/gpt2-tiny-scorer" --quiet)

cat >"$work/spec" <<'SPEC'
title     = A sweep for a test
length    = 32
documents = 2
seeds     = 5 6
baseline  = draft
frontier  = drafts
claim     = NFE is what it is: nfe(refined remask=0.5 policy=lowest) = 35 +- 0
claim     = more is reopened, more is changed: edits(refined remask=0.5 policy=lowest) > edits(refined remask=0.25 policy=lowest)
claim     = and less is not: edits(refined remask=0.25 policy=lowest) > edits(refined remask=0.5 policy=lowest)
[draft]
stages = 4
[drafts]
stages  = 4
nucleus = 0.6 0.9
[refined]
about  = what is reopened, and how much
stages = 4,L:{remask}:quota/4
remask = 0.25 0.5
policy = lowest random posthoc
SPEC
documents=36

# ---- one rank, two ranks
"$did" sweep "${usual[@]}" --spec "$work/spec" --output "$work/one" >"$work/one.out" ||
    fail "one rank: exit code $?"
no_leaks mpirun --oversubscribe -n 2 "$did" sweep "${usual[@]}" --spec "$work/spec" \
    --output "$work/two" --trace >"$work/two.out" || fail "two ranks: exit code $?"
for table in rows.csv rows.jsonl; do
    cmp "$work/one/$table" "$work/two/$table" || fail "$table differs between one and two ranks"
done
cmp "$work/one.out" "$work/two.out" || fail "stdout differs between one and two ranks"
[ "$(wc -l <"$work/one/rows.csv")" = 10 ] || fail "rows.csv has not a header and nine rows"
[ "$(wc -l <"$work/one/documents.jsonl")" = $documents ] || fail "not all documents are written"
for said in 'PASSED: NFE is what it is' 'PASSED: more is reopened' 'FAILED: and less is not'; do
    grep -q "^$said" "$work/one.out" || fail "stdout lacks \"$said\""
done

# A sample of did generate with the same seed is the same text.
no_leaks "$did" generate --model "$models/did-tiny" --quiet -n 1 --seed 6 --length 32 --stages 4 \
    >"$work/sample" || fail "did generate"
python3 - "$work/sample" "$work/one/documents.jsonl" <<'PYTHON' || fail "a draft is not did generate's"
import json, sys
sample = json.load(open(sys.argv[1]))
swept = {d["custom_id"]: d for d in map(json.loads, open(sys.argv[2]))}
sys.exit(swept["draft/6/000000"]["text"] != sample["text"])
PYTHON

# ---- a kill in the middle, and the same command again
"$did" sweep "${usual[@]}" --spec "$work/spec" --output "$work/killed" --save-interval-s 0 \
    >"$work/killed.out" 2>&1 &
victim=$!
until [ -s "$work/killed/documents.jsonl" ] && [ "$(wc -l <"$work/killed/documents.jsonl")" -ge 5 ]
do
    kill -0 $victim 2>/dev/null || break
    sleep 0.02
done
kill -9 $victim 2>/dev/null || fail "the sweep was over before it could be killed"
wait $victim 2>/dev/null
before=$(wc -l <"$work/killed/documents.jsonl")
[ -e "$work/killed/rows.csv" ] && fail "a killed sweep has left tables"
no_leaks mpirun --oversubscribe -n 2 "$did" sweep --model "$models/did-tiny" \
    --scorer "$models/gpt2-tiny-scorer" --spec "$work/spec" --output "$work/killed" \
    >"$work/killed.out" 2>"$work/killed.err" || fail "the sweep that goes on: exit code $?"
grep -q " of $documents documents were finished before" "$work/killed.err" ||
    fail "the second start does not say what was there ($before lines were)"
for table in rows.csv rows.jsonl; do
    cmp "$work/one/$table" "$work/killed/$table" || fail "$table differs after a kill"
done
cmp <(sort "$work/one/documents.jsonl") <(sort "$work/killed/documents.jsonl") ||
    fail "documents differ after a kill"

# ---- everything is there: nothing is computed again, and the tables come out the same
rm "$work/killed/rows.csv"
no_leaks "$did" sweep --model "$models/did-tiny" --scorer "$models/gpt2-tiny-scorer" \
    --spec "$work/spec" --output "$work/killed" >/dev/null 2>"$work/killed.err" || fail "third start"
grep -q "$documents of $documents documents were finished before" "$work/killed.err" ||
    fail "the third start computes something"
cmp "$work/one/rows.csv" "$work/killed/rows.csv" || fail "rows.csv differs when written again"

# ---- the report
python3 - "$work/one/report.html" "$(command -v gnuplot)" <<'PYTHON' || fail "the report"
import html.parser, sys

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.text, self.bad = [], [], "", []
    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("src", "href", "xlink:href"):
            if not values.get(name, "#").startswith("#"):
                self.bad.append("<%s %s=%s> leads outside" % (tag, name, values[name]))
        if tag not in ("meta", "br"):
            self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append("</%s> closes another element" % tag)
    def handle_data(self, data):
        self.text += data

page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
if page.open:
    page.bad.append("not closed: %s" % page.open)
if len(page.ids) != len(set(page.ids)):
    page.bad.append("an id occurs twice")
wanted = ["A sweep for a test", "PASSED", "FAILED", "Over remask", "9 settings of 4 documents",
          "Figure 5.", "Samples"]
if sys.argv[2]:
    wanted += ["perplexity (pooled over tokens)", "entropy (nats, unigram)",
               "remask share (of the free tokens)", "row evaluations (positions per document)",
               "change of a document's mean nll (nats per token)"]
else:
    wanted += ["gnuplot was not found"]
page.bad += ["\"%s\" is missing" % w for w in wanted if w not in page.text]
print("\n".join(page.bad), end="")
sys.exit(bool(page.bad))
PYTHON

# ---- did show, on a document of the sweep
no_leaks "$did" show "$work/two/documents.jsonl" --model "$models/did-tiny" --color never \
    --id 'refined remask=0.5 policy=lowest/5/000001' >"$work/shown" || fail "did show: exit code $?"
grep -q 'stage 2: refine, the whole at once, 0.5 reopened (lowest)' "$work/shown" &&
    grep -qF '{+' "$work/shown" && grep -q '; perplexity ' "$work/shown" ||
    fail "did show does not show the refinement"

# ---- the shipped specs, as small as can be; the sanitizers are slow and see the same code in two
shipped=("$specs"/*.spec)
size=128 # blocks.spec has blocks of that
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && shipped=("$specs/weights.spec" "$specs/policy.spec") size=32
for spec in "${shipped[@]}"; do
    no_leaks mpirun --oversubscribe -n 2 "$did" sweep "${usual[@]}" --spec "$spec" \
        --set "length=$size; documents=1; seeds=1; steps=2" --output "$work/shipped" \
        --model-for "small=$models/did-tiny,mixed=$models/did-tiny,refiner=$models/did-tiny" \
        >"$work/shipped.out" || fail "$spec: exit code $?"
    grep -q '^PASSED: \|^FAILED: ' "$work/shipped.out" || fail "$spec decides no claim"
    rm -rf "$work/shipped"
done

# ---- refusals: one sentence, the agreed exit code
refused() {
    local code=$1 sentence=$2 got
    shift 2
    no_leaks "$did" sweep "$@" --output "$work/refused" >"$work/stdout" 2>"$work/stderr" </dev/null
    got=$?
    if [ $got != "$code" ] || [ "$(grep -c '^did: error: ' "$work/stderr")" != 1 ] ||
        ! grep -qF -- "$sentence" "$work/stderr"; then
        fail "did sweep $*: exit code $got, expected $code with: $sentence"
        sed 's/^/  | /' "$work/stderr"
    fi
}
spec_refused() {
    printf '%b' "$1" >"$work/bad"
    refused 3 "$work/bad$2" "${usual[@]}" --spec "$work/bad"
}
refused 2 '--spec is missing: name a file of settings' "${usual[@]}"
refused 2 '--scorer is missing: name the directory of a causal checkpoint' --spec "$work/spec" \
    --model "$models/did-tiny"
refused 3 "cannot read $work/none" "${usual[@]}" --spec "$work/none"
refused 4 'must be a model that reads left to right' --spec "$work/spec" --quiet \
    --model "$models/did-tiny" --scorer "$models/did-tiny/."
refused 4 '/no/model/config.json' --spec "$work/spec" --quiet --model /no/model \
    --scorer "$models/gpt2-tiny-scorer"
refused 3 'with its changes: length: found "1"' "${usual[@]}" --spec "$work/spec" --set length=1
spec_refused 'lenght = 5\n' ':1: key: found "lenght"'
spec_refused '[a]\nstages = 4,L:{remask}\n' ':2: stages: {remask} is no key of section "a"'
spec_refused '[a]\n\nstages = 3\nlength = 64\n' \
    ':3: setting "a": stage 1: block 3 does not divide the length 64'
spec_refused '[a]\nstages = 4,L:2\n' ':2: setting "a": stage 2 (L:2): remask share: found "2"'
spec_refused '[a]\nstages = 4,L,L,L,L,L,L,L\n' ':2: setting "a": 8 stages leave no place'
printf 'x' >"$work/file"
no_leaks "$did" sweep "${usual[@]}" --spec "$work/spec" --output "$work/file" 2>"$work/stderr"
[ $? = 2 ] && grep -q 'cannot make this directory' "$work/stderr" || fail "--output that is a file"

echo "$failures failures"
((failures == 0))
