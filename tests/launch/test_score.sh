#!/usr/bin/env bash
# `did score`: the same bytes on any number of ranks, one sentence and the agreed exit code for what
# is wrong. $DID is the program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
models=${DID_TEST_MODELS:-$here/../models}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

complain() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    head -20 "$work/stderr" | sed 's/^/  | /'
}

score() {
    local ranks=$1
    shift
    local launch=(mpirun --oversubscribe -n "$ranks")
    [ "$ranks" = 1 ] && launch=()
    timeout -k 5 240 "${launch[@]}" "$did" score --quiet "$@" \
        >"$work/stdout" 2>"$work/stderr" </dev/null
}

# same NAME WORD...   on one rank and on three: table, JSON and lines
same() {
    local name=$1 n
    shift
    for n in 1 3; do
        score "$n" "$@" --json "$work/$name.$n.json" --output "$work/$name.$n.lines" ||
            complain "$name on $n ranks ends with $?"
        mv "$work/stdout" "$work/$name.$n.table"
        for what in json lines table; do
            cmp -s "$work/$name.1.$what" "$work/$name.$n.$what" ||
                complain "$name: $what of $n ranks differ from those of one"
        done
    done
    [ -s "$work/$name.1.table" ] || complain "$name: no table"
}

head -n 3 "$models/validation.jsonl" >"$work/texts"
same text --model "$models/gpt2-tiny-scorer" --input "$work/texts"
same bound --model "$models/did-tiny" --input "$work/texts" --blocks 4,L --draws 1
[ "$(wc -l <"$work/text.1.lines")" = 3 ] || complain "not a line for every text"
[ "$(wc -l <"$work/bound.1.lines")" = 6 ] || complain "not a line for every text and block"

# What the two bundled models say of the same held-out texts. The README of the models tells the bound
# of the whole held-out part in blocks of 4 and 16, and the scorer's perplexity of it; these texts are
# some of it, easier or harder, but for both models alike: what is compared is how far the bound lies
# above the scorer's nats.
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    grep '"source": *"tinystories' "$models/validation.jsonl" | head -n 12 >"$work/stories"
    score 2 --model "$models/did-tiny" --input "$work/stories" --blocks 4,16 --draws 2 --text \
        --json "$work/bound.json" || complain "the bound of stories ends with $?"
    score 2 --model "$models/gpt2-tiny-scorer" --input "$work/stories" --text \
        --json "$work/nll.json" || complain "the nll of stories ends with $?"
    python3 - "$work/bound.json" "$work/nll.json" <<'PYTHON' || complain "the bound is not the README's"
import json, math, sys
bound, nll = (json.load(open(name)) for name in sys.argv[1:])
find = lambda o: o if isinstance(o, list) else next(v for v in o.values() if isinstance(v, list))
scorer = find(nll)[0]["nll"]
told = {"4": 3.002 - math.log(16.53), "16": 3.131 - math.log(16.53)}
bad = 0
for row in find(bound):
    above = row["nll"] - scorer
    print("block %s: %.3f above the scorer, the README has %.3f" % (row["block"], above, told[row["block"]]))
    bad += abs(above - told[row["block"]]) > 0.15
sys.exit(bad)
PYTHON
fi

# Words that are refused before anything is loaded need no second rank; one of each kind has it.
# refused CODE SENTENCE WORD...
ranks=1
refused() {
    local code=$1 sentence=$2 got
    shift 2
    score $ranks "$@"
    got=$?
    [ $got = "$code" ] || complain "did score $*: exit code $got, expected $code"
    grep -qF -- "$sentence" "$work/stderr" || complain "did score $*: expected: $sentence"
    [ ! -s "$work/stdout" ] || complain "did score $*: something on stdout"
}

scorer=(--model "$models/gpt2-tiny-scorer")
refused 2 '--model is missing' --input "$work/texts"
refused 2 '--input is missing' "${scorer[@]}"
refused 2 '--raw-ids and --text exclude each other' "${scorer[@]}" --input x --raw-ids --text
ranks=2
refused 2 '--stage: found "0", expected all' "${scorer[@]}" --input "$work/texts" --stage 0
ranks=1
refused 2 '--blocks is for diffusion models' "${scorer[@]}" --input "$work/texts" --blocks 4
refused 2 '--blocks: found "0"' --model "$models/did-tiny" --input "$work/texts" --blocks 4,0
refused 3 "cannot read $work/none" "${scorer[@]}" --input "$work/none"
ranks=2
refused 3 "$work/texts:1: --raw-ids needs" "${scorer[@]}" --input "$work/texts" --raw-ids
refused 4 '/no/such/model' --model /no/such/model --input "$work/texts"

echo "$failures failures"
((failures == 0))
