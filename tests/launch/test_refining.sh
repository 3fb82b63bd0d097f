#!/usr/bin/env bash
# `did refine`: a traced draft refined later is the document that one run would have made, byte for
# byte, on any number of ranks; texts from elsewhere keep what is given; what is wrong is refused in
# one sentence; a run that is killed goes on. $DID is the program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}
reference=$here/../reference
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

slowly=1 count=3 length=48
if [ "${DID_TEST_SANITIZED:-0}" = 1 ]; then slowly=6 count=2 length=32; fi

complain() {
    echo "FAILED: $*"
    tail -n 5 "$work/said" 2>/dev/null | sed 's/^/  | /'
    failed=1
}

# run RANKS COMMAND WORD...
run() {
    local ranks=$1 command=$2
    shift 2
    timeout -k 5 240 mpirun --oversubscribe -n "$ranks" "$did" "$command" --model "$model" --quiet "$@" \
        </dev/null 2>"$work/said"
}

# same A B WHAT   the same records, in some order
same() {
    cmp -s <(sort "$work/$1") <(sort "$work/$2") && return
    complain "other bytes: $3"
    diff <(sort "$work/$1") <(sort "$work/$2") | cut -c1-300 | head -6
}

# ---- a draft now, its refinement later
cat >"$work/asked" <<END
{"custom_id": "plain", "length": $length}
{"custom_id": "seeded", "length": $length, "seed": 5, "n": $((count - 1))}
{"custom_id": "infill", "length": $length, "prompt_ids": [300, -1, -1, 17, -1, 900]}
END
once=4,L:0.25:quota/32,L:0.5:threshold/0.6
run 2 generate --input "$work/asked" --trace --stages 4 --output "$work/drafts" || complain "no drafts"
run 1 generate --input "$work/asked" --trace --stages "$once" --output "$work/whole" ||
    complain "no documents"
for ranks in 1 2 3; do
    run "$ranks" refine --input "$work/drafts" --trace --stages "${once#4,}" \
        --output "$work/later.$ranks" || complain "refine on $ranks ranks ends with $?"
    same whole "later.$ranks" "drafts refined later on $ranks ranks"
done
# From the middle of another run, in two steps, and without the trace of what is new.
run 2 refine --input "$work/whole" --after 1 --trace --stages L:0.25:quota/32 --output "$work/first" ||
    complain "refine --after 1 ends with $?"
run 1 refine --input "$work/first" --trace --stages L:0.5:threshold/0.6 --output "$work/second" ||
    complain "refining twice ends with $?"
same whole second "refined in two runs"
sed 's/, "trace": {.*/}/' "$work/whole" >"$work/plain"
run 1 refine --input "$work/drafts" --stages "${once#4,}" --output "$work/untraced" ||
    complain "refine without a trace ends with $?"
cmp -s <(grep -v infill "$work/plain" | sort) <(grep -v infill "$work/untraced" | sort) ||
    complain "a trace changes what is drawn"
# Other random numbers are other texts, of the same tokens that were given.
run 1 refine --input "$work/drafts" --seed 77 --trace --stages "${once#4,}" --output "$work/other" ||
    complain "refine --seed ends with $?"
cmp -s <(sort "$work/whole") <(sort "$work/other") && complain "a seed changes nothing"

# Variable lengths are cut where the draft ended.
run 1 generate -n "$count" --variable-length --length 288 --trace --stages 4:quota/2 \
    --output "$work/ends" || complain "no drafts of variable length"
run 1 generate -n "$count" --variable-length --length 288 --trace --stages 4:quota/2,L:0.1:quota/2 \
    --output "$work/ends.whole" || complain "no documents of variable length"
run 2 refine --input "$work/ends" --trace --stages L:0.1:quota/2 --output "$work/ends.later" ||
    complain "refining variable lengths ends with $?"
same ends.whole ends.later "drafts of variable length, longer than the window"

# ---- texts from elsewhere
cat >"$work/foreign" <<'END'
{"id": 1, "text": "Once upon a time there was a little dog. He were very happy and ate the the moon."}
{"id": 2, "text": "Once upon a time there was a little dog.", "prompt": "Once upon a time there"}
{"id": 3, "ids": [520, 488, 258, 416, 403, 291, 258, 400], "given": [1, 1, 0, 0, 1, 0, 0, 1], "confidences": [null, null, 0.9, 0.1, null, 0.8, 0.2, null]}
{"id": 4, "text": "The king was the king.", "prompt_tokens": 3}
END
for ranks in 1 2 3; do
    run "$ranks" refine --input "$work/foreign" --trace --stages L:0.5:quota/4,L:0.25 \
        --output "$work/foreign.$ranks" || complain "foreign texts on $ranks ranks: $?"
    same foreign.1 "foreign.$ranks" "foreign texts on $ranks ranks"
