#!/bin/bash
# --refine-span: rows that span a document write the bytes of rows apart, whoever drafts beside it; what
# cannot be is refused in one sentence.
#   test_span.sh BUILD_DIR          $DID is the program
set -u
model=$(dirname "$0")/../models/did-tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

# One document of several windows, one of several tiles, and some short ones; a draft that is refined
# while others are still drafted.
long=400
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && long=200
cat >"$work/in.jsonl" <<JSON
{"custom_id": "long", "length": $long, "stages": "40:quota/4,L:0.3:quota/3"}
{"custom_id": "posthoc", "length": 150, "stages": "50:quota/4,L:0.3:quota/3:policy=posthoc"}
{"custom_id": "draft", "length": 90, "stages": "30:quota/6"}
{"custom_id": "cached", "length": 130, "stages": "L:quota/3,L:0.5:quota/5:cache=2"}
{"custom_id": "short", "length": 40, "stages": "10:quota/5,L:0.5:quota/4"}
JSON

# generate RANKS NAME OPTIONS...: records in order to NAME.jsonl, the log to NAME.log
generate() {
    local ranks=$1 name=$2
    shift 2
    timeout 300 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" \
        --input "$work/in.jsonl" --refine-window 180 "$@" >"$work/$name.out" 2>"$work/$name.log" ||
        complain "$name: exit code $?: $(tail -n 3 "$work/$name.log")"
    sort "$work/$name.out" >"$work/$name.jsonl"
    [ "$(wc -l <"$work/$name.jsonl")" = 5 ] || complain "$name: not five records"
}

same() {
    cmp -s "$work/$1.jsonl" "$work/$2.jsonl" || complain "$1 and $2 differ"
}

generate 1 alone
generate 2 two --refine-span 2 --pass-rows 256
same alone two
grep -q '2 rows span every refinement of the whole: 1 team' "$work/two.log" || complain "not said"
grep -q '^K and V' "$work/two.log" || complain "nothing was gathered"
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    generate 4 teams --refine-span 2 --documents 1
    same alone teams
    generate 1 narrow --precision bf16
    generate 3 three --precision bf16 --refine-span 3
    same narrow three
    for name in two three teams; do
        grep 'more than predicted' "$work/$name.log" && complain "$name: the plan was wrong"
    done
fi

# refused WORDS OPTIONS...
refused() {
    local words=$1
    shift
    timeout 60 mpirun --oversubscribe -n 4 "$DID" generate --model "$model" --input "$work/in.jsonl" \
        "$@" >"$work/shown" 2>"$work/said"
    local code=$?
    [ $code = 2 ] || complain "$*: exit code $code, expected 2"
    grep -q -- "$words" "$work/said" || complain "$*: no word of \"$words\": $(cat "$work/said")"
    [ -s "$work/shown" ] && complain "$*: something came out"
}
refused '--pass-rows 2[05][06] would do' --refine-span 2 --pass-rows 64
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    refused 'refine-span 3 does not divide the 4 rows of 1 rank of this run; 1, 2 or 4' --refine-span 3
    refused 'refine-span 2 with --layout 2d' --refine-span 2 --layout 2d
    refused 'found "two", expected auto or a whole number' --refine-span two
fi

[ $wrong = 0 ] && echo "rows that span agree with rows apart"
exit $((wrong > 0))
