#!/bin/bash
# --pp: layers shared out over depths write the bytes of one rank, and a job is taken up again at
# another depth; what cannot be is refused in one sentence.
#   test_depth.sh BUILD_DIR          $DID is the program
set -u
. "$(dirname "$0")/runs.sh"

cat >"$work/in.jsonl" <<JSON
{"custom_id": "a", "length": 64, "stages": "8:quota/4,L:0.3:quota/3"}
{"custom_id": "b", "length": 48, "stages": "16:quota/4,L:0.3:quota/3:policy=posthoc"}
{"custom_id": "c", "length": 60, "stages": "L:quota/3,L:0.5:quota/5:cache=2"}
{"custom_id": "d", "length": 40, "stages": "10:quota/5,L:0.5:quota/4"}
JSON

given=(--input "$work/in.jsonl") records=4
generate 1 alone
generate 2 deep --pp 2 --groups 3
same alone deep
held alone deep
grep -q '1 pipeline of 2 depths of 1' "$work/deep.log" || complain "not said"
grep -q 'layers of model 0 from depth to depth: [1-5] (waits [0-9]* %), [1-5] (waits' "$work/deep.log" ||
    complain "which layers a depth has is not said"
grep -q '6 layers cannot be shared out over 2 depths' "$work/deep.log" || complain "no warning"
grep -q '^depths ' "$work/deep.log" || complain "nothing went down"

# Stopped at one depth, taken up at another.
taken_up() {
    local out=$1 ranks=$2
    shift 2
    timeout 300 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" --quiet \
        --input "$work/in.jsonl" --state "$work/state" --output "$out" "$@" 2>"$work/said"
}
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    printf '{"custom_id": "long", "length": 256, "stages": "1:fhs,L:0.9:quota/100"}\n' >>"$work/in.jsonl"
    taken_up "$work/cut" 3 --pp 3 --maxh 0.0002
    code=$?
    [ $code = 6 ] || complain "stopped: exit code $code, expected 6: $(cat "$work/said")"
    taken_up "$work/cut" 2 --pp 2 || complain "taken up: exit code $?: $(cat "$work/said")"
    rm -f "$work/state"
    taken_up "$work/whole" 1 || complain "whole: exit code $?: $(cat "$work/said")"
    cmp -s <(sort "$work/cut") <(sort "$work/whole") || complain "what was taken up differs"
fi

refused 'pp 3 does not divide the 4 ranks of this run; 1, 2 or 4 would' 4 --pp 3
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    refused 'pp 2 with --layout 2d' 4 --pp 2 --layout 2d
    refused 'pp 2 with --refine-span 2' 4 --pp 2 --refine-span 2
fi

finish "depths agree with one rank"
