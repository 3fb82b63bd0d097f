"""The reference's own tests: the replay accepts what the generator writes and rejects what was
tampered with; files come back as they were written; the scorer's numbers are the textbook's."""

import copy
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import bd3
import generate
import make_checkpoint
import replay
import score
import stage as staging
import tensors

TOLERANCE = replay.Tolerance(1e-4, 1e-5)
PLAIN = {"model": 0, "block": 4, "remask": 0.0, "policy": "lowest", "sampler": "fhs", "steps": 8,
         "order": "random", "nucleus": 0.9, "rule": "exclusive", "temperature": 1.0,
         "confidence": "raw"}


def made_up(directory, *arguments):
    make_checkpoint.write(make_checkpoint.arguments(
        [directory, "--hidden", "36", "--heads", "3", "--layers", "2", "--vocab", "61", "--length",
         "16", "--cond", "20", *arguments]))
    return bd3.Model(directory)


def settings(length, *stages, variable=False):
    return {"length": length, "seed": 1, "window": 16, "refine_window": 16,
            "variable_length": variable, "stages": [{**PLAIN, **stage} for stage in stages]}


def given(model, length, prompt=6, inside=()):
    out = np.full(length, -1)
    out[:prompt] = [model.end_id, *range(3, 2 + prompt)]
    for position in inside:
        out[position] = 7
    return out


def refusal(record, models):
    """The sentence a record is refused with; None when it is accepted."""
    try:
        replay.replay(record, models, TOLERANCE, replay.Totals())
    except replay.Wrong as wrong:
        return str(wrong)
    return None


def three_stages(models, length=27, seed=3):
    """Draft, intermediate, global: longer than the window, whose width no length here divides."""
    plan = settings(length, {}, {"block": 8, "remask": 0.4, "sampler": "quota", "steps": 3},
                    {"block": length, "remask": 0.5, "model": 1, "temperature": 0.8,
                     "rule": "inclusive", "confidence": "nucleus"})
    return generate.generate(models, plan, given(models[0], length, inside=(13, 20)),
                             np.random.default_rng(seed))


def test_accepts(models):
    assert refusal(three_stages(models), models) is None, refusal(three_stages(models), models)
    rng = np.random.default_rng(5)
    quota, whole = {"sampler": "quota"}, {"block": 27, "remask": 0.3}
    for stages in ([{"sampler": "ancestral", "block": 5}, {**whole, "sampler": "ancestral"}],
                   [{**quota, "order": "left"}, {**whole, **quota, "order": "confident"}],
                   [{"temperature": 0, "confidence": "nucleus"},
                    {**whole, **quota, "temperature": 0}],
                   [{"nucleus": 1.0}, {**whole, "policy": "random"}],
                   [{}, {**whole, "policy": "posthoc"}, whole, {**whole, "remask": 0.0}],
                   [{"block": 27, **quota}], [{"block": 1}]):
        record = generate.generate(models, settings(27, *stages), given(models[0], 27), rng)
        assert refusal(record, models) is None, (stages, refusal(record, models))


def test_variable_length(models):
    """Ends are made likely: one is drawn, kept by the refinement, and cut behind."""
    plan = settings(40, {"nucleus": 1.0}, {"block": 40, "remask": 0.5}, variable=True)
    model = copy.copy(models[0])
    name = "backbone.output_layer.linear.bias"
    model.w = {**model.w, name: model.w[name] + 3 * (np.arange(61) == model.end_id)}
    record = generate.generate([model], plan, given(model, 40, 2), np.random.default_rng(1))
    ids = record["trace"]["ids"]
    assert 3 < len(ids) < 40 and ids[-1] == model.end_id
    assert refusal(record, [model]) is None, refusal(record, [model])
    other = copy.deepcopy(record)
    other["trace"]["end_id"] = 0
    assert "no end was drawn" in refusal(other, [model])
    longer = copy.deepcopy(record)
    longer["settings"]["variable_length"] = False
    assert "positions became" in refusal(longer, [model])


def tampered(record, change):
    record = copy.deepcopy(record)
    change(record["trace"], record)
    return record


def stage_draws(trace, k):
    return [draw for draw in trace["draws"] if draw[0] == k]


