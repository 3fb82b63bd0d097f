#!/usr/bin/env bash
# A document that one world puts down is taken up by a world of another number of rows or depths, with
# the same bytes and without the passes that are behind it; a world of other numerics is not given the
# checkpoint and begins anew. A pipeline of layers works on a job like any other world. $DID is the
# program, $DID_TEST_MODELS the models.
set -u
length=128 steps=64 ranks=3 deeper=(3 --pp 3 --groups 4)
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && length=64 steps=600 ranks=2 deeper=(1)
. "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
mkdir -m 700 "$work/door"
at=(--connect "ipc://$work/door/front")
echo "{\"custom_id\": \"a\", \"prompt\": \"Far away\", \"length\": $length," \
    "\"stages\": \"4,L:1:quota/$steps,L:1:quota/$steps\"}" >"$work/one"

# world RANKS WORD...
world() {
    local ranks=$1
    shift
    mpirun --oversubscribe -n "$ranks" "$did" work --model "$model" "${at[@]}" --quiet "$@" >>"$work/said" 2>&1 &
    world=$!
    started+=("$world")
}
# state JOB WORD   how many documents of the job are in that state
state() {
    "$did" status "${at[@]}" --json | python3 -c '
import json, sys
print(sum(j[sys.argv[2]] for j in json.load(sys.stdin)["jobs"] if j["job"] == sys.argv[1]))' "$1" "$2"
}
until_is() {
    local n
    for n in $(seq 600); do
        [ "$(state "$1" "$2")" -ge 1 ] && return
        [ "$(state "$1" done)" -ge 1 ] && break # too late to tell anything
        sleep 0.05
    done
    complain "job $1: never $2"
}
# Evaluations of the network that the worlds now here report, and those that a document took.
worlds_nfe() { "$did" status "${at[@]}" --json | python3 -c '
import json, sys
print(sum(w["nfe"] for w in json.load(sys.stdin)["worlds"]))'; }
record_nfe() { python3 -c '
import json, sys
print(sum(s["nfe"] for s in json.loads(open(sys.argv[1]).readline())["cost"]))' "$1"; }

mpirun --oversubscribe -n 1 "$did" generate --model "$model" --input "$work/one" --quiet --output "$work/want" \
    2>>"$work/said" || complain "generate"
"$did" serve --state "$work/state" --bind "ipc://$work/door/front" --quiet 2>>"$work/said" &
desk=$!
started+=("$desk")

# hand_over JOB DEPTH RANKS WORD...   a world of one rank or as many depths puts the document of JOB
# down in its second stage, the world of these words goes on
hand_over() {
    local job=$1 depth=$2
    shift 2
    "$did" submit "${at[@]}" --input "$work/one" --job "$job" --quiet 2>>"$work/said" || complain "submit"
    world "$depth" --pp "$depth" --save-interval-s 0
    until_is "$job" refining
    kill -USR1 $(pgrep -P "$world")
    wait "$world"
    [ $? = 6 ] && [ "$(state "$job" drafted)" = 1 ] || complain "job $job: it was not put down"
    world "$@"
    "$did" results "${at[@]}" --job "$job" --follow --output "$work/$job" --quiet 2>>"$work/said" || complain "results"
    sleep 1
    nfe=$(worlds_nfe)
    all=$(record_nfe "$work/$job")
    kill -USR1 $(pgrep -P "$world")
    wait "$world"
}
hand_over other-rows 1 $ranks
cmp -s "$work/want" "$work/other-rows" || complain "other bytes on another number of rows"
((nfe > 0 && nfe < all)) || complain "$ranks rows: $nfe evaluations of $all: the checkpoint was not used"
rows="$ranks rows made the last $nfe of $all evaluations"
hand_over other-depth 2 "${deeper[@]}"
cmp -s "$work/want" "$work/other-depth" || complain "other bytes at another depth"
((nfe > 0 && nfe < all)) || complain "${deeper[*]}: $nfe evaluations of $all: the checkpoint was not used"
hand_over other-numerics 1 1 --weights unfolded
((nfe == all)) || complain "other numerics: $nfe evaluations of $all: a strange checkpoint was used"

# Many documents at once, through two depths.
for i in 1 2 3 4 5; do
    echo "{\"custom_id\": \"$i\", \"prompt\": \"Once $i\", \"length\": $((24 + 8 * i)), \"stages\": \"4,L:0.5:quota/5\"}"
done >"$work/many"
mpirun --oversubscribe -n 1 "$did" generate --model "$model" --input "$work/many" --quiet --trace \
    --output "$work/many.want" 2>>"$work/said" || complain "generate many"
"$did" submit "${at[@]}" --input "$work/many" --job many --trace --quiet 2>>"$work/said" || complain "submit many"
world 2 --pp 2 --idle-exit 0.5
"$did" results "${at[@]}" --job many --follow --output "$work/many.got" --quiet 2>>"$work/said" ||
    complain "results of many"
wait "$world" || complain "a pipeline ended with $?"
cmp -s <(sort "$work/many.want") <(sort "$work/many.got") || complain "other bytes through a pipeline"
kill -TERM "$desk"
wait "$desk" || complain "serve"
((failed)) && tail -n 20 "$work/said" || echo "$rows; other numerics all $nfe"
exit "$failed"
