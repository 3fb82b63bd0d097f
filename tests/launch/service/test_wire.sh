#!/usr/bin/env bash
# What strangers and guests may do to the front-end over TCP, word by word, spoken by another
# implementation of ZeroMQ: each is counted and answered, and nobody else notices. $DID is the program.
set -u
did=${DID:?DID must name the program}
python=${TEST_PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import zmq' 2>/dev/null; then
    echo "skipped: $python has no zmq (Debian package python3-zmq)"
    exit 77
fi
work=$(mktemp -d)
desk=
leave() {
    [ -n "$desk" ] && kill -KILL "$desk" 2>>"$work/said" && wait "$desk" 2>>"$work/said"
    rm -rf "$work"
}
trap leave EXIT
keys="$work/keys"
for name in alice bob; do "$did" keys "$keys" --name $name 2>>"$work/said"; done
"$did" keys "$keys" --name world --role world 2>>"$work/said"
"$did" keys "$work/others" --name mallory 2>>"$work/said"
"$did" serve --state "$work/state" --bind "tcp://127.0.0.1:*" --keys "$keys" --message-mb 1 2>"$work/serve" &
desk=$!
for _ in $(seq 100); do grep -q "memory:" "$work/serve" && break; sleep 0.1; done
address=$(sed -n 's/.*\(tcp:[^ ]*\) is open.*/\1/p' "$work/serve")

cat >"$work/guests.py" <<'END'
import json, socket, sys, time, zmq
address, keys, others = sys.argv[1:4]
context = zmq.Context()
server = None
bad = []

def check(good, what):
    if not good: bad.append(what)

def key(path):
    return {k: v.encode() for k, v in (line.split() for line in open(path))}

def door(kind, pair, where=None, name=None):
    s = context.socket(kind)
    s.linger = 0
    if name: s.identity = name
    if pair: s.curve_publickey, s.curve_secretkey, s.curve_serverkey = pair["public"], pair["secret"], server
    if kind == zmq.SUB: s.subscribe(b"")
    s.connect(where or address)
    return s

def say(s, word, body, *text):
    s.send_multipart([b"did1", word.encode(), body if isinstance(body, bytes) else json.dumps(body).encode(), *text])

def hear(s, ms=10000):
    if not s.poll(ms): return None, {}
    frames = s.recv_multipart()
    return frames[1].decode(), json.loads(frames[2])

def ask(s, word, body, *text):
    say(s, word, body, *text)
    return hear(s)

alice, bob, world, mallory = (key(f) for f in (keys + "/alice.key", keys + "/bob.key", keys + "/world.key", others + "/mallory.key"))
server = alice["server"]
a, b, w = (door(zmq.DEALER, k) for k in (alice, bob, world))
state = lambda: ask(a, "status", {})[1]
refused = lambda: state()["refused"]

# Words that a key may not say.
for word in "hello ready checkpoint progress result put_down refuse bye".split():
    text = [b"x"] if word in ("checkpoint", "result", "put_down") else []
    kind, body = ask(a, word, {}, *text)
    check(kind == "error" and "may not say " + word in body["reason"], "a client says " + word)
for word in "submit results cancel status".split():
    kind, body = ask(w, word, {"job": "mine"}, *([b"{}"] if word == "submit" else []))
    check(kind == "error" and "may not say " + word in body["reason"], "a world says " + word)
check(refused()["forbidden"] == 12, "forbidden words are counted")

# Another's job, word by word; one's own of the same name is another.
check(ask(a, "submit", {"job": "mine", "terms": {}}, b'{"custom_id":"d","n":2}')[0] == "taken", "alice submits")
for word, body in (("results", {"after": 0, "room": 5}), ("cancel", {}), ("cancel", {"custom_id": "d"})):
    kind, said = ask(b, word, dict(body, job="mine"))
    check(kind == "error" and "you have no job" in said["reason"], "bob says %s of a job of alice" % word)
check(ask(b, "status", {"job": "mine"})[1]["jobs"] == [] and ask(b, "status", {})[1]["jobs"] == [], "bob sees jobs of alice")
check(ask(b, "submit", {"job": "mine", "terms": {"seed": "9"}}, b'{"custom_id":"d"}')[1].get("added") == 1, "bob has a job of that name")
check(ask(b, "cancel", {"job": "mine"})[1]["documents"] == 1, "bob cancels his own")
check(ask(a, "status", {})[1]["jobs"][0]["queued"] == 2, "alice's are untouched")

# Strangers: no key, a key that is not on the list; on both sockets.
news = address.rsplit(":", 1)[0] + ":" + state()["progress"].rsplit(":", 1)[1]
before = refused()
deaf = [door(zmq.SUB, None, news), door(zmq.SUB, mallory, news), door(zmq.DEALER, None), door(zmq.DEALER, mallory)]
for s in deaf[2:]:
    try: say(s, "status", {})
    except zmq.Again: pass
ear = door(zmq.SUB, bob, news)
say(a, "submit", {"job": "secret", "terms": {}}, b'{"custom_id":"whisper"}'); hear(a)
heard = []
until = time.time() + 20
while time.time() < until and not any(json.loads(f[2])["all"]["queued"] == 3 for f in heard):
    if ear.poll(500): heard.append(ear.recv_multipart())
check(heard and heard[-1][1] == b"news", "a guest hears the news")
check(not any(b"secret" in f[2] or b"mine" in f[2] or alice["public"] in f[2] for f in heard), "the news name a job or an owner")
check(not any(s.poll(0) for s in deaf), "a stranger was told something")
web = socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])))
web.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n" * 10)
idle = socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])))
idle.settimeout(20)
try:
    while idle.recv(4096): pass
