#!/usr/bin/env bash
# A rank that stops answering: another names itself and what it waits for, and the launch ends with
# code 7. A rank that is killed, a launch that is suspended, a world without work. $DID is the
# program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}
work=$(mktemp -d)
launch=
leave() {
    [ -z "$launch" ] || kill -KILL $(pgrep -P "$launch") "$launch" 2>/dev/null
    rm -rf "$work"
}
trap leave EXIT
failed=0
complain() { echo "FAILED: $*"; tail -n 12 "$work/said"; failed=1; }
stall=2
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && stall=8

# start WORD...   a launch of two ranks that is in the middle of its work; its ranks' pids
start() {
    rm -f "$work/out"
    mpirun --oversubscribe -n 2 "$did" generate --model "$model" -n 4000 --output "$work/out" \
        --progress-interval-s 0.2 --stall $stall "$@" >"$work/said" 2>&1 &
    launch=$!
    for _ in $(seq 600); do
        grep -q 'r0 progress' "$work/said" && break
        sleep 0.1
    done
    ranks=()
    for pid in $(pgrep -P $launch); do
        n=$(tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
        [ -z "$n" ] || ranks[n]=$pid
    done
    [ ${#ranks[@]} = 2 ] || complain "the ranks of the launch were not found"
}
# ends CODE WORDS NAME
ends() {
    local before=$SECONDS
    wait $launch
    local code=$?
    launch=
    [ $code = "$1" ] || complain "$3: ended with $code, expected $1"
    grep -qE "$2" "$work/said" || complain "$3: nothing about \"$2\""
    ((SECONDS - before < 12 * stall)) || complain "$3: it took $((SECONDS - before)) s"
}

start --tp 2
kill -STOP "${ranks[1]}"
ends 7 'error: rank 0 of 2 has waited [0-9]+ s for other ranks in event "[a-z]+"' "a rank stopped"
start --tp 2
kill -STOP "${ranks[0]}"
ends 7 'error: rank 1 of 2 has waited [0-9]+ s for other ranks in event "[a-z]+"' "the leader stopped"
grep -q 'still inside after' "$work/said" || complain "no journal"
start --tp 1
kill -STOP "${ranks[1]}"
ends 7 'error: the leader of row 1 has said nothing' "another row stopped"

# The launcher sees a death itself and says which signal it was: 128 + 9.
start --tp 2
kill -KILL "${ranks[1]}"
ends 137 'exited on signal 9' "a rank killed"

# All of a launch asleep, as batch systems do it, is no stall.
start --tp 2
kill -STOP "${ranks[@]}"
sleep $((2 * stall + 1))
kill -CONT "${ranks[@]}"
sleep $((stall + 1))
kill -USR1 "${ranks[0]}"
ends 6 'stopping early' "suspended and resumed"

# Nor is a world without work, whose leader alone speaks with the service.
mkdir -m 700 "$work/door"
at="ipc://$work/door/front"
"$did" serve --state "$work/state" --bind "$at" --quiet 2>>"$work/said" &
desk=$!
mpirun --oversubscribe -n 2 "$did" work --model "$model" --connect "$at" --tp 2 --quiet \
    --stall $stall --idle-exit $((2 * stall + 1)) >"$work/said" 2>&1 || complain "idle: ended with $?"
kill -TERM $desk
wait $desk

[ $failed = 1 ] || echo "stalls are named, sleep is none"
exit $failed
