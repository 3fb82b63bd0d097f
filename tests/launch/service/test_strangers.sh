#!/usr/bin/env bash
# Over TCP nobody without a key is heard, and nobody sees or cancels another's job. $DID is the
# program.
set -u
did=${DID:?DID must name the program}
work=$(mktemp -d)
desk= patience=5
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && patience=30
leave() {
    [ -n "$desk" ] && kill -KILL "$desk" 2>>"$work/said" && wait "$desk" 2>>"$work/said"
    rm -rf "$work"
}
trap leave EXIT
failed=0
complain() { echo "FAILED: $*"; failed=1; }

keys="$work/keys"
for name in alice bob; do "$did" keys "$keys" --name $name 2>>"$work/said" || complain "keys $name"; done
"$did" keys "$keys" --name world --role world 2>>"$work/said" || complain "keys world"
"$did" keys "$work/others" --name mallory 2>>"$work/said"
[ "$(stat -c %a "$keys")$(stat -c %a "$keys/alice.key")" = 700600 ] || complain "modes of the key files"
"$did" keys "$keys" --name alice 2>>"$work/said" && complain "a name was given twice"
"$did" serve --state "$work/state" --bind tcp://127.0.0.1:0 2>"$work/open" && complain "TCP without keys"
grep -q encrypted "$work/open" || complain "no reason: $(cat "$work/open")"

"$did" serve --state "$work/state" --bind "tcp://127.0.0.1:*" --keys "$keys" 2>"$work/serve" &
desk=$!
for _ in $(seq 300); do grep -q "is open" "$work/serve" && break; sleep 0.1; done
address=$(sed -n 's/.*\(tcp:[^ ]*\) is open.*/\1/p' "$work/serve")
# as NAME COMMAND WORD...
as() {
    local name=$1 command=$2
    shift 2
    "$did" "$command" --connect "$address" --keys "$keys/$name.key" --patience-s $patience "$@"
}

printf '{"custom_id": "d%d"}\n' 1 2 3 >"$work/input.jsonl"
as alice submit --input "$work/input.jsonl" --job mine 2>>"$work/said" || complain "alice may submit"
as alice status | grep -q '^mine  *3 ' || complain "alice sees her job"
as bob status | grep -q '^mine ' && complain "bob sees a job of alice"
as bob status | grep -q '^(everybody)  *3 ' || complain "bob sees the totals"
as bob results --job mine >"$work/got" 2>"$work/why" && complain "bob reads results of alice"
grep -q 'you have no job' "$work/why" || complain "no reason: $(cat "$work/why")"
as bob cancel --job mine 2>>"$work/said" && complain "bob cancels a job of alice"
as world submit --input "$work/input.jsonl" 2>"$work/why" && complain "a world submits"
grep -q 'your key may not' "$work/why" || complain "no reason: $(cat "$work/why")"

# Another's key file with this service's public key; no key at all; the key of nobody.
sed "s|^server .*|$(grep ^server "$keys/alice.key" | sed 's/[&|\\]/\\&/g')|" "$work/others/mallory.key" >"$work/forged.key"
chmod 600 "$work/forged.key"
for key in "--keys $work/forged.key" "--keys $work/others/mallory.key" ""; do
    "$did" status --connect "$address" $key --patience-s 2 >"$work/got" 2>>"$work/said" && complain "a stranger came in: $key"
    [ -s "$work/got" ] && complain "a stranger was told something: $key"
done
chmod 644 "$keys/bob.key"
as bob status >>"$work/said" 2>&1 && complain "a secret that others may read was used"

# Who is put on the list later comes in without a restart.
"$did" keys "$keys" --name carol 2>>"$work/said"
for _ in $(seq 20); do as carol status >>"$work/said" 2>&1 && break; sleep 0.3; done
as carol status >>"$work/said" 2>&1 || complain "carol was not let in"
as alice cancel --job mine --id d2 2>>"$work/said" || complain "alice may cancel"
as alice status --json | grep -q '"cancelled": 1' || complain "d2 is not cancelled"

((failed)) && tail -n 20 "$work/said" "$work/serve" || echo "strangers hear nothing, guests only of their own"
exit "$failed"
