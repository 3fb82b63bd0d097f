#!/usr/bin/env bash
# A running document that is cancelled makes room at the next plan: of two documents and a world that
# has room for one, the second begins as soon as the first, which would take long, is cancelled. In
# between `did top` shows the world, in 80 columns. $DID is the program, $DID_TEST_MODELS the models.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
mkdir -m 700 "$work/door"
at=(--connect "ipc://$work/door/front")
# Thousands of passes; the other needs a few dozen.
echo '{"custom_id": "long", "length": 256, "stages": "4,L:1:quota/8192,L:1:quota/8192,L:1:quota/8192"}' >"$work/long"
echo '{"custom_id": "short", "length": 16, "stages": "4"}' >"$work/short"
# stands JOB WORD   is the document of JOB in that state?
stands() { "$did" status "${at[@]}" --json >"$work/state.json" && python3 -c '
import json, sys
jobs = json.load(open(sys.argv[1]))["jobs"]
sys.exit(not any(j["job"] == sys.argv[2] and j[sys.argv[3]] == 1 for j in jobs))' "$work/state.json" "$1" "$2"; }
until_stands() { for _ in $(seq 300); do stands "$1" "$2" && return; sleep 0.1; done; complain "job $1: never $2"; }

"$did" serve --state "$work/kept" --bind "ipc://$work/door/front" --quiet 2>>"$work/said" &
desk=$!
started+=("$desk")
"$did" submit "${at[@]}" --job long --input "$work/long" --quiet 2>>"$work/said" || complain "submit long"
SLURM_JOB_ID=123456789_1234 mpirun --oversubscribe -n 1 "$did" work --model "$model" "${at[@]}" --documents 1 \
    --save-interval-s 0.2 --quiet >>"$work/said" 2>&1 &
started+=("$!")
until_stands long refining
"$did" submit "${at[@]}" --job short --input "$work/short" --quiet 2>>"$work/said" || complain "submit short"
sleep 1
stands short queued && stands long refining || complain "a world with one place took two documents"
"$did" top "${at[@]}" -n 2 >"$work/top" 2>>"$work/said" || complain "top"
[ "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$work/top")" -le 80 ] || complain "top is wider than 80 columns"
grep -q "123456789_1234  *0/1  *0  *1 " "$work/top" || complain "top does not show the world"
grep -q '^1 unfinished\|^2 unfinished' "$work/top" || complain "top does not count"
((failed)) && cat "$work/top"
passes() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["worlds"][0]["passes"])' "$work/state.json"; }
stands long refining || complain "the long document came to an end"
before=$(passes)
"$did" cancel "${at[@]}" --job long 2>>"$work/said" || complain "cancel"
until_stands short done
sleep 1
stands long cancelled || complain "the long document is not cancelled"
after=$(passes)
((after - before < 1000)) || complain "$((after - before)) passes after the cancellation"
"$did" results "${at[@]}" --job long >"$work/none" 2>>"$work/said"
[ ! -s "$work/none" ] || complain "a record of a cancelled document"
((failed)) && tail -n 20 "$work/said" || echo "cancelled after $before passes; the next was done $((after - before)) passes later"
exit "$failed"
