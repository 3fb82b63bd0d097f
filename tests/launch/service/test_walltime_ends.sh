#!/usr/bin/env bash
# How time ends: TERM takes a process away at once and nothing that was safe is lost; USR1 and the end
# of a Slurm job end a world in good order, with code 6; the same command goes on. All bytes as
# generated. $DID is the program, $DID_TEST_MODELS the models.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
# So many that each world finds work: what it leaves is the next one's.
documents=10 length=96
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && documents=12 length=192
unset SLURM_JOB_END_TIME
mkdir -m 700 "$work/door" "$work/tmp"
export TMPDIR=$work/tmp
at="--connect ipc://$work/door/front"

for i in $(seq $documents); do
    echo "{\"custom_id\": \"d$i\", \"prompt\": \"Once upon a time $i\", \"length\": $length}"
done >"$work/input"
"$did" generate --model "$model" --input "$work/input" --quiet --output "$work/want" 2>>"$work/said" || complain "generate"

# did generate: killed softly in the middle, its code is its own; the same command goes on.
again() {
    exec "$did" generate --model "$model" --input "$work/input" --documents 1 --save-interval-s 0 \
        --state "$work/own" --output "$work/got" "$@" 2>>"$work/said"
}
again &
run=$!
started+=("$run")
until [ -s "$work/got" ]; do sleep 0.05; kill -0 "$run" 2>/dev/null || break; done
before=$(date +%s%N)
kill -TERM "$run"
wait "$run"
code=$?
took=$((($(date +%s%N) - before) / 1000000))
[ $code = 6 ] || complain "did generate after TERM: code $code, expected 6"
[ $took -lt 5000 ] || complain "did generate took $took ms to leave"
[ -z "$(ls "$work/tmp" | grep ^did-)" ] || complain "left behind: $(ls "$work/tmp")"
[ "$(wc -l <"$work/got")" -lt $documents ] || complain "TERM came too late to tell anything"
(export SLURM_JOB_END_TIME=$(($(date +%s) - 5)); again --quiet)
[ $? = 6 ] || complain "did generate at the end of its Slurm job: expected code 6"
(again --quiet --maxh 1e-9)
[ $? = 6 ] || complain "did generate after --maxh: expected code 6"
(again --quiet) || complain "did generate does not go on"
cmp -s <(sort "$work/want") <(sort "$work/got") || complain "other bytes after TERM"

# Worlds: one is told to go at once, one is asked to, one knows by itself, the last one finishes.
"$did" serve --state "$work/state" --bind "ipc://$work/door/front" --quiet 2>>"$work/said" &
desk=$!
started+=("$desk")
count() { "$did" status $at --json | sed -n '/"all"/,/}/s/.*"'"$1"'": \([0-9]*\).*/\1/p'; }
until [ "$(count queued 2>>"$work/said")" = 0 ]; do sleep 0.1; done
"$did" submit $at --input "$work/input" --quiet 2>>"$work/said" || complain "submit"
# world WORD...   two ranks in two rows; $world is the launcher
world() {
    mpirun --oversubscribe -n 2 "$did" work --model "$model" $at --documents 1 --save-interval-s 0 \
        --quiet "$@" >>"$work/said" 2>&1 &
    world=$!
    started+=("$world")
}
busy() {
    until [ "$(count drafting)$(count refining)" != 00 ]; do
        kill -0 "$world" 2>/dev/null || break
        [ "$(count done)" -lt $documents ] || { complain "too few documents: no world is busy any more"; break; }
        sleep 0.05
    done
}

world
busy
kill -TERM $(pgrep -P "$world")
for _ in $(seq 100); do [ "$(count drafting)$(count refining)" = 00 ] && break; sleep 0.1; done
[ "$(count drafting)$(count refining)" = 00 ] || complain "after TERM documents are still out"
wait "$world" && complain "a world after TERM: mpirun says 0"
grep -q 'is silent' "$work/said" && complain "the desk had to wait for a lease"

world
busy
kill -USR1 $(pgrep -P "$world")
wait "$world"
code=$?
[ $code = 6 ] || complain "a world after USR1: code $code, expected 6"

SLURM_JOB_ID=77 SLURM_JOB_END_TIME=$(($(date +%s) + 1)) world
wait "$world"
code=$?
[ $code = 6 ] || complain "a world at the end of its Slurm job: code $code, expected 6"

# An idle world sleeps, and leaves when it was idle long enough.
world --idle-exit 2
"$did" results $at --follow --output "$work/served" --quiet 2>>"$work/said" || complain "results"
cmp -s <(sort "$work/want") <(sort "$work/served") || complain "other bytes from worlds that were ended"
wait "$world" || complain "an idle world: code $?, expected 0"
kill -TERM "$desk"
wait "$desk" || complain "serve"

((failed)) && tail -n 20 "$work/said" || echo "TERM, USR1 and the end of a job: all bytes as generated"
exit "$failed"