def test_rejects_numbers(models):
    record = three_stages(models)

    def confidence(trace, _):
        stage_draws(trace, 0)[9][5] *= 1.01

    def small_confidence(trace, _):
        min(stage_draws(trace, 1), key=lambda draw: draw[5])[5] *= 1.01

    assert "recorded confidence" in refusal(tampered(record, confidence), models)
    assert "stage 1" in refusal(tampered(record, small_confidence), models)

    # A token the nucleus lacks, with the confidence the network really gives it.
    short = generate.generate(models, settings(8, {}), given(models[0], 8),
                              np.random.default_rng(2))
    last = short["trace"]["draws"][-1]
    ids = np.array(short["trace"]["ids"])
    ids[last[2]] = models[0].mask_id
    cache = bd3.Cache(models[0], 8)
    cache.append(models[0].forward(ids[:4])[1])
    hidden, _ = models[0].forward(ids[4:], 4, cache=cache)
    p = staging.probabilities(models[0].logits(hidden[-1][last[2] - 4]), models[0].mask_id)

    def draw_rank(rank):
        def change(trace, _):
            token = int(np.argsort(-p)[rank])
            trace["draws"][-1][3:6] = [token, -1, float(np.float32(p[token]))]
            trace["left"][0][last[2]] = trace["ids"][last[2]] = token
        return change

    assert refusal(tampered(short, draw_rank(0)), models) is None
    inside = int(staging.kept(np.cumsum(-np.sort(-p)), 0.9, "exclusive"))
    assert refusal(tampered(short, draw_rank(inside - 1)), models) is None
    assert "outside the nucleus" in refusal(tampered(short, draw_rank(inside)), models)
    wide = tampered(short, draw_rank(inside))
    wide["settings"]["stages"][0]["rule"] = "inclusive"
    assert refusal(wide, models) is None
    wide["settings"]["stages"][0]["temperature"] = 0.5
    assert "outside the nucleus" in refusal(wide, models)
    wide["settings"]["stages"][0]["temperature"] = 0
    assert "outside the nucleus" in refusal(wide, models)


def test_rejects_structure(models):
    record = three_stages(models)

    def moved_step(trace, _):
        draws = stage_draws(trace, 0)
        draws[8][1] = draws[7][1]
        for draw in draws[9:]:
            draw[1] -= 1

    def swapped_steps(trace, _):
        a, b = stage_draws(trace, 0)[2:4]
        a[2:], b[2:] = b[2:], a[2:]

    def changed_given(trace, _):
        trace["left"][2][13] = trace["ids"][13] = 8

    def drawn_given(trace, _):
        stage_draws(trace, 0)[0][2] = 2

    def lost_draw(trace, _):
        trace["draws"].remove(stage_draws(trace, 2)[-1])

    def other_selection(trace, _):
        taken = {draw[2] for draw in stage_draws(trace, 2)}
        spared = next(i for i in range(26, 0, -1) if i not in taken and trace["given"][i] < 0)
        draw = stage_draws(trace, 2)[0]
        draw[2], draw[4] = spared, trace["left"][1][spared]

    def nfe(_, record):
        record["cost"][0]["nfe"] += 1

    def commits(_, record):
        record["cost"][0]["commits"] = 0

    def rows(_, record):
        record["cost"][2]["rows"] -= 1

    def final(trace, _):
        trace["ids"][25] ^= 1

    for change, sentence in ((moved_step, "first-hitting step drew 2"),
                             (swapped_steps, "recorded confidence"),
                             (changed_given, "did not leave"), (drawn_given, "not masked"),
                             (lost_draw, "are due"), (other_selection, "least confident"),
                             (nfe, "nfe"), (commits, "commits"),
                             (rows, "the passes evaluate"), (final, "final ids")):
        found = refusal(tampered(record, change), models)
        assert found and sentence in found, (change.__name__, found)


def test_rejects_order(models):
    """Records that claim another order or another selection than they had."""
    whole = {"block": 27, "remask": 0.6, "sampler": "quota", "steps": 4}

    def claim(**other):
        def change(_, record):
            record["settings"]["stages"][1].update(other)
        return change

    def generated(**stage):
        return generate.generate(models, settings(27, {}, {**whole, **stage}), given(models[0], 27),
                                 np.random.default_rng(6))

    record, drawn_at_random = generated(), generated(policy="random")
    assert "leftmost" in refusal(tampered(record, claim(order="left")), models)
    assert "passed over" in refusal(tampered(record, claim(order="confident")), models)
    assert "draw nothing below" in refusal(tampered(record, claim(order="drawn", temperature=0)), models)
    assert "quotas" in refusal(tampered(record, claim(steps=5)), models)
    assert "ancestral" in refusal(tampered(record, claim(sampler="ancestral", steps=3)), models)
    assert "least" in refusal(tampered(drawn_at_random, claim(policy="lowest")), models)
    assert "reopened" in refusal(tampered(drawn_at_random, claim(policy="posthoc")), models)
    assert refusal(tampered(record, claim(policy="random")), models) is None


