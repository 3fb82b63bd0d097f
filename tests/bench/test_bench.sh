#!/bin/bash
# did bench from outside: every bench runs, finds nothing INVALID, and writes lines a program can
# read; what makes no sense is refused with code 2. Speeds are nobody's business here.
#   test_bench.sh BUILD_DIR      with DID, the program
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

# bench NAME LINES WORDS...: at least LINES results of that bench, all of them right.
bench() {
    local name=$1 least=$2 code
    shift 2
    "$@" --quick --json "$scratch/json" >"$scratch/shown" 2>"$scratch/said"
    code=$?
    [ $code = 0 ] || complain "$*: exit code $code: $(cat "$scratch/said")"
    grep INVALID "$scratch/shown" && complain "$*: found something INVALID"
    python3 - "$scratch/json" "$name" "$least" <<'EOF' || complain "$*: the JSON is not right"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
of = lambda kind: [line for line in lines if line["kind"] == kind]
assert len(of("run")) == 1 and of("run")[0]["commit"] and "--quick" in of("run")[0]["command"]
assert any("gflops" in line for line in of("peak")) and any("gbs" in line for line in of("peak"))
f32 = [line for line in of(sys.argv[2]) if line.get("precision") == "f32"]
bf16 = [line for line in of(sys.argv[2]) if line.get("precision") == "bf16"]
assert not any("ratio" in line for line in f32 if not line.get("reproducible"))
assert all(line["ratio"] > 0 for line in f32 if line.get("reproducible"))
assert not f32 or all(line["ratio"] > 0 for line in bf16), bf16
results = of(sys.argv[2])
assert len(results) >= int(sys.argv[3]), f"{len(results)} lines"
for line in results:
    assert line["valid"] is True, line
    if line["kind"] == "sweep":
        assert line["whole_h"] > 0 and line["times"] > 0 and line["times_loads"] > 0 and line["times_core"] > 0, line
        continue
    assert 0 < line["ms_min"] <= line["ms_median"] <= line["ms_max"], line
    assert line.get("percent", 1) > 0 and line["slowest"].startswith("r"), line
EOF
}

bench kernel 40 "$DID" bench kernels
bench kernel 2 "$DID" bench kernels --only norm --kernels ref
bench kernel 6 "$DID" bench kernels --only linear --precision bf16
bench pass 14 "$DID" bench passes
bench documents 8 "$DID" bench documents --geometry 80x5x3x1003x96
two=(mpirun -n 2 "$DID" bench)
bench pass 28 "${two[@]}" passes --geometry 80x5x3x1003x96 --tp 2 --reproducible
bench documents 4 "${two[@]}" documents --geometry 80x5x3x1003x96 --length 16
bench sweep 3 "$DID" bench sweep --geometry 80x5x3x1003x96
bench sweep 5 "${two[@]}" sweep --geometry 80x5x3x1003x96 --documents 8,16 --each 2
bench layout 4 "$DID" bench layouts
bench layout 4 "${two[@]}" layouts --rows 40,200 --width 96
bench kernel 1 "${two[@]}" kernels --only max --kernels ref
bench span 4 "${two[@]}" span --geometry 80x5x3x1003x96
bench scaling 6 "${two[@]}" scaling --geometry 80x5x3x1003x96 --tp 2 --repeats 1 --length 16
[ "$(grep -c 'PASSED$' "$scratch/shown")" = 6 ] || complain "scaling: not six lines PASSED"

# What ranks say to each other: every size, every way, checked.
collectives() {
    "$@" --quick --json "$scratch/json" >"$scratch/shown" 2>"$scratch/said" ||
        complain "$*: exit code $?: $(cat "$scratch/said")"
    python3 - "$scratch/json" <<'EOF' || complain "$*: the JSON is not right"
import json, sys
lines = [line for line in map(json.loads, open(sys.argv[1])) if line["kind"] == "collective"]
assert {line["way"] for line in lines if line["op"] == "sum"} == {"memory", "messages", "MPI"}
for op in "sum", "gather", "broadcast", "bounce":
    assert len({line["bytes"] for line in lines if line["op"] == op}) == 3, op
for line in lines:
    assert line["valid"] is True and line["mbs"] > 0, line
    assert 0 < line["us_min"] <= line["us_avg"] <= line["us_max"], line
    assert line["op"] != "sum" or line["ratio"] > 0, line
EOF
}
collectives "${two[@]}" collectives
collectives mpirun -n 3 "$DID" bench collectives

# What this machine can do: a file that says so, with nothing INVALID on the way.
for launch in "" "mpirun -n 2"; do
    $launch "$DID" bench calibrate --quick --output "$scratch/kept/calibration.json" \
        --json "$scratch/json" >"$scratch/shown" 2>"$scratch/said" ||
        complain "$launch calibrate: exit code $?: $(cat "$scratch/said")"
    grep INVALID "$scratch/shown" && complain "$launch calibrate: found something INVALID"
    python3 - "$scratch/json" "$scratch/kept/calibration.json" <<'EOF' || complain "calibrate: not right"
import json, sys
lines = [line for line in map(json.loads, open(sys.argv[1])) if line["kind"] == "calibration"]
assert len([line for line in lines if line["op"] == "linear"]) == 56, len(lines)
kept = json.load(open(sys.argv[2]))
assert kept["calibration"] == 2 and kept["hash"] and kept["cpus"] >= 1
assert (kept["together"]["ranks"] == 2) == any(line["op"] == "sum" for line in lines)
assert kept["sums"]["wait"] >= 0 and (kept["together"]["ranks"] == 2 or kept["sums"]["wait"] == 0)
assert all(x > 0 for x in kept["alone"]["f32"]["linear near 768x768"])
EOF
done

