#!/usr/bin/env bash
# What people and machines see of a service at work: the bar of did submit --wait and the table of did
# top on a terminal of 80 columns, Prometheus text, JSON, a log in JSON. $DID is the program,
# $DID_TEST_MODELS the models.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
documents=12 length=128
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && documents=3 length=64
mkdir -m 700 "$work/door"
at=(--connect "ipc://$work/door/front")
for i in $(seq $documents); do echo "{\"custom_id\": \"d$i\", \"prompt\": \"Once $i\", \"length\": $length}"; done >"$work/input"
# on_terminal FILE WORD...   run it on a terminal of 24 lines and 80 columns; FILE: what that was sent
on_terminal() {
    python3 - "$@" <<'END'
import fcntl, os, pty, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
with open(sys.argv[1], "wb") as to:
    try:
        while piece := os.read(master, 65536): to.write(piece)
    except OSError:
        pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

"$did" serve --state "$work/kept" --bind "ipc://$work/door/front" --log json 2>"$work/log" &
desk=$!
started+=("$desk")
SLURM_JOB_ID=4711 mpirun --oversubscribe -n 1 "$did" work --model "$model" "${at[@]}" --documents 2 \
    --idle-exit 20 --quiet >>"$work/said" 2>&1 &
world=$!
started+=("$world")
on_terminal "$work/bar" "$did" submit "${at[@]}" --input "$work/input" --job seen --wait ||
    complain "submit --wait: code $?" &
submitter=$!
for _ in $(seq 300); do
    "$did" status "${at[@]}" --json >"$work/state" && grep -q '"drafting": [12]' "$work/state" && break
    sleep 0.1
done
on_terminal "$work/top" "$did" top "${at[@]}" --interval-s 0.5 -n 4 || complain "top: code $?"
"$did" status "${at[@]}" --json >"$work/state" || complain "status --json"
"$did" status "${at[@]}" --prometheus >"$work/prometheus" || complain "status --prometheus"
wait "$submitter"
kill -USR1 $(pgrep -P "$world") 2>>"$work/said"
wait "$world"
kill -TERM "$desk"
wait "$desk" || complain "serve"

python3 - "$work" "$documents" <<'END' || failed=1
import json, re, sys
work, documents = sys.argv[1], int(sys.argv[2])
bad = []
def check(good, what):
    if not good: bad.append(what)

# The log: an object a line.
log = [json.loads(line) for line in open(work + "/log")]
check(log and all("Slurm job 4711 is here" in str(o) for o in log if "worlds" in str(o)
                  and "leaves" not in str(o)), "the log names the world")

# The table: whole pictures of at most 23 lines and 80 columns.
pictures = open(work + "/top", encoding="utf-8", newline="").read().replace("\r", "").split("\x1b[H")[1:]
pictures = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", p) for p in pictures]
check(len(pictures) >= 4, "%d pictures" % len(pictures))
for p in pictures[1:]:
    lines = p.rstrip("\n").split("\n")
    check(len(lines) <= 24 and max(map(len, lines)) <= 80, "a picture of other size:\n" + p)
check(re.search(r"4711 +0/1 +\d+ +\d+ +\d+ +[0-9.]+ +\d+% +\d+s", pictures[-1]), "the world is not there:\n" + pictures[-1])
check(re.search(r"\d+ unfinished, [0-9.]+ tokens/s, [0-9.]+ documents/s", pictures[-1]), "no speed:\n" + pictures[-1])

# The bar: drawn again and again on one line, and at the end all of it is done.
bar = open(work + "/bar", encoding="utf-8", errors="replace", newline="").read()
check(bar.count("\r") > 3 and "%d/%d" % (documents, documents) in bar.replace(" ", ""), "the bar: %r" % bar[-300:])

# Prometheus: every sample belongs to a family that was announced, and is a number.
families = set()
for line in open(work + "/prometheus"):
    m = re.match(r"# TYPE (did_[a-z_]+) (gauge|counter)$", line)
    if m: families.add(m[1])
    if line.startswith("#"): continue
    m = re.match(r"(did_[a-z_]+)(\{[^}]*\})? [0-9.e+-]+$", line)
    check(m and m[1] in families, "not a sample: " + line)
check({"did_documents", "did_refused_total", "did_guests", "did_memory_bytes", "did_tokens_per_second",
       "did_wire_exposed", "did_passes_total"} <= families, "families: %s" % families)
state = json.load(open(work + "/state"))
check(state["worlds"][0]["slurm"] == "4711" and state["guests"]["here"] >= 2, "the state: %s" % state)
print("\n".join("FAILED: " + what for what in bad) or "bar, table, Prometheus and log as they should be")
sys.exit(bool(bad))
END
((failed)) && tail -n 20 "$work/said"
exit "$failed"
