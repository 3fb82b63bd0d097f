#!/usr/bin/env bash
# The kill drill, a short one; and that it would notice: a finished job is tampered with, and
# `did fsck` says what was done. $DID is the program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "FAILED: $*"; failed=1; }

kills=4
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && kills=2
timeout 300 "$here/../drill" --did "$did" --model "$model" \
    --documents 10 --kills "$kills" --length 24 --seed 7 --keep "$work" || complain "the drill"
[ "$(wc -l <"$work/output.jsonl")" = 10 ] || complain "10 documents expected"

# looks CODE WORDS   what did fsck makes of the files as they are
looks() {
    "$did" fsck --state "$work/state" --output "$work/output.jsonl" ${3-} >"$work/found" 2>&1
    local code=$?
    [ "$code" = "$1" ] && grep -q "$2" "$work/found" && return
    complain "did fsck ended with $code, expected $1 and \"$2\":"
    cat "$work/found"
}
cp "$work/output.jsonl" "$work/whole"
looks 0 'Sound\.'
looks 0 '"verdict": "sound"' --json
truncate -s -9 "$work/output.jsonl"
looks 6 'torn line'
looks 6 'lacks 1 finished document'
looks 0 'Repaired\. Sound\.' --repair
cmp -s <(sort "$work/whole") <(sort "$work/output.jsonl") || complain "repaired to other bytes"
sed '3s/custom_id/custom_ib/' "$work/whole" >"$work/output.jsonl"
looks 3 'line 3: record:'
looks 3 'somebody has to decide' --repair
cp "$work/whole" "$work/output.jsonl"
head -n 1 "$work/whole" >>"$work/output.jsonl"
looks 3 'is there twice'
cp "$work/whole" "$work/output.jsonl"
head -c 100 /dev/urandom >"$work/state"
looks 3 'is not a state file of did'
"$did" fsck --state "$work/nothing" >"$work/found" 2>&1
[ $? = 2 ] || complain "a missing state file"
[ -e "$work/nothing" ] && complain "fsck made a file"
"$did" fsck >"$work/found" 2>&1
[ $? = 2 ] || complain "no state file named"

# Killed in the middle, a job leaves no directory behind: the one that its ranks met in is gone as soon
# as all of them are in.
mkdir "$work/tmp"
for i in $(seq 40); do echo "{\"custom_id\": \"k$i\", \"length\": 96}"; done >"$work/many"
TMPDIR=$work/tmp timeout 200 mpirun --oversubscribe -n 2 "$did" generate --quiet \
    --model "$model" --documents 1 --input "$work/many" \
    --output "$work/many.out" 2>"$work/said" &
run=$!
until [ -s "$work/many.out" ] || ! kill -0 "$run" 2>/dev/null; do sleep 0.05; done
kill -0 "$run" 2>/dev/null || complain "the job ended too soon: $(cat "$work/said")"
left=$(find "$work/tmp" -maxdepth 1 -name 'did-*')
[ -z "$left" ] || complain "while it runs there is $left"
kill -KILL $(pgrep -P "$(pgrep -P "$run")") $(pgrep -P "$run") "$run"
wait "$run" 2>/dev/null
left=$(find "$work/tmp" -maxdepth 1 -name 'did-*')
[ -z "$left" ] || complain "a killed job has left $left"
exit "$failed"
