"""Check the Python reference itself against the golden vectors of tests/models/goldens."""

import os
import sys

import numpy as np

import bd3
import generate
import gpt2
import stage
import tensors

MODELS = os.environ.get("DID_TEST_MODELS") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "models")
TOLERANCE = 1e-4


class Checks:
    """Named comparisons.  A difference is divided by the value where that is above 1: the goldens
    are f32 themselves, and their logits (up to 18) and norms (up to 269) are up to 1.5e-4 from the
    f64 result of the same equations."""

    def __init__(self):
        self.failed, self.worst = 0, {}

    def close(self, group, name, found, expected):
        found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        off = np.abs(found - expected) / np.maximum(1, np.abs(expected))
        worst = float(off.max()) if off.size else 0.0
        self.worst[group] = max(self.worst.get(group, 0), worst)
        if not worst <= TOLERANCE:
            self.failed += 1
            print(f"{name}: off by {worst:.2e}, allowed {TOLERANCE:.0e}")

    def equal(self, name, found, expected):
        if not np.array_equal(found, expected):
            self.failed += 1
            print(f"{name}: differs at {np.count_nonzero(np.not_equal(found, expected))} places")


def load(name):
    return tensors.read_file(os.path.join(MODELS, "goldens", name + "_goldens.safetensors"))


def case(golden, name):
    """The arrays of one golden case, by their short names; None when there is no such case."""
    return {key.split(".", 1)[1]: array for key, array in golden.items()
            if key.startswith(name + ".")} or None


def cases(golden, kind):
    n = 0
    while (found := case(golden, f"{kind}{n}")) is not None:
        yield f"{kind}{n}", found
        n += 1


def training_visibility(n, block):
    """xt ++ x0: noisy rows see their own noisy block and earlier clean blocks; clean rows see clean
    blocks up to their own."""
    b = np.arange(n) // block
    own, earlier, causal = (b[:, None] == b, b[:, None] > b, b[:, None] >= b)
    return np.block([[own, earlier], [np.zeros((n, n), bool), causal]])


def check_training_layout(checks, model, golden):
    for number, (name, g) in enumerate(cases(golden, "c")):
        n, block = len(g["xt"]), 4 if number < 4 else 256
        hidden, _ = model.forward(np.concatenate([g["xt"], g["x0"]]),
                                  positions=np.tile(np.arange(n), 2),
                                  visible=training_visibility(n, block))
        logits = model.logits(hidden[-1][:n]).astype(np.float64)
        real = np.delete(logits, model.mask_id, -1)
        norms = [np.linalg.norm(h[:n].astype(np.float64), axis=-1) for h in hidden]
        top = -np.sort(-real, -1)[:, :8]
        checks.close("forward", f"{name} logits", logits[g["rows"]], g["logits_rows"])
        checks.close("forward", f"{name} logsumexp", np.log(np.exp(real).sum(-1)),
                     g["logsumexp_nomask"])
        checks.close("forward", f"{name} target", logits[np.arange(n), g["x0"]],
                     g["target_logit"])
        checks.close("forward", f"{name} top 8", top, g["top8_logits"])
        checks.close("forward", f"{name} norms", norms, g["hidden_norms"])
        checks.close("forward", f"{name} hidden", hidden[-1][g["rows"]], g["hidden_last_rows"])


def check_cached(checks, model, golden):
    for name, g in cases(golden, "kv"):
        context, block = g["context"], g["block"]
        size, n = len(block), len(context)
        cache = bd3.Cache(model, n + size)
        for first in range(0, n, size):
            start = stage.cache_start(first, first + size, model.length)
            cache.append(model.forward(context[first:first + size], first, cache=cache,
                                       start=start)[1])
        start = stage.cache_start(n, n + size, model.length)
        hidden, _ = model.forward(block, n, cache=cache, start=start)
        logits = model.logits(hidden[-1])
        norms = [np.linalg.norm(h.astype(np.float64), axis=-1) for h in hidden]
        checks.close("cached", f"{name} logits", logits, g["logits"])
        checks.close("cached", f"{name} norms", norms, g["hidden_norms"])
        if start == 0:
            whole, _ = model.forward(np.concatenate([context, block]),
                                     visible=bd3.block_causal(n + size, size))
            checks.close("cached", f"{name} against block-causal", logits,
                         model.logits(whole[-1][n:]))


def check_traces(checks, model, golden):
    greedy = {"model": 0, "sampler": "quota", "policy": "lowest", "nucleus": 1.0,
              "rule": "exclusive", "temperature": 0, "confidence": "raw"}
    for name, g in cases(golden, "trace"):
        length = len(g["draft"])
        stages = [{**greedy, "block": 4, "steps": 4, "order": "left", "remask": 0},
                  {**greedy, "block": length, "steps": 16, "order": "confident", "remask": 0.5}]
        settings = {"window": model.length, "refine_window": model.length, "stages": stages,
                    "variable_length": False}
        given = np.full(length, -1)
        given[:len(g["prompt"])] = g["prompt"]
        trace = generate.generate([model], settings, given, None)["trace"]
        drawn = {k: {d[2]: d[5] for d in trace["draws"] if d[0] == k} for k in (0, 1)}
        remasked = np.zeros(length, bool)
        remasked[list(drawn[1])] = True
        checks.equal(f"{name} draft", trace["left"][0], g["draft"])
        checks.equal(f"{name} remasked", remasked, g["remasked"] == model.mask_id)
        checks.equal(f"{name} refined", trace["ids"], g["refined"])
        at = sorted(drawn[0])
        checks.close("traces", f"{name} confidence", [drawn[0][i] for i in at],
                     g["confidence"][at])


def check_scorer(checks, scorer, golden):
    for name, g in cases(golden, "t"):
        checks.close("scorer", f"{name} nll", scorer.nll(g["ids"]), g["nll"])
        checks.close("scorer", f"{name} last logits", scorer.logits(g["ids"])[-1],
                     g["last_logits"])


def main():
    checks = Checks()
    model = bd3.Model(os.path.join(MODELS, "did-tiny"))
    golden = load("bd3")
    check_training_layout(checks, model, golden)
    check_cached(checks, model, golden)
    check_traces(checks, model, load("trace"))
    check_scorer(checks, gpt2.Scorer(os.path.join(MODELS, "gpt2-tiny-scorer")), load("gpt2"))
    for group, worst in checks.worst.items():
        print(f"{group:<8} largest difference {worst:.2e}")
    print(f"{checks.failed} failed" if checks.failed else "all golden values met")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
