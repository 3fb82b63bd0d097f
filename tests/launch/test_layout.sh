#!/bin/bash
# --layout 2d: what is announced is what is held, a document's bytes do not depend on the batch, and
# what cannot be is refused in one sentence.
#   test_layout.sh BUILD_DIR          $DID is the program
set -u
model=$(dirname "$0")/../models/did-tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
length=40
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && length=16
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

# generate RANKS NAME OPTIONS...: records in order to NAME.jsonl, the log to NAME.log
generate() {
    local ranks=$1 name=$2
    shift 2
    timeout 300 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" -n 4 --length $length \
        --layout 2d "$@" >"$work/$name.out" 2>"$work/$name.log" || {
        complain "$name: exit code $?: $(tail -n 3 "$work/$name.log")"
    }
    sort "$work/$name.out" >"$work/$name.jsonl"
    [ "$(wc -l <"$work/$name.jsonl")" = 4 ] || complain "$name: not four records"
}

same() {
    cmp -s "$work/$1.jsonl" "$work/$2.jsonl" || complain "$1 and $2 differ"
}

# Alone, all together, in small passes: the same bytes, on every grid.
generate 4 together4
generate 2 together2
generate 2 alone2 --documents 1
same together2 alone2
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    generate 4 alone4 --documents 1
    generate 4 small4 --pass-rows 16
    same together4 alone4
    same together4 small4
    generate 3 line3 --tp 1
    generate 3 lineup3 --tp 1 --documents 2
    same line3 lineup3
fi

# The plan says that weights are shared by all, and the run that it was right.
weights() { sed -n 's/.*memory per rank.* weights \([0-9.]*\),.*/\1/p' "$work/$1.log" | head -n 1; }
generate 1 one
awk -v one="$(weights one)" -v two="$(weights together2)" -v four="$(weights together4)" 'BEGIN {
    exit !(one > 20 && two < 0.55 * one && two > 0.45 * one && four < 0.28 * one && four > 0.22 * one)
}' || complain "weights of 1, 2, 4 ranks: $(weights one) $(weights together2) $(weights together4)"
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    for name in one together2 together4; do
        grep 'more than predicted' "$work/$name.log" && complain "$name: the plan was wrong"
    done
fi
grep -q 'layout=2d 2x2' "$work/together4.out" || complain "the signature does not name the grid"

# refused WORDS CODE RANKS OPTIONS...
refused() {
    local words=$1 code=$2 ranks=$3
    shift 3
    timeout 60 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" --layout 2d "$@" \
        >"$work/shown" 2>"$work/said"
    local got=$?
    [ $got = "$code" ] || complain "$*: exit code $got, expected $code"
    grep -q "^did: error: .*$words" "$work/said" || complain "$*: $(grep error "$work/said")"
}
refused 'does not fill the 3 ranks' 2 3 --tp 2
refused 'f32 only' 2 2 --precision bf16

[ $wrong = 0 ] || { echo "$wrong things are not as announced"; exit 1; }
echo "the same bytes in every batch; weights of $(weights one), $(weights together2), $(weights together4) MB"
