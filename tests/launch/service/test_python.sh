#!/usr/bin/env bash
# The client that PROTOCOL.md shows, taken from the page and run: another language submits and
# fetches, over ipc and over TCP with keys. $DID is the program, $DID_TEST_MODELS the models.
set -u
python=${TEST_PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import zmq' 2>/dev/null; then
    echo "skipped: $python has no zmq (Debian package python3-zmq)"
    exit 0
fi
. "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

sed -n '/^```python$/,/^```$/p' "$here/../../../launch/PROTOCOL.md" | sed '1d;$d' >"$work/client.py"
[ "$(wc -l <"$work/client.py")" -le 20 ] || complain "the client has more than 20 lines"
for i in $(seq 6); do
    echo "{\"custom_id\": \"p$i\", \"prompt\": \"Once upon a time $i\", \"length\": 32}"
done >"$work/input.jsonl"
mpirun --oversubscribe -n 1 "$did" generate --model "$model" --input "$work/input.jsonl" --seed 5 --quiet \
    --output "$work/want" 2>>"$work/said" || complain "generate"

"$did" keys "$work/keys" --name guest 2>>"$work/said" && "$did" keys "$work/keys" --name world --role world 2>>"$work/said"
"$did" serve --state "$work/state" --bind "tcp://127.0.0.1:*" --keys "$work/keys" 2>"$work/serve" &
started+=($!)
for _ in $(seq 50); do grep -q "is open" "$work/serve" && break; sleep 0.1; done
address=$(sed -n 's/.*\(tcp:[^ ]*\) is open.*/\1/p' "$work/serve")
mpirun --oversubscribe -n 1 "$did" work --model "$model" --connect "$address" --keys "$work/keys/world.key" \
    --quiet >>"$work/said" 2>&1 &
started+=($!)
timeout 60 "$python" "$work/client.py" "$address" page "$work/input.jsonl" "$work/keys/guest.key" >"$work/got" 2>>"$work/said" ||
    complain "the client failed"
cmp -s <(sort "$work/want") <(sort "$work/got") || complain "other bytes"
echo '{"custom_id": "p1", "prompt": "Something else"}' >"$work/other.jsonl"
timeout 20 "$python" "$work/client.py" "$address" page "$work/other.jsonl" "$work/keys/guest.key" >"$work/got" 2>"$work/why" &&
    complain "a conflict was taken"
grep -q 'another content' "$work/why" || complain "no reason: $(cat "$work/why")"

((failed)) && tail -n 20 "$work/said" "$work/serve" || echo "another language submits and fetches: all bytes as generated"
exit "$failed"