# How it scales: every line has one rank's documents, rows stand beside ranks on their own, and with the
# calibration just made a curve goes on from there, all of it marked.
DID_CALIBRATION=$scratch/kept/calibration.json "${two[@]}" scaling --quick --repeats 1 --json "$scratch/json" \
    --geometry 80x5x3x1003x96 >"$scratch/shown" 2>"$scratch/said" ||
    complain "scaling: exit code $?: $(cat "$scratch/said")"
python3 - "$scratch/json" <<'EOF' || complain "scaling: the JSON is not right"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
of = lambda kind: [line for line in lines if line["kind"] == kind]
shapes = [(line["mode"], line["ranks"], line["documents"]) for line in of("scaling")]
assert shapes == [("weak", 1, 2), ("weak", 2, 4), ("strong", 1, 4), ("strong", 2, 4)], shapes
for line in of("scaling"):
    assert line["check"] == "PASSED" and line["tokens_s"] > 0 and line["percent"] > 0, line
    assert ("of_apart" in line) == (line["ranks"] == 2), line
digest = {line["digest"] for line in of("scaling") if line["documents"] == 4}
assert len(digest) == 1 and digest != {of("scaling")[0]["digest"]}, digest
curve = of("curve")
assert [line["hosts"] for line in curve] == [2**i for i in range(11)], curve
for line in curve:
    assert line["check"] == "predicted" and line["weak_s"] > 0 and line["strong_s"] > 0, line
assert curve[0]["weak_percent"] == 100 and curve[-1]["strong_percent"] < 100, curve
EOF
rm -r "$scratch/kept"

# What is predicted stands beside what was measured, for every layout in each precision.
"${two[@]}" plan --quick --json "$scratch/json" --geometry 80x5x3x1003x96 >"$scratch/shown" \
    2>"$scratch/said" || complain "plan: exit code $?: $(cat "$scratch/said")"
python3 - "$scratch/json" <<'EOF' || complain "plan: the JSON is not right"
import json, sys
lines = [line for line in map(json.loads, open(sys.argv[1])) if line["kind"] == "plan"]
layouts = ["1 rank", "2 rows", "1 x 2 columns", "2 depths", "span of 2"]
assert [line["layout"] for line in lines] == [name for name in layouts * 2 for _ in range(2)], lines
for line in lines:
    assert line["predicted"] > 0 and line["measured"] > 0 and line["rows"] > 0, line
    assert (line["check"] == "PASSED") == (abs(line["error"]) <= 15), line
EOF
grep -q 'Predicted within 15 % of what was measured: 20 lines' "$scratch/shown" ||
    complain "plan: $(tail -n 1 "$scratch/shown")"

# Rows, depths and columns: those of one numeric signature have the same documents.
"${two[@]}" depths --quick --json "$scratch/json" --geometry 80x5x3x1003x96 >"$scratch/shown" \
    2>"$scratch/said" || complain "depths: exit code $?: $(cat "$scratch/said")"
python3 - "$scratch/json" <<'EOF' || complain "depths: the JSON is not right"
import json, sys
lines = [line for line in map(json.loads, open(sys.argv[1])) if line["kind"] == "depths"]
assert [line["way"] for line in lines] == ["rows", "depths", "depths", "columns"] * 2, lines
for rows, two, four, columns in (lines[:4], lines[4:]):
    assert rows["digest"] == two["digest"] == four["digest"] and int(columns["digest"], 16), lines
    assert rows["of_rows"] == columns["of_columns"] == 1 and two["of_rows"] > 0, lines
    assert all(line["check"] == "PASSED" and 0 <= line["wait_most"] <= 100 for line in lines), lines
EOF

# refused WORDS...: code 2, one sentence.
refused() {
    "$DID" bench "$@" >"$scratch/shown" 2>"$scratch/said"
    local code=$?
    [ $code = 2 ] || complain "did bench $*: exit code $code, expected 2"
    [ "$(grep -c '^did: error: ' "$scratch/said")" = 1 ] || complain "did bench $*: says no reason"
}
refused
refused speed
refused kernels --only teapot
refused kernels --kernels teapot
refused kernels --kernels blas --precision bf16
refused passes --precision f16
refused kernels --tp 2
refused collectives
HOME= XDG_CONFIG_HOME= DID_CALIBRATION= refused calibrate
refused collectives --kernels ref
refused passes --tp 2
refused passes --context 4
refused passes --model "$scratch"
refused documents --length 1
refused layouts --tp 2
refused scaling --tp 2
refused scaling --length 1
refused plan --length 10
refused depths
refused documents --json "$scratch/no/such/place"

"$DID" bench --help >"$scratch/shown" || complain "did bench --help fails"
grep -q 'did bench passes' "$scratch/shown" || complain "did bench --help does not name its parts"
"$DID" --help | grep -q 'did bench' || complain "did --help does not name bench"

rm -f "$scratch"/{json,shown,said}
# The daemon of a process that was started alone tidies up after it, in its own time.
for _ in {1..100}; do
    left=$(ls "$scratch")
    [ -z "$left" ] && break
    sleep 0.1
done
[ -z "$left" ] || complain "left behind: $left"
[ $wrong = 0 ]
