#!/usr/bin/env bash
# The kill drill of a service, a short one; then its state file and what `did results --output` wrote
# are tampered with, and `did fsck` says what was done. $DID is the program, $DID_TEST_MODELS the
# models.
set -u
n=20 kills=10
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && n=8 kills=4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../../models}/${DID_TEST_MODEL:-did-tiny}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "FAILED: $*"; failed=1; }

timeout 300 "$here/../../drill" --service --did "$did" --documents $n --kills $kills --length 32 --seed 5 \
    --model "$model" --keep "$work" || complain "the drill"
[ "$(wc -l <"$work/output.jsonl")" = $n ] || complain "$n documents expected"

# looks CODE WORDS [OPTION...]   what did fsck makes of the files as they are
looks() {
    local expected=$1 words=$2
    shift 2
    "$did" fsck --state "$work/state" --output "$work/output.jsonl" "$@" >"$work/found" 2>&1
    local code=$?
    [ "$code" = "$expected" ] && grep -q "$words" "$work/found" && return
    complain "did fsck ended with $code, expected $expected and \"$words\":"
    cat "$work/found"
}
damage() { python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])' "$work/state" "$1"; }
cp "$work/output.jsonl" "$work/whole"
looks 0 "a service, 1 job, $n documents: $n done"
looks 0 "\"done\": $n" --json
looks 2 'has no job "other"' --job other
looks 2 'has no job "drill" of that owner' --job drill --owner nobody
truncate -s -9 "$work/output.jsonl"
looks 6 'torn line' --job drill
looks 6 'lacks 1 finished document'
looks 0 'Repaired\. Sound\.' --repair
cmp -s "$work/whole" "$work/output.jsonl" || complain "repaired to other bytes"
sed -i '3s/custom_id/custom_ib/' "$work/output.jsonl"
looks 3 'line 3: record:'
looks 3 'somebody has to decide' --repair
cp "$work/whole" "$work/output.jsonl"

# A record whose sum does not match is named and never given out; its document is generated again.
damage "UPDATE document SET record = replace(record, 'length', 'lenkth') WHERE custom_id = 'd7'"
looks 5 '"d7" sample 0: the checksum of its standing does not match'
mkdir -m 700 "$work/again"
at=(--connect "ipc://$work/again/front")
"$did" serve --state "$work/state" --bind "ipc://$work/again/front" >"$work/said" 2>&1 &
desk=$!
"$did" results "${at[@]}" --job drill --output "$work/but-one" --quiet 2>>"$work/said" || complain "results"
[ "$(wc -l <"$work/but-one")" = $((n - 1)) ] && ! grep -q lenkth "$work/but-one" || complain "a damaged record was used"
grep -q 'the standing of document "d7" sample 0 is damaged and not used' "$work/said" ||
    complain "nobody said what was damaged: $(cat "$work/said")"
# A file from before the damage is proven when that document is there again, and not before.
cp "$work/whole" "$work/before"
"$did" results "${at[@]}" --job drill --output "$work/before" --quiet 2>"$work/refused" && complain "a file that cannot be proven"
grep -q 'generates it again; 1 documents are unfinished, and with --follow' "$work/refused" ||
    complain "not told what to do: $(cat "$work/refused")"
"$did" results "${at[@]}" --job drill --follow --output "$work/before" --quiet 2>>"$work/said" &
follower=$!
timeout 100 mpirun --oversubscribe -n 1 "$did" work --model "$model" \
    "${at[@]}" --idle-exit 1 --quiet 2>>"$work/said" || complain "a world that mends"
wait $follower || complain "a file from before the damage is not gone on with"
cmp -s "$work/whole" "$work/before" || complain "a file from before the damage was changed"
"$did" results "${at[@]}" --job drill --output "$work/but-one" --quiet 2>>"$work/said" || complain "the last record"
cmp -s <(sort "$work/whole") <(sort "$work/but-one") || complain "another record than before the damage"

"$did" generate --state "$work/state" --model "$model" -n 1 \
    --output "$work/none" --quiet 2>"$work/refused" && complain "a job in a file that is in use"
grep -q 'in use by another process' "$work/refused" || complain "in use: $(cat "$work/refused")"
kill -TERM "$desk"
wait "$desk"
"$did" generate --state "$work/state" --model "$model" -n 1 \
    --output "$work/none" --quiet 2>"$work/refused"
[ $? = 2 ] && grep -q 'belongs to a service' "$work/refused" || complain "a job in the file of a service"
exit "$failed"
