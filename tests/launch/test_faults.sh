#!/usr/bin/env bash
# `did generate` with a fault in the middle: it ends with a code and a sentence, or goes on as if
# nothing had been; the same command then finishes the job with the same bytes. $DID is the program.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "FAILED: $*"; cat "$work/said"; failed=1; }

if ! "$did" --version | grep -q 'Faults on demand'; then
    DID_FAULT=write:1:fail "$did" --version >"$work/said" 2>&1
    [ $? = 2 ] && grep -q 'this build has no faults' "$work/said" || complain "DID_FAULT was taken"
    ((failed)) && exit 1
    echo "skipped: this build has no faults (DID_FAULTS)"
    exit 77
fi

for i in 1 2 3; do echo "{\"custom_id\": \"d$i\", \"prompt\": \"Once $i\", \"length\": 16}"; done >"$work/input"
generate() {
    timeout 200 "$did" generate --model "${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}" --quiet \
        --input "$work/input" --output "$1" --state "$2" --save-interval-s 0 >"$work/said" 2>&1
}
generate "$work/sound" "$work/sound-state" || complain "the job without faults"

# strikes FAULT CODE WORDS   how the faulty run ends and what it says
strikes() {
    rm -f "$work"/state* "$work/output"
    DID_FAULT=$1 generate "$work/output" "$work/state"
    local code=$?
    [ "$code" = "$2" ] && grep -q "$3" "$work/said" || complain "$1 ended with $code, expected $2, \"$3\""
    if [ "$code" != 0 ]; then
        generate "$work/output" "$work/state" || complain "after $1 the job could not be finished"
    fi
    cmp -s <(sort "$work/sound") <(sort "$work/output") || complain "$1: other bytes"
    "$did" fsck --state "$work/state" --output "$work/output" >"$work/said" 2>&1 || complain "$1: fsck"
}
strikes send:3:fail 0 'send 3 fails'
strikes fsync:6:die 137 'fsync 6 is where this process dies'
strikes write:60:fail 1 'the front-end says: .*full'
exit "$failed"