done
/usr/bin/python3 "$reference/replay.py" "$model" "$work/foreign.1" "$work/later.2" >"$work/said" 2>&1 ||
    complain "another program disagrees"
/usr/bin/python3 - "$work/foreign.1" <<'END' || complain "what was given did not stay"
import json, sys
records = {r["custom_id"]: r for r in map(json.loads, open(sys.argv[1]))}
assert len(records) == 4
for name, r in records.items():
    given, left, stages = r["trace"]["given"], r["trace"]["left"], r["settings"]["stages"]
    assert stages[0]["work"] == "found", name
    assert stages[1]["policy"] == ("lowest" if name == "3" else "posthoc"), name
    assert stages[2]["policy"] == "lowest" and r["cost"][1]["rescored"] == (name != "3"), name
    for ids in left:
        assert all(g in (-1, t) for g, t in zip(given, ids)), name
assert records["2"]["text"].startswith("Once upon a time there")
assert [g >= 0 for g in records["3"]["trace"]["given"]] == [1, 1, 1, 0, 0, 1, 0, 0, 1]
third = records["3"]["trace"]["draws"]
assert {d[2] for d in third if d[0] == 1} == {4, 7}, third  # the two least sure of four
END
# A refined text is refined again.
run 1 refine --input "$work/foreign.1" --trace --stages L:0.25 --output "$work/again" ||
    complain "refining again ends with $?"
/usr/bin/python3 "$reference/replay.py" "$model" "$work/again" >"$work/said" 2>&1 ||
    complain "another program disagrees with what was refined again"
"$did" show "$work/again" --model "$model" >"$work/shown" 2>"$work/said" || complain "did show"
grep -q '^stage 1: found' "$work/shown" || complain "did show calls a found text something else"

# ---- refusals
# refused CODE SENTENCE WORD...
refused() {
    local code=$1 sentence=$2 got
    shift 2
    run 2 refine "$@" >"$work/stdout"
    got=$?
    [ $got = "$code" ] || complain "did refine $*: exit code $got, expected $code"
    grep -qF -- "$sentence" "$work/said" || complain "did refine $*: expected: $sentence"
    [ ! -s "$work/stdout" ] || complain "did refine $*: something on stdout"
}
refused 2 '--input is missing'
refused 2 'stage 2 (4:x)' --input "$work/foreign" --stages 4:x
refused 2 '--output and --input are the same file' --input "$work/foreign" --output "$work/foreign"
refused 2 "--output $work/again exists already" --input "$work/foreign" --output "$work/again"
refused 3 '--after 4: the record has 3 stages' --input "$work/whole" --after 4
refused 3 '--after chooses a stage of records' --input "$work/foreign" --after 1
refused 3 'block 3 does not divide the length' --input "$work/foreign" --stages 3
head -n 1 "$work/drafts" >"$work/double"
cat "$work/double" "$work/double" >"$work/twice"
refused 3 'was used on line 1 already' --input "$work/twice"
printf '{"ids": [1, 2], "confidences": [0.5, 1.01]}\n' >"$work/wrong"
refused 3 ":1: confidences: element 1 is 1.01" --input "$work/wrong"
/usr/bin/python3 -c 'import json; print(json.dumps({"ids": [1] * 131072}))' >"$work/wrong"
refused 3 'found 131073 tokens, expected at most 131072' --input "$work/wrong"

# ---- killed and started again
killed=0
for attempt in 1 2 3 4 5 6 7 8; do
    timeout -s KILL "$(awk "BEGIN {print $slowly * (0.5 + 0.4 * $attempt)}")" mpirun --oversubscribe \
        -n $((1 + attempt % 2)) "$did" refine --model "$model" --quiet --trace --input "$work/drafts" \
        --stages "${once#4,}" --output "$work/killed" --state "$work/state" --save-interval-s 0 \
        </dev/null 2>"$work/said" &
    wait $! 2>/dev/null
    code=$?
    ((code == 0)) && break
    killed=$((killed + 1))
    sleep 0.3
done
while ((code != 0)) && ((killed < 20)); do # a slow machine
    run 1 refine --trace --input "$work/drafts" --stages "${once#4,}" --output "$work/killed" \
        --state "$work/state"
    code=$?
    killed=$((killed + 1))
done
same whole killed "killed $killed times"
"$did" fsck --state "$work/state" --output "$work/killed" >"$work/said" 2>&1 || complain "did fsck"
refused 2 'is known with another content' --trace --input "$work/drafts" --stages L:0.5 \
    --state "$work/state" --output "$work/killed"

((failed)) || echo "the same bytes at once and later; killed $killed times"
exit "$failed"
