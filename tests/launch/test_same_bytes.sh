#!/usr/bin/env bash
# The records of a job are the same bytes, line for line, whatever the ranks, the order of the input,
# the number in flight, the commits, or how often the run was killed. $DID is the program,
# $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ids="1 2 3 4 5 6 7 8 9 10 11 12" wanted=18
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && ids="1 2 7" wanted=5 # the sanitizers are slow
for i in $ids; do
    echo "{\"custom_id\": \"d$i\", \"prompt\": \"Once upon a time $i\", \"length\": $((24 + 8 * (i % 4))), \"n\": $((1 + i % 2))}"
done >"$work/input.jsonl"
tac "$work/input.jsonl" >"$work/reversed.jsonl"

# run RANKS WORD...
run() {
    local ranks=$1
    shift
    timeout 300 mpirun --oversubscribe -n "$ranks" "$did" generate --model "$model" --trace --quiet "$@" \
        2>>"$work/said"
}

# same NAME FILE   FILE holds the records of the first run, in some order
same() {
    if ! cmp -s <(sort "$work/first.jsonl") <(sort "$2"); then
        echo "FAILED: other bytes: $1"
        diff <(sort "$work/first.jsonl") <(sort "$2") | cut -c1-300 | head -6
        failed=1
    fi
}

run 1 --input "$work/input.jsonl" --output "$work/first.jsonl" --documents 1 || failed=1
[ "$(wc -l <"$work/first.jsonl")" = $wanted ] || { echo "FAILED: $wanted records expected"; failed=1; }

run 2 --input "$work/reversed.jsonl" --output "$work/rows2.jsonl" --documents 4 || failed=1
same "two rows, reversed" "$work/rows2.jsonl"
run 3 --input "$work/input.jsonl" --output "$work/rows3.jsonl" --commit separate --pass-rows 64 || failed=1
same "three rows, commits apart, small passes" "$work/rows3.jsonl"
run 1 --input "$work/input.jsonl" --output "$work/many.jsonl" --documents 64 || failed=1
same "all in flight" "$work/many.jsonl"
grep '"d7"' "$work/input.jsonl" >"$work/one.jsonl"
run 2 --input "$work/one.jsonl" --output "$work/alone.jsonl" || failed=1
cmp -s <(grep '"custom_id": "d7"' "$work/first.jsonl" | sort) <(sort "$work/alone.jsonl") ||
    { echo "FAILED: other bytes: alone"; failed=1; }

# Killed again and again, on changing numbers of ranks; the state file brings it home.
kills=0
slowly=1 # the sanitizers make a run several times longer
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && slowly=8
for attempt in $(seq 40); do
    ranks=$((1 + attempt % 3))
    timeout -s KILL "$(awk "BEGIN {print $slowly * (0.7 + 0.15 * $attempt)}")" mpirun --oversubscribe -n "$ranks" \
        "$did" generate --model "$model" --trace --quiet --input "$work/input.jsonl" \
        --output "$work/killed.jsonl" --state "$work/state" --save-interval-s 0 2>>"$work/said"
    code=$?
    pkill -KILL -f "$work/killed.jsonl"
    ((code == 0)) && break
    kills=$((kills + 1))
    sleep 0.3
done
((code == 0)) || { echo "FAILED: never finished after $kills kills"; failed=1; }
same "killed $kills times" "$work/killed.jsonl"

((failed)) && tail -n 20 "$work/said" || echo "the same bytes every time; killed $kills times"
exit "$failed"
