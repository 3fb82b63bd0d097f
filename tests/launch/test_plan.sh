#!/bin/bash
# did plan: it says what a run then holds, knows every number of ranks, and refuses what it cannot know.
#   test_plan.sh BUILD_DIR          $DID is the program
set -u
. "$(dirname "$0")/runs.sh"
unset DID_CALIBRATION DID_KERNELS
export HOME=$work XDG_CONFIG_HOME=$work
"$DID" bench calibrate --quick --output "$work/machine.json" >"$work/shown" 2>&1 ||
    complain "no calibration: $(tail -n 2 "$work/shown")"

# plan NAME OPTIONS...: NAME.json, which is a plan.
plan() {
    local name=$1
    shift
    "$DID" plan --model "$model" --json "$@" >"$work/$name.json" 2>"$work/said" ||
        complain "plan $*: exit code $?: $(cat "$work/said")"
}

# Every number of ranks has a plan; widths divide it, and heads are enough for them.
for ranks in 1 2 3 4 5 6 7 12 13 97 1024; do
    plan any --ranks $ranks --ranks-per-node 2 --calibration "$work/machine.json"
    python3 - "$work/any.json" $ranks <<'PY' || complain "$ranks ranks: not a plan"
import json, sys
plan, ranks = json.load(open(sys.argv[1])), int(sys.argv[2])
assert plan["calibrated"] and plan["best"] >= 0 and plan["binding"]
flat = [grid for grid in plan["grids"] if not grid["mesh"]]
assert {grid["tp"] for grid in flat} == {q for q in range(1, 5) if ranks % q == 0}
for grid in plan["grids"]:
    assert grid["rows"] * grid["tp"] == ranks and grid["seconds"] > 0 and grid["passes"] > 0
    assert grid["mesh"] or grid["fits"]
best = plan["grids"][plan["best"]]
assert all(best["seconds"] <= grid["seconds"] for grid in plan["grids"] if grid["fits"])
said = " ".join(plan["sentences"])
assert "Recommended: " in said
assert ("every rank is a row of its own" in said) == (ranks in (5, 7, 13, 97)), said
assert ("further rows" in said) == (ranks in (6, 12, 1024)), said
assert ("a link nobody measured" in said) == (ranks > 2), said
PY
done
plan slow --ranks 2 --ranks-per-node 1 --link 1Mbit/s:1ms --calibration "$work/machine.json"
plan fast --ranks 2 --ranks-per-node 1 --link 100Gbit/s --calibration "$work/machine.json"
plan blind --ranks 4
python3 - "$work"/{slow,fast,blind}.json <<'PY' || complain "links or times are not as they should be"
import json, sys
slow, fast, blind = [json.load(open(name)) for name in sys.argv[1:]]
of = lambda plan, q: next(g for g in plan["grids"] if g["tp"] == q and not g["mesh"])
assert of(slow, 1)["seconds"] == of(fast, 1)["seconds"] and of(slow, 1)["crossing_bytes"] == 0
assert of(slow, 2)["seconds"] > 10 * of(fast, 2)["seconds"] and of(slow, 2)["crossing_bytes"] > 0
assert not blind["calibrated"] and "seconds" not in of(blind, 1)
assert of(blind, 4)["uneven"]["heads"] == 0 and of(blind, 4)["wire_bytes"] > 0
PY
"$DID" plan --model "$model" --ranks 5 --documents 7 >"$work/shown" 2>&1 || complain "no table"
grep -q '^Uneven: 4 of 4 heads.*2 of 7 documents on one team' "$work/shown" || complain "$(grep Uneven "$work/shown")"
grep -q '^Binding: mpirun --map-by' "$work/shown" || complain "no word about binding"

# Rows on other hosts do not meet: with documents for all of them they lose nothing.
"$DID" plan --model "$model" --calibration "$work/machine.json" --curve 1024 --ranks 2 --documents 64 \
    >"$work/shown" 2>"$work/said" || complain "no curve: $(cat "$work/said")"
[ "$(grep -c ' predicted$' "$work/shown")" = 11 ] || complain "a curve of other points: $(cat "$work/shown")"
awk '/^ *1024 .* predicted$/ { sound = $7 > 99 && $10 < $7 } END { exit !sound }' "$work/shown" ||
    complain "the curve ends with $(tail -n 1 "$work/shown")"