except ConnectionResetError: pass
except socket.timeout: bad.append("who says nothing is kept")
now = refused()
check(now["strangers"] > before["strangers"], "keys that are not on the list are counted")
# Who hangs up before the front-end has looked is one that broke off.
other = lambda counts: counts["foreign"] + counts["broken"]
check(other(now) >= other(before) + 2, "who has no key is counted, and who is no ZeroMQ")
check(now["broken"] > before["broken"], "who never finishes a handshake is counted")
check(now["handshakes"] == now["strangers"] + now["foreign"] + now["broken"], "the kinds make up the sum")

for s in deaf + [web, idle]: s.close()  # they would knock again and again
time.sleep(0.5)

# What is not understood, each with an answer.
was = refused()
for frames, reason in (([b"did1", b"status", b"{"], "JSON"), ([b"did2", b"status", b"{}"], "version"),
                       ([b"did1", b"status"], "frames"), ([b"did1", b"status", b"[" * 100], "deeper"),
                       ([b"did1", b"status", b"{}", b"x"], "texts"), ([b"did1", b"status", b'{"job": "a\xc2\x9bb"}'], "control"),
                       ([b"did1", b"make me rich", b"{}"], "not one of ours"), ([b"did1", b"welcome", b"{}"], "not a word")):
    b.send_multipart(frames)
    kind, body = hear(b)
    check(kind == "error" and reason in body["reason"], "%r is answered %s %s" % (frames, kind, body))
b.send_multipart([b"x"] * 9)
now = refused()
check(now["malformed"] - was["malformed"] == 7 and now["unknown"] - was["unknown"] == 2, "counted as %s" % now)

# A frame that is too large ends the connection and nothing else.
big = door(zmq.DEALER, bob)
ask(big, "status", {})
was = state()
say(big, "submit", {"job": "big", "terms": {}}, b"x" * (2 << 20))
time.sleep(1)
now = state()
check(now["refused"]["connections"] == was["refused"]["connections"] + 1, "who sends too much is not cut off, or not counted")
check(now["refused"]["handshakes"] == was["refused"]["handshakes"], "who sends too much is no stranger")
big.close()

# Two of one name: the second is not heard, the first not harmed.
one = door(zmq.DEALER, alice, name=b"twin")
check(ask(one, "status", {})[0] == "state", "a guest with a name of its own")
was = state()["guests"]
two = door(zmq.DEALER, bob, name=b"twin")
say(two, "results", {"job": "mine", "after": 0, "room": 1})
kind, body = hear(two, 1500)
check(kind is None or kind == "error", "two of one name: the second heard %s" % kind)
now = state()["guests"]
check(now["admitted"] > was["admitted"] and now["here"] > was["here"], "the second of two is not counted as a guest: %s, then %s" % (was, now))
check(not one.poll(0), "the first of two heard what the second asked for")
check(ask(one, "status", {})[1]["jobs"][0]["job"] == "mine", "the first of two is still itself")

# Leaders out of order, again and too late.
check(ask(w, "ready", {"room": 1})[0] == "who", "ready before hello")
hello = {"host": "h\x1b[31m", "slurm": "", "pid": 1, "row": 0, "rows": 1, "signature": "S"}
check(ask(w, "hello", hello)[0] == "welcome", "hello")
kind, lease = ask(w, "ready", {"room": 1})
check(kind == "work", "work")
about = {"serial": lease["serial"], "epoch": lease["epoch"], "failed": False}
record = b'{"custom_id":"d","sample":%d}' % lease["sample"]
check(ask(w, "result", dict(about, epoch=99), record)[0] == "stale", "a result of another epoch")
check(ask(w, "result", dict(about, serial=12345), record)[0] in ("stale", "error"), "a result of nothing")
check(ask(w, "result", about, b'{"custom_id":"x","sample":0}')[0] == "error", "another's record")
check(ask(w, "result", about, record)[0] == "ack" and ask(w, "result", about, record)[0] == "ack", "a result, twice")
now = refused()
check(now["early"] == 1 and now["replayed"] == 1 and now["stale"] >= 1, "counted as %s" % now)
check(ask(a, "results", {"job": "mine", "after": 0, "room": 5})[1]["records"] == 1, "one record")

print("\n".join("FAILED: " + what for what in bad) or "strangers and guests: all counted and answered")
print(json.dumps(refused()))
sys.exit(bool(bad))
END
timeout 100 "$python" "$work/guests.py" "$address" "$keys" "$work/others" 2>&1
code=$?
"$did" status --connect "$address" --keys "$keys/alice.key" >"$work/table" 2>>"$work/said" || code=1
LC_ALL=C grep -q $'[\001-\011\013-\037\177]' "$work/table" && { echo "FAILED: control characters in the table"; code=1; }
[ $code = 0 ] || tail -n 20 "$work/serve"
exit $code
