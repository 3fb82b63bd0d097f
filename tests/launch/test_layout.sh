#!/bin/bash
# --layout 2d: what is announced is what is held, a document's bytes do not depend on the batch, and
# what cannot be is refused in one sentence.
#   test_layout.sh BUILD_DIR          $DID is the program
set -u
. "$(dirname "$0")/runs.sh"
length=24
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && length=16

given=(-n 4 --length $length --layout 2d) records=4

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
    held one together2 together4
fi
grep -q 'layout=2d 2x2' "$work/together4.out" || complain "the signature does not name the grid"

refused 'does not fill the 3 ranks' 3 --tp 2
refused 'f32 only' 2 --precision bf16

finish "the same bytes in every batch; weights of $(weights one), $(weights together2), $(weights together4) MB"