# What the plan says is what a run says, and what it then holds.
agree() {
    local ranks=$1 tp=$2
    shift 2
    plan held --ranks "$ranks" --documents 4 --in-flight 4 --length 64 "$@"
    mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" -n 4 --documents 4 --tp "$tp" \
        --length 64 --stages 4,L:0.25:quota/2 "$@" >"$work/out" 2>"$work/log" ||
        complain "a run of $ranks: $(tail -n 2 "$work/log")"
    python3 - "$work/held.json" "$work/log" "$tp" <<'PY' || complain "$ranks ranks, tp $tp: plan and run differ"
import json, os, re, sys
plan, log, tp = json.load(open(sys.argv[1])), open(sys.argv[2]).read(), int(sys.argv[3])
said = next(g for g in plan["grids"] if g["tp"] == tp and not g["mesh"])["bytes_per_rank"] / 1e6
held, run = [float(x) for x in re.search(r"held now ([\d.]+).*together ([\d.]+)", log).groups()]
measured = float(re.search(r"^measured.*\|\s*([\d.]+)$", log, re.M).group(1)) * 1.048576
print(f"plan {said:.1f} MB, run {run:.1f} MB, measured {measured:.1f} MB")
assert abs(said - 22 - (run - held)) < 0.2, (said, run, held)
if os.environ.get("DID_TEST_SANITIZED", "0") != "1":
    assert abs(said / measured - 1) < 0.05, (said, measured)
PY
}
agree 1 1
agree 2 2
agree 2 1 --precision bf16

# A run says what passes should have taken where it can know, and nothing else where it cannot.
passes() {
    "$DID" generate --model "$model" -n 1 --length 32 --stages 4 --threads 1 "$@" 2>&1 >/dev/null | grep '^Pass time'
}
[ -z "$(passes)" ] || complain "a prediction out of nothing"
passes --calibration "$work/machine.json" | grep -q 'ms; predicted\|predicted [0-9.]* ms' ||
    complain "no prediction beside the run"
DID_CALIBRATION=$work/machine.json passes | grep -q predicted || complain "the environment is not heard"
mkdir -p "$work/did" && cp "$work/machine.json" "$work/did/calibration.json"
passes | grep -q predicted || complain "the usual place is not looked at"
[ -z "$(passes --kernels ref)" ] || complain "kernels that were not measured are predicted"
sed -i 's/"cpus": [0-9]*/"cpus": 4096/' "$work/did/calibration.json"
[ -z "$(passes)" ] || complain "a damaged file predicts"
rm -r "$work/did"

# refused CODE WORDS OPTIONS...: one sentence.
refused() {
    local code=$1 words=$2
    shift 2
    "$DID" "$@" >"$work/shown" 2>"$work/said"
    local got=$?
    [ $got = "$code" ] || complain "did $*: exit code $got, expected $code"
    [ "$(grep -c '^did: error: ' "$work/said")" = 1 ] || complain "did $*: no sentence, or several"
    grep -q "$words" "$work/said" || complain "did $*: $(cat "$work/said")"
}
sed 's/"cpus": [0-9]*/"cpus": 4096/' "$work/machine.json" >"$work/damaged.json"
head -c 700 "$work/machine.json" >"$work/short.json"
refused 2 '\-\-model is missing' plan --ranks 4
refused 2 'expected a rate like' plan --model "$model" --link fast
refused 2 'expected a rate like' plan --model "$model" --link 1Gbit/s:
refused 2 'there is no calibration' plan --model "$model" --curve 4
refused 4 'cannot open' plan --model "$work/no"
refused 2 'is damaged' generate --model "$model" -n 1 --calibration "$work/damaged.json"
refused 2 'cannot open' generate --model "$model" -n 1 --calibration "$work/none.json"
refused 4 'is damaged' plan --model "$model" --calibration "$work/damaged.json"
refused 4 'not JSON' plan --model "$model" --calibration "$work/short.json"
"$DID" plan --model "$model" --memory 0.01 >"$work/shown" && complain "10 MB are said to be enough"
grep -q '^Nothing fits: a rank may hold 10 MB' "$work/shown" || complain "$(tail -n 2 "$work/shown")"

[ $wrong = 0 ] || { echo "$wrong things are not as planned"; exit 1; }
