#!/usr/bin/env bash
# A disk that fills up in the middle: one sentence, exit code 1, and nothing is lost once there is
# room. The output on /dev/full everywhere; a small disk of one's own where the kernel lets us mount
# one. $DID is the program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1-}" != inside ] && unshare --user --map-root-user --mount true 2>/dev/null; then
    exec unshare --user --map-root-user --mount bash "$here/test_full_disk.sh" inside
fi
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}
work=$(mktemp -d)
small=$work/small
desk=
leave() {
    [ -n "$desk" ] && kill -KILL "$desk" 2>/dev/null
    mountpoint -q "$small" && umount "$small"
    rm -rf "$work"
}
trap leave EXIT
failed=0
complain() { echo "FAILED: $*"; failed=1; }

documents=5
for i in $(seq $documents); do
    echo "{\"custom_id\": \"d$i\", \"prompt\": \"Once upon a time $i\", \"length\": 64}"
done >"$work/input"
# generate RANKS OPTION...
generate() {
    local ranks=$1
    shift
    timeout 200 mpirun --oversubscribe -n "$ranks" "$did" generate --model "$model" --quiet --trace \
        --input "$work/input" --save-interval-s 0 "$@" 2>"$work/said"
}
# one_sentence CODE WORDS   how it ended
one_sentence() {
    [ "$1" = 1 ] || complain "ended with $1, expected 1: $(cat "$work/said")"
    [ "$(grep -c '^did: ' "$work/said")" = 1 ] && grep -q "^did: error: .*$2" "$work/said" ||
        complain "expected one sentence with \"$2\": $(cat "$work/said")"
}

generate 1 --output "$work/whole" || complain "the job on a large disk"
for ranks in 1 2; do
    rm -f "$work"/state*
    generate $ranks --output /dev/full --state "$work/state"
    one_sentence $? 'output /dev/full: cannot write: No space left'
done
generate 1 --output "$work/later" --state "$work/state" || complain "after /dev/full"
cmp -s <(sort "$work/whole") <(sort "$work/later") || complain "other bytes after /dev/full"

mkdir "$small"
if ! mount -t tmpfs -o size=100k none "$small" 2>/dev/null; then
    echo "no disk can be mounted here: only /dev/full was tried"
    exit "$failed"
fi

# The state file fills the disk.
generate 2 --output "$work/out" --state "$small/state"
one_sentence $? 'state file .*full'
"$did" fsck --state "$small/state" --output "$work/out" >"$work/found" 2>&1
[ $? = 0 ] || [ $? = 6 ] || complain "fsck on a full disk: $(cat "$work/found")"
mount -o remount,size=64m "$small"
generate 2 --output "$work/out" --state "$small/state" || complain "with room again: $(cat "$work/said")"
cmp -s <(sort "$work/whole") <(sort "$work/out") || complain "other bytes with room again"
"$did" fsck --state "$small/state" --output "$work/out" >"$work/found" || complain "fsck: $(cat "$work/found")"

# There is no room from the start, for the state file or for the output.
full() { head -c 1m /dev/zero >"$small/fill" 2>/dev/null; }
umount "$small"
mount -t tmpfs -o size=100k none "$small"
full
for ranks in 1 2; do
    generate $ranks --output "$work/never" --state "$small/state"
    one_sentence $? 'state file .*\(full\|No space\)'
done
rm -f "$small/fill"
cp "$work/out" "$small/out"
sed -i '$d' "$small/out"
full
generate 2 --output "$small/out" --state "$work/state-of-out"
[ $? = 2 ] || complain "an output that the state file does not know: $(cat "$work/said")"
cp "$work/state" "$work/state-of-later"
generate 2 --output "$small/new" --state "$work/state-of-later"
one_sentence $? 'output .*No space'
"$did" serve --state "$small/state" --bind "ipc://$small/front" --quiet 2>"$work/said"
one_sentence $? '\(full\|No space\|mode\)'

# The service: what was acknowledged before the disk was full is there afterwards.
umount "$small"
mount -t tmpfs -o size=300k none "$small"
mkdir -m 700 "$work/door"
at=(--connect "ipc://$work/door/front")
serve() {
    "$did" serve --state "$small/state" --bind "ipc://$work/door/front" --quiet 2>"$work/said" &
    desk=$!
}
serve
taken=0
for part in $(seq 200); do
    for i in $(seq 20); do
        echo "{\"custom_id\": \"p$part-$i\", \"prompt\": \"$(printf 'word %.0s' $(seq 40))$i\"}"
    done >"$work/part"
    "$did" submit "${at[@]}" --input "$work/part" --job big --quiet --patience-s 1 2>"$work/refused" || break
    taken=$part
done
wait "$desk"
one_sentence $? 'state file .*full'
((taken > 0)) && grep -q 'does not answer' "$work/refused" || complain "part $taken: $(cat "$work/refused")"
mount -o remount,size=64m "$small"
serve
kept=$("$did" status "${at[@]}" --json | sed -n '/"all"/,/}/s/.*"queued": \([0-9]*\).*/\1/p')
((kept >= 20 * taken && kept <= 20 * taken + 20 && kept % 20 == 0)) ||
    complain "$kept documents, and $taken parts of 20 were acknowledged"
"$did" submit "${at[@]}" --input "$work/part" --job big --quiet 2>>"$work/refused" || complain "with room again"
kill -TERM "$desk"
wait "$desk" || complain "serve with room again: $(cat "$work/said")"
desk=
"$did" fsck --state "$small/state" >"$work/found" || complain "fsck of the service: $(cat "$work/found")"
exit "$failed"
