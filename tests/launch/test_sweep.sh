#!/usr/bin/env bash
# did sweep: the same tables on one, two and four ranks, after a kill as without one, a report that
# parses and names its axes, the shipped specs, and refusals. $DID is the program.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
models=${DID_TEST_MODELS:-$here/../models}
model=$models/${DID_TEST_MODEL:-did-tiny}
specs=$here/../../bench/specs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# The search for leaks is slow: one run does it, on one rank.
sanitizer=${ASAN_OPTIONS:-}
no_leaks() { ASAN_OPTIONS=$sanitizer:detect_leaks=0 "$@"; }

usual=(--model "$model" --scorer "$models/gpt2-tiny-scorer" --quiet)

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

# The tables without what a clock has measured, and the numbers of the report.
same_numbers() {
    local one=$1 other=$2
    cmp <(sed 's/\(,[^,]*\)\{4\}$//' "$one/rows.csv") <(sed 's/\(,[^,]*\)\{4\}$//' "$other/rows.csv") ||
        fail "rows.csv differs: $other"
    cmp <(untimed "$one") <(untimed "$other") || fail "rows.jsonl differs: $other"
    cmp <(python3 "$here/look_at_report.py" --numbers "$one/report.html") \
        <(python3 "$here/look_at_report.py" --numbers "$other/report.html") ||
        fail "the numbers of the report differ: $other"
}
untimed() { sed -E 's/,"seconds":\{[^}]*\}//; s/,"tokens_s":[^,]*//' "$1/rows.jsonl"; }

# ---- one rank, four ranks
"$did" sweep "${usual[@]}" --spec "$work/spec" --output "$work/one" >"$work/one.out" ||
    fail "one rank: exit code $?"
no_leaks mpirun --oversubscribe -n 4 "$did" sweep "${usual[@]}" --spec "$work/spec" \
    --output "$work/four" --trace >"$work/four.out" || fail "four ranks: exit code $?"
same_numbers "$work/one" "$work/four"
cmp "$work/one.out" "$work/four.out" || fail "stdout differs between one and four ranks"
[ "$(wc -l <"$work/one/rows.csv")" = 10 ] || fail "rows.csv has not a header and nine rows"
[ "$(wc -l <"$work/one/documents.jsonl")" = $documents ] || fail "not all documents are written"
head -n 1 "$work/one/rows.csv" | grep -q ',seconds,seconds_low,seconds_high,tokens_s$' ||
    fail "the last columns are not what was measured"
python3 - "$work/one/rows.csv" <<'PYTHON' || fail "a setting without its time"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
times = {r["setting"]: float(r["seconds"]) for r in rows}
sys.exit(not all(t > 0 for t in times.values()))
PYTHON
for said in 'PASSED: NFE is what it is' 'PASSED: more is reopened' 'FAILED: and less is not'; do
    grep -q "^$said" "$work/one.out" || fail "stdout lacks \"$said\""
done

# Where layers and positions lie changes no number either; a grid of its own has its own last bits.
computed() {
    local name=$1
    shift
    no_leaks mpirun --oversubscribe -n 2 "$did" sweep "${usual[@]}" --spec "$work/spec" \
        --output "$work/$name" --threads 1 "$@" >"$work/$name.out" 2>"$work/$name.err" ||
        fail "$name: exit code $?: $(tail -n 2 "$work/$name.err")"
}
computed depths --pp 2 --groups 3
same_numbers "$work/one" "$work/depths"
computed span --refine-span 2
same_numbers "$work/one" "$work/span"
computed grid --layout 2d --set "documents=1; seeds=5"
[ "$(wc -l <"$work/grid/rows.csv")" = 10 ] || fail "--layout 2d: rows.csv has not nine rows"
computed columns --tp 2 --wire bf16 --set "documents=1; seeds=5"
grep -q '^PASSED: NFE is what it is' "$work/columns.out" || fail "--tp 2 --wire bf16 decides nothing"

# Everything made for each setting alone: the same documents, draw for draw, and the same tables.
no_leaks mpirun --oversubscribe -n 2 "$did" sweep "${usual[@]}" --spec "$work/spec" --no-share \
    --output "$work/apart" --trace >"$work/apart.out" || fail "--no-share: exit code $?"
same_numbers "$work/one" "$work/apart"
cmp <(sort "$work/four/documents.jsonl") <(sort "$work/apart/documents.jsonl") ||
    fail "what is shared is not what each setting makes alone"
shared=$(grep -c '^{"custom_id":"shared/' "$work/one/seconds.jsonl")
[ "$shared" = 4 ] || fail "$shared drafts are made once, expected one for each document of a seed"
grep -q shared/ "$work/apart/seconds.jsonl" && fail "--no-share shares"
"$did" fsck --state "$work/one/state.db" --output "$work/one/documents.jsonl" >"$work/fsck" ||
    fail "did fsck: $(cat "$work/fsck")"

