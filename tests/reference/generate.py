"""Diffusion in Diffusion in a page: draft, remask, refine; one forward pass per step.

Never fast.  It writes records as `did generate --trace` does, without the text, and is what the
replay and the golden traces are tested with."""

import numpy as np

import bd3
import stage as staging


class Document:
    def __init__(self, given, mask_id):
        given = np.asarray(given)
        self.given = given >= 0
        self.masked = ~self.given
        self.ids = np.where(self.given, given, mask_id)
        self.snapshot = np.full(len(given), np.inf)
        self.draws, self.left, self.cost = [], [], []

    def cut(self, end_id):
        """Variable length: the text ends with the first end that was drawn."""
        ends = np.flatnonzero(~self.given & ~self.masked & (self.ids == end_id))
        if len(ends) == 0:
            return False
        n = ends[0] + 1
        self.given[ends[0]] = True
        for name in ("given", "masked", "ids", "snapshot"):
            setattr(self, name, getattr(self, name)[:n])
        return True


def draw(logits, stage, mask_id, rng):
    """A token and its confidence, from one row of logits."""
    raw = staging.probabilities(logits, mask_id)
    if stage["temperature"] == 0:
        token = int(np.argmax(raw))
        cut = (np.arange(len(raw)) == token).astype(float)
    else:
        tempered = staging.probabilities(logits, mask_id, stage["temperature"])
        cut = staging.truncated(tempered, stage["nucleus"], stage["rule"])
        token = int(rng.choice(len(cut), p=cut))
    return token, float(np.float32((raw if stage["confidence"] == "raw" else cut)[token]))


def schedule(stage, masked, rng):
    """One function per step, of the masked rows' peaks (probability of their likeliest token),
    that says which of `masked`, by index, the step reveals."""
    n = len(masked)
    if stage["sampler"] == "ancestral":
        when = rng.integers(0, stage["steps"], n)
        return [lambda peak, s=s: np.flatnonzero(when == s) for s in np.unique(when)]
    sizes, order = [1] * n, "random"
    if stage["sampler"] == "quota":
        sizes, order = staging.quotas(n, stage["steps"]), stage["order"]
    if order == "confident":
        return [lambda peak, size=size: np.argsort(-peak, kind="stable")[:size] for size in sizes]
    ranks = rng.permutation(n) if order == "random" else np.arange(n)
    ends = np.cumsum(sizes, dtype=int)
    return [lambda peak, chosen=ranks[end - size:end]: chosen for end, size in zip(ends, sizes)]


def denoise(document, k, stage, model, region, step, past, rng, before):
    """Fill the fresh masked rows of one region; returns the number of the next step."""
    first, end, fresh = region
    masked = fresh + np.flatnonzero(document.masked[fresh:end])
    for choose in schedule(stage, masked, rng):
        hidden, _ = model.forward(document.ids[first:end], first, **past)
        logits = model.logits(hidden[-1])
        peak = staging.probabilities(logits, model.mask_id).max(-1)[masked - first]
        chosen = masked[choose(np.where(document.masked[masked], peak, -1.0))]
        for position in sorted(map(int, chosen)):
            token, confidence = draw(logits[position - first], stage, model.mask_id, rng)
            document.ids[position], document.snapshot[position] = token, confidence
            document.masked[position] = False
            replaced = -1 if before is None else int(before[position])
            document.draws.append([k, step, position, token, replaced, confidence])
        step += 1
    return step


def remask(document, stage, model, settings, rng):
    """Returns the windows it looked through: none unless confidences are measured afterwards."""
    eligible, parts = ~document.given, []
    count = staging.reopened(stage["remask"], eligible.sum())
    if stage["policy"] == "posthoc":
        parts = staging.windows(len(document.ids),
                                staging.window_of(settings, "refine_window", stage))
        measured = staging.posthoc(model, document.ids, parts).astype(np.float32)
        document.snapshot = np.where(eligible, measured, np.inf)
    if stage["policy"] == "random":
        chosen = rng.permutation(np.flatnonzero(eligible))[:count]
    else:
        chosen = staging.least(document.snapshot, eligible, count)
    document.masked[chosen] = True
    document.ids[chosen] = model.mask_id
    return parts


def run_stage(document, k, stage, model, settings, rng):
    before, cache, step, commits, rescored = None, None, 0, 0, []
    if k > 0:
        before = document.ids.copy()
        rescored = remask(document, stage, model, settings, rng)
    rows = sum(end - first for first, end, _ in rescored)
    reopened = int(document.masked.sum()) if k else 0
    length = len(document.ids)
    if not staging.is_global(stage, length):
        cache = bd3.Cache(model, length)
    for region in staging.regions(stage, length, settings):
        first, end, _ = region
        past = {}
        if cache is not None:
            window = staging.window_of(settings, "window", stage)
            past = {"cache": cache, "start": staging.cache_start(first, end, window)}
        begun = step
        step = denoise(document, k, stage, model, region, step, past, rng, before)
        rows += (step - begun) * (end - first)
        if k == 0 and settings["variable_length"] and document.cut(model.end_id):
            break
        if cache is not None and end < length:
            cache.append(model.forward(document.ids[first:end], first, **past)[1])
            commits += 1
            rows += end - first
    changed = 0 if before is None else int((document.ids != before).sum())
    document.left.append(document.ids.tolist())
    document.cost.append({"nfe": step, "commits": commits, "rows": rows,
                          "rescored": len(rescored), "reopened": reopened, "changed": changed})


def generate(models, settings, given, rng, name="made-up"):
    """One record.  models: by weight handle; given: an id, or -1 where one is wanted."""
    model = models[settings["stages"][0]["model"]]
    document = Document(given, model.mask_id)
    for k, stage in enumerate(settings["stages"]):
        run_stage(document, k, stage, models[stage["model"]], settings, rng)
    return {"custom_id": name, "sample": 0, "settings": settings, "cost": document.cost,
            "trace": {"mask_id": model.mask_id, "end_id": model.end_id,
                      "given": [int(i) for i in given], "ids": list(document.left[-1]),
                      "left": document.left, "draws": document.draws}}
