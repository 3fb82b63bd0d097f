#!/usr/bin/env bash
# A service end to end: two clients, two worlds, a world and the front-end killed in the middle, a
# document cancelled. The records are those of did generate, each once. $DID is the program,
# $DID_TEST_MODELS the models.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
# Documents of the two jobs, the moments of the two murders, and a lease longer than any pass.
a=15 b=14 first_murder=3 second_murder=8 lease=1.5 length=48 long=256 patience=60
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && a=3 b=2 first_murder=1 second_murder=2 lease=10 length=32 long=64 patience=400
mkdir -m 700 "$work/door"
at="--connect ipc://$work/door/front"

serve() {
    "$did" serve --state "$work/state" --bind "ipc://$work/door/front" --lease-s $lease --quiet 2>>"$work/said" &
    desk=$!
    started+=("$desk")
}
# world RANKS WORD...
world() {
    local ranks=$1
    shift
    mpirun --oversubscribe -n "$ranks" "$did" work --model "$model" $at --save-interval-s 0 --quiet \
        "$@" >>"$work/said" 2>&1 &
    world=$!
    started+=("$world")
}
murder() { kill -KILL $(pgrep -P "$1") "$1" 2>>"$work/said"; wait "$1" 2>>"$work/said"; }
# count STATE   documents of all jobs in that state
count() { "$did" status $at --json | sed -n '/"all"/,/}/s/.*"'"$1"'": \([0-9]*\).*/\1/p'; }
finished() { until [ "$(count done)" -ge "$1" ]; do sleep 0.1; done; }

for i in $(seq $a); do
    echo "{\"custom_id\": \"a$i\", \"prompt\": \"Once upon a time $i\", \"length\": $((length + 8 * (i % 4)))}"
done >"$work/a.jsonl"
for i in $(seq $b); do
    echo "{\"custom_id\": \"b$i\", \"prompt\": \"The old $i\", \"length\": $((length + 16)), \"seed\": $i}"
done >"$work/b.jsonl"
echo "{\"custom_id\": \"long\", \"prompt\": \"Far away\", \"length\": $long, \"stages\": \"4,L:0.5:quota/128,L:0.5:quota/128\"}" >"$work/long.jsonl"
for job in a b; do
    mpirun --oversubscribe -n 1 "$did" generate --model "$model" --input "$work/$job.jsonl" --trace \
        --quiet --output "$work/$job.want" 2>>"$work/said" || complain "generate $job"
done

serve
first=$desk
world 1
doomed=$world
world 2 --idle-exit 60
kept=$world
"$did" submit $at --input "$work/long.jsonl" --job b --trace --quiet 2>>"$work/said" || complain "submit long"
"$did" submit $at --input "$work/a.jsonl" --job a --trace --quiet 2>>"$work/said" || complain "submit a"
"$did" submit $at --input "$work/b.jsonl" --job b --trace --quiet 2>>"$work/said" || complain "submit b"
"$did" results $at --job a --follow --output "$work/a.got" --quiet 2>>"$work/said" &
follower=$!

# The long one is out first; it is cancelled while it runs; the others of that job go on.
until [ "$(count drafting)$(count refining)" != 00 ]; do sleep 0.1; done
"$did" cancel $at --job b --id long 2>>"$work/said" || complain "cancel"
finished $first_murder
murder "$doomed"
finished $second_murder
murder "$first"
serve
timeout $patience bash -c "wait_for=$follower; while kill -0 \$wait_for 2>/dev/null; do sleep 0.1; done" ||
    complain "the follower never came to an end"
wait "$follower" || complain "results --follow"
"$did" results $at --job b --follow --output "$work/b.got" --quiet 2>>"$work/said" || complain "results b"
for job in a b; do
    cmp -s <(sort "$work/$job.want") <(sort "$work/$job.got") || complain "other bytes: job $job"
done
[ "$(count cancelled)" = 1 ] || complain "$(count cancelled) cancelled documents, expected 1"
[ "$(count done)" = $((a + b)) ] || complain "$(count done) done documents, expected $((a + b))"

# Asking again changes nothing; another content is a conflict; a file of one's own is continued.
"$did" submit $at --input "$work/a.jsonl" --job a --trace --quiet 2>>"$work/said" || complain "again"
[ "$(count done)" = $((a + b)) ] || complain "submitting again made documents"
sed 's/upon a/upon my/' "$work/a.jsonl" >"$work/other.jsonl"
"$did" submit $at --input "$work/other.jsonl" --job a --trace 2>"$work/conflict"
[ $? = 2 ] && grep -q 'another content' "$work/conflict" || complain "a conflict was taken"
"$did" submit $at --input "$work/a.jsonl" --job a --seed 9 2>"$work/conflict"
[ $? = 2 ] && grep -q 'was begun with the settings' "$work/conflict" || complain "other settings were taken"
head -c -20 "$work/a.got" >"$work/torn"
"$did" results $at --job a --output "$work/torn" --quiet 2>>"$work/said" || complain "a torn file"
cmp -s "$work/torn" "$work/a.got" || complain "a torn file was not mended"
cp "$work/b.got" "$work/foreign"
"$did" results $at --job a --output "$work/foreign" --quiet 2>>"$work/said" && complain "a foreign file was taken"
cmp -s "$work/foreign" "$work/b.got" || complain "a foreign file was changed"

# Lines nobody can carry out are set aside with the reason; the rest of the job is not touched.
printf '%s\n' '{"custom_id": "x", "length": 100000}' '{"custom_id": "y", "stages": "4,L:0.25:model=/nowhere"}' \
    >"$work/bad.jsonl"
"$did" submit $at --input "$work/bad.jsonl" --job bad --wait --quiet 2>>"$work/said"
[ $? = 5 ] || complain "bad lines: expected exit code 5"
"$did" results $at --job bad >"$work/bad.got" 2>>"$work/said"
grep -q 'documents up to' "$work/bad.got" && grep -q 'not one of the models' "$work/bad.got" ||
    complain "reasons are missing: $(cat "$work/bad.got")"

# A world that is asked to end puts its documents down and says so with its code.
"$did" status $at --prometheus | grep -q "^did_documents{state=\"done\"} $((a + b))\$" || complain "--prometheus"
"$did" top $at -n 1 | grep -q '^(everybody)' || complain "top"
kill -USR1 $(pgrep -P "$kept")
wait "$kept"
code=$?
[ $code = 6 ] || complain "a world that was asked to end: code $code, expected 6"
kill -TERM "$desk"
wait "$desk" || complain "serve did not end well"

((failed)) && tail -n 20 "$work/said" || echo "$((a + b + 1)) documents, two worlds, one killed, the front-end killed: all bytes as generated"
exit "$failed"
