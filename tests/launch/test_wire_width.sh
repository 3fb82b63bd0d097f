#!/bin/bash
# --wire bf16 reaches the sums, records name it, documents do not depend on the batch, and what cannot be
# is refused. That messages and shared memory give the same bits, tests/comm/ranks_shared.c shows.
#   test_wire_width.sh BUILD_DIR          $DID is the program
set -u
. "$(dirname "$0")/runs.sh"

for i in 1 2 3 4; do
    echo "{\"custom_id\": \"d$i\", \"length\": $((8 * i)), \"stages\": \"8:quota/2,L:0.5:quota/2\"}"
done >"$work/in.jsonl"

given=(--input "$work/in.jsonl" --ids) records=4

bytes_of() {
    awk -F'|' '$1 ~ /^mlp/ {print $3 + 0}' "$work/$1.log"
}

generate 2 wide --tp 2 --documents 4
generate 2 together --tp 2 --wire bf16 --documents 4
generate 2 apart --tp 2 --wire bf16 --documents 1 --pass-rows 16
same together apart
grep -q 'tp=2 wire=bf16' "$work/together.jsonl" || complain "records do not name the wire"
grep -q 'wire=' "$work/wide.jsonl" && complain "a wide wire is named"
[ "$(bytes_of wide)" -gt 0 ] || complain "no bytes were counted"
[ $((2 * $(bytes_of together))) = "$(bytes_of wide)" ] ||
    complain "not half the bytes: $(bytes_of together) of $(bytes_of wide)"

generate 1 one --wire bf16
generate 1 plain
same one plain # one rank sends nothing

refused '--wire bf16 with --layout 2d' 2 --layout 2d --wire bf16
finish "half the bytes on a narrow wire: $(bytes_of together) of $(bytes_of wide)"
