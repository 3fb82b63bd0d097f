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
    timeout -k 5 240 mpirun --oversubscribe -n "$ranks" "$did" score --quiet "$@" \
        >"$work/stdout" 2>"$work/stderr" </dev/null
}

# same NAME WORD...   on 1, 2 and 3 ranks: table, JSON and lines
same() {
    local name=$1 n
    shift
    for n in 1 2 3; do
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

# refused CODE SENTENCE WORD...
refused() {
    local code=$1 sentence=$2 got
    shift 2
    score 2 "$@"
    got=$?
    [ $got = "$code" ] || complain "did score $*: exit code $got, expected $code"
    grep -qF -- "$sentence" "$work/stderr" || complain "did score $*: expected: $sentence"
    [ ! -s "$work/stdout" ] || complain "did score $*: something on stdout"
}

scorer=(--model "$models/gpt2-tiny-scorer")
refused 2 '--model is missing' --input "$work/texts"
refused 2 '--input is missing' "${scorer[@]}"
refused 2 '--raw-ids and --text exclude each other' "${scorer[@]}" --input x --raw-ids --text
refused 2 '--stage: found "0", expected all' "${scorer[@]}" --input "$work/texts" --stage 0
refused 2 '--blocks is for diffusion models' "${scorer[@]}" --input "$work/texts" --blocks 4
refused 2 '--blocks: found "0"' --model "$models/did-tiny" --input "$work/texts" --blocks 4,0
refused 3 "cannot read $work/none" "${scorer[@]}" --input "$work/none"
refused 3 "$work/texts:1: --raw-ids needs" "${scorer[@]}" --input "$work/texts" --raw-ids
refused 4 '/no/such/model' --model /no/such/model --input "$work/texts"

echo "$failures failures"
((failures == 0))
