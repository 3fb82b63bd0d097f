#!/bin/bash
# --refine-span: rows that span a document write the bytes of rows apart, whoever drafts beside it; what
# cannot be is refused in one sentence.
#   test_span.sh BUILD_DIR          $DID is the program
set -u
. "$(dirname "$0")/runs.sh"

# One document of several windows, one of several tiles, and some short ones; a draft that is refined
# while others are still drafted.
long=400
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && long=200
cat >"$work/in.jsonl" <<JSON
{"custom_id": "long", "length": $long, "stages": "40:quota/4,L:0.3:quota/3"}
{"custom_id": "posthoc", "length": 150, "stages": "50:quota/4,L:0.3:quota/3:policy=posthoc"}
{"custom_id": "draft", "length": 90, "stages": "30:quota/6"}
{"custom_id": "cached", "length": 130, "stages": "L:quota/3,L:0.5:quota/5:cache=2"}
{"custom_id": "short", "length": 40, "stages": "10:quota/5,L:0.5:quota/4"}
JSON

given=(--input "$work/in.jsonl" --refine-window 180) records=5
generate 1 alone
generate 2 two --refine-span 2 --pass-rows 256
same alone two
grep -q '2 rows span every refinement of the whole: 1 team' "$work/two.log" || complain "not said"
grep -q '^K and V' "$work/two.log" || complain "nothing was gathered"
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    generate 4 teams --refine-span 2 --documents 1
    same alone teams
    generate 1 narrow --precision bf16
    generate 3 three --precision bf16 --refine-span 3
    same narrow three
    held two three teams
fi

refused '--pass-rows 180 would do' 4 --refine-span 2 --pass-rows 64
if [ "${DID_TEST_SANITIZED:-0}" != 1 ]; then
    refused 'refine-span 3 does not divide the 4 rows of 1 rank of this run; 1, 2 or 4' 4 --refine-span 3
    refused 'refine-span 2 with --layout 2d' 4 --refine-span 2 --layout 2d
    refused 'found "two", expected auto or a whole number' 4 --refine-span two
fi

finish "rows that span agree with rows apart"