# A sample of did generate with the same seed is the same text.
no_leaks "$did" generate --model "$model" --quiet -n 1 --seed 6 --length 32 --stages 4 \
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
head -n "$before" "$work/killed/documents.jsonl" >"$work/before"
[ -e "$work/killed/rows.csv" ] && fail "a killed sweep has left tables"
no_leaks mpirun --oversubscribe -n 2 "$did" sweep --model "$model" \
    --scorer "$models/gpt2-tiny-scorer" --spec "$work/spec" --output "$work/killed" \
    >"$work/killed.out" 2>"$work/killed.err" || fail "the sweep that goes on: exit code $?"
grep -q " of $documents documents were finished before" "$work/killed.err" ||
    fail "the second start does not say what was there ($before lines were)"
same_numbers "$work/one" "$work/killed"
cmp <(head -n "$before" "$work/killed/documents.jsonl") "$work/before" ||
    fail "what was written before the kill is no longer there"
python3 - "$work/before" "$work/killed/seconds.jsonl" <<'PYTHON' || fail "a document was made twice"
import collections, json, sys
times = [json.loads(line) for line in open(sys.argv[2])]
made = collections.Counter(time["custom_id"] for time in times)
after = {time["custom_id"]: time.get("after") for time in times}
before = [json.loads(line)["custom_id"] for line in open(sys.argv[1])]
shared = {after[name] for name in before if after.get(name)}
sys.exit(not shared or any(made[name] > 1 for name in before + list(shared)))
PYTHON
cmp <(sort "$work/one/documents.jsonl") <(sort "$work/killed/documents.jsonl") ||
    fail "documents differ after a kill"

# ---- everything is there: nothing is computed again, and the tables come out the same
rm "$work/killed/rows.csv"
no_leaks "$did" sweep --model "$model" --scorer "$models/gpt2-tiny-scorer" \
    --spec "$work/spec" --output "$work/killed" >/dev/null 2>"$work/killed.err" || fail "third start"
grep -q "$documents of $documents documents were finished before" "$work/killed.err" ||
    fail "the third start computes something"
same_numbers "$work/one" "$work/killed"

# ---- the report
words=("A sweep for a test" PASSED FAILED "9 settings of 4 documents" "Figure 5." Samples)
if command -v gnuplot >/dev/null; then
    words+=("perplexity (pooled over tokens)" "entropy (nats, unigram)" "over remask"
            "remask share (of the free tokens)" "row evaluations (positions per document)"
            "seconds (per document, its share of the passes it took part in)"
            "gap to the frontier (nats per token)"
            "change of a document's mean nll (nats per token)")
else
    words+=("gnuplot was not found")
fi
python3 "$here/look_at_report.py" "$work/one/report.html" "${words[@]}" || fail "the report"

# A browser, where there is one: what it would complain about, and what it would fetch.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -n "$browser" ] && [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/browser" \
        --enable-logging=stderr --dump-dom "file://$work/one/report.html" \
        >"$work/dom" 2>"$work/console" </dev/null || fail "the browser ends with $?"
    grep -q '</figure>' "$work/dom" || fail "the browser shows no figure"
    grep ':CONSOLE' "$work/console" && fail "the browser's console is not silent"
fi

# ---- did show, on a document of the sweep
no_leaks "$did" show "$work/four/documents.jsonl" --model "$model" --color never \
    --id 'refined remask=0.5 policy=lowest/5/000001' >"$work/shown" || fail "did show: exit code $?"
grep -q 'stage 2: refine, the whole at once, 0.5 reopened (lowest)' "$work/shown" &&
    grep -qF '{+' "$work/shown" && grep -q '; perplexity ' "$work/shown" ||
    fail "did show does not show the refinement"

# ---- the shipped specs: all of them in their full size up to the moment where documents would be made,
# and two of them to the end, as small as can be.
named=(--model-for "small=$model,mixed=$model,refiner=$model")
for spec in "$specs"/*.spec; do
    no_leaks "$did" sweep "${usual[@]}" "${named[@]}" --spec "$spec" --maxh 1e-9 \
        --output "$work/shipped" >"$work/shipped.out" 2>&1
    [ $? = 6 ] || fail "$spec: $(tail -n 3 "$work/shipped.out")"
    rm -rf "$work/shipped"
done
for spec in weights policy; do
    no_leaks "$did" sweep "${usual[@]}" "${named[@]}" --spec "$specs/$spec.spec" \
        --set "length=32; documents=1; seeds=1" --output "$work/shipped" >"$work/shipped.out" ||
        fail "$spec.spec: exit code $?"
    grep -q '^PASSED: \|^FAILED: ' "$work/shipped.out" || fail "$spec.spec decides no claim"
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
refused 2 '--pp 2 does not divide the 1 rank of this run' "${usual[@]}" --spec "$work/spec" --pp 2
refused 2 '--refine-span: found "wide"' "${usual[@]}" --spec "$work/spec" --refine-span wide
refused 2 '--scorer is missing: name the directory of a causal checkpoint' --spec "$work/spec" \
    --model "$model"
refused 3 "cannot read $work/none" "${usual[@]}" --spec "$work/none"
refused 4 'must be a model that reads left to right' --spec "$work/spec" --quiet \
    --model "$model" --scorer "$model/."
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
