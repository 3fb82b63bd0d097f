#!/bin/bash
# --wire bf16 reaches the sums, records name it, documents do not depend on the batch, and what cannot be
# is refused. That messages and shared memory give the same bits, tests/comm/ranks_shared.c shows.
#   test_wire_width.sh BUILD_DIR          $DID is the program
set -u
model=$(dirname "$0")/../models/did-tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

for i in 1 2 3 4; do
    echo "{\"custom_id\": \"d$i\", \"length\": $((8 * i)), \"stages\": \"8:quota/2,L:0.5:quota/2\"}"
done >"$work/in.jsonl"

# generate RANKS NAME OPTIONS...: records in order to NAME.jsonl
generate() {
    local ranks=$1 name=$2
    shift 2
    timeout 120 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" \
        --input "$work/in.jsonl" --ids "$@" >"$work/$name.out" 2>"$work/$name.log" ||
        complain "$name: exit code $?: $(tail -n 3 "$work/$name.log")"
    sort "$work/$name.out" >"$work/$name.jsonl"
    [ "$(wc -l <"$work/$name.jsonl")" = 4 ] || complain "$name: not four records"
}

bytes_of() {
    awk -F'|' '$1 ~ /^mlp/ {print $3 + 0}' "$work/$1.log"
}

generate 2 wide --tp 2 --documents 4
generate 2 together --tp 2 --wire bf16 --documents 4
generate 2 apart --tp 2 --wire bf16 --documents 1 --pass-rows 16
cmp -s "$work/together.jsonl" "$work/apart.jsonl" || complain "the batch changes a narrow wire's bytes"
grep -q 'tp=2 wire=bf16' "$work/together.jsonl" || complain "records do not name the wire"
grep -q 'wire=' "$work/wide.jsonl" && complain "a wide wire is named"
[ "$(bytes_of wide)" -gt 0 ] || complain "no bytes were counted"
[ $((2 * $(bytes_of together))) = "$(bytes_of wide)" ] ||
    complain "not half the bytes: $(bytes_of together) of $(bytes_of wide)"

generate 1 one --wire bf16
generate 1 plain
cmp -s "$work/one.jsonl" "$work/plain.jsonl" || complain "one rank sends nothing, yet it matters"

timeout 60 mpirun --oversubscribe -n 2 "$DID" generate --model "$model" -n 1 --length 16 \
    --layout 2d --wire bf16 >"$work/shown" 2>"$work/said"
code=$?
[ $code = 2 ] || complain "--layout 2d --wire bf16: exit code $code"
grep -q -- '--wire bf16 with --layout 2d' "$work/said" || complain "not refused: $(cat "$work/said")"
exit $((wrong > 0))