def test_rejects_wrong_passes(models):
    """Engines that run the wrong passes, whose records agree with themselves."""

    class Uncommitted(bd3.Model):
        """Keeps the keys and values of a pass that still had a mask."""

        def forward(self, ids, first=0, **past):
            if past and not (ids == self.mask_id).any():
                ids = np.where(np.arange(len(ids)) == len(ids) - 1, self.mask_id, ids)
            return super().forward(ids, first, **past)

    class Endless(bd3.Model):
        """Never lets text leave the window."""

        def forward(self, ids, first=0, **past):
            return super().forward(ids, first, **{**past, "start": 0})

    class Rebuilt(bd3.Model):
        """Computes the window anew where cached states remember text that has left."""

        def forward(self, ids, first=0, cache=None, start=0):
            if start > 0:
                n, again = len(ids), bd3.Cache(self, first)
                again.length = start
                for at in range(start, first, n):
                    block = self.text[at:at + n]
                    again.append(super().forward(block, at, cache=again, start=start)[1])
                cache = again
            return super().forward(ids, first, cache=cache, start=start)

    class Restarted(bd3.Model):
        """Counts positions from the wrong end of a prompt block."""

        def forward(self, ids, first=0, **past):
            return super().forward(ids, first, positions=np.arange(len(ids)) + first // 2, **past)

    length = 32
    honest = settings(length, {})
    text = given(models[0], length)
    for kind in (bd3.Model, Uncommitted, Endless, Rebuilt, Restarted):
        model = copy.copy(models[0])
        model.__class__ = kind
        document = generate.Document(text, model.mask_id)
        model.text = document.ids
        generate.run_stage(document, 0, honest["stages"][0], model, honest,
                           np.random.default_rng(4))
        record = {"custom_id": "x", "settings": honest, "cost": document.cost,
                  "trace": {"mask_id": model.mask_id, "end_id": model.end_id, "given":
                            text.tolist(), "ids": document.left[-1], "left": document.left,
                            "draws": document.draws}}
        found = refusal(record, models)
        assert (found is None) == (kind is bd3.Model), (kind.__name__, found)


def test_windows():
    assert staging.windows(27, 16) == [(0, 16, 0), (8, 24, 16), (11, 27, 24)]
    assert staging.windows(16, 16) == staging.windows(16, 99) == [(0, 16, 0)]
    assert staging.quotas(10, 4) == [3, 3, 2, 2] and staging.quotas(2, 32) == [1, 1]
    assert staging.reopened(0.5, 249) == 124 and staging.reopened(0.5, 243) == 122


def test_files(directory):
    """Every width and any number of files hold the same checkpoint."""
    whole = os.path.join(directory, "f32")
    model = made_up(whole, "--dtype", "f32")
    for dtype, shards, error in (("f32", "3", 0), ("f16", "1", 2 ** -11), ("bf16", "2", 2 ** -8)):
        other = made_up(os.path.join(directory, dtype + shards), "--dtype", dtype, "--shards",
                        shards)
        for name, array in model.w.items():
            off = np.abs(other.w[name] - array)
            assert (off <= error * np.abs(array) + 1e-7 * (error > 0)).all(), (dtype, name)
    bits = np.float32([1, 1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8, -1 - 2.0 ** -7])
    assert tensors.widen(tensors.narrow(bits)).tolist() == [1, 1, 1 + 2.0 ** -6, -1 - 2.0 ** -7]
    made_up(os.path.join(directory, "mdlm"), "--family", "mdlm")
    name = os.path.join(whole, "model.safetensors")
    stored = {key: ("F32", array) for key, array in tensors.read_file(name).items()}
    del stored["backbone.blocks.1.norm2.weight"]
    tensors.write_file(name, stored)
    try:
        bd3.Model(whole)
    except ValueError as error:
        assert "backbone.blocks.1.norm2.weight" in str(error)
    else:
        raise AssertionError("a checkpoint without a norm was taken")


def test_score():
    assert abs(score.entropy([1, 1, 2, 3]) - 1.5 * np.log(2)) < 1e-12

    class Fixed:
        """Says that id i costs i nats; 9 is the end."""
        end_id = 9

        def nll(self, ids):
            return np.array(ids[1:], float)

    row = score.measure(Fixed(), "a", {1: [9, 1, 2, 9, 3], 2: [9, 5, 9, 9, 9]})
    assert abs(row["perplexity"] - np.exp(11 / 4)) < 1e-12 and row["tokens"] == 4
    other = score.measure(Fixed(), "b", {1: [9, 1, 1, 9, 1], 2: [9, 6, 9, 9, 9]})
    paired = score.compare(row, other)
    assert paired["pairs"] == 2 and paired["lower"] == 1 and abs(paired["change"]) < 1e-12
    assert abs(paired["error"] - 1) < 1e-12


def test_command(directory, models, paths):
    """The replay as a program: exit codes, and records in their written form."""
    good = three_stages(models)
    bad = tampered(good, lambda trace, record: trace["draws"][3].__setitem__(5, 0.5))
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "replay.py")
    for records, code in (([good], 0), ([good, bad], 1), ([], 1)):
        output = os.path.join(directory, "out.jsonl")
        with open(output, "w") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        run = subprocess.run([sys.executable, script, paths[0], output, "--model-dir", paths[1]],
                             capture_output=True, text=True)
        assert run.returncode == code, run.stdout + run.stderr
        assert (f"{output}:2: made-up: stage 0: step 3" in run.stdout) == (bad in records)


def main():
    with tempfile.TemporaryDirectory() as directory:
        paths = [os.path.join(directory, name) for name in ("one", "two")]
        models = [made_up(paths[0]), made_up(paths[1], "--seed", "2", "--dtype", "f16")]
        test_windows()
        test_files(directory)
        test_score()
        test_accepts(models)
        test_variable_length(models)
        test_rejects_numbers(models)
        test_rejects_structure(models)
        test_rejects_order(models)
        test_rejects_wrong_passes(models)
        test_command(directory, models, paths)
    print("the reference holds")


if __name__ == "__main__":
    main()
