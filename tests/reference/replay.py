"""Recompute every draw of records written by `did generate --trace`.

    replay.py MODEL_DIR OUTPUT.jsonl... [--model-dir DIR]...

For every step of every stage the state before it is rebuilt from the trace, the network is run on
it, and what the record says about the draw is compared with what the network says: confidence,
nucleus, order.  Selection, quotas, thresholds, cache windows and costs are checked on the way.
Nothing random is recomputed, and nothing approximate: a stage that reuses old keys and values (cache
above 1) is refused.  Exit: 0 when every record holds, 1 otherwise."""

import argparse
import json
import sys

import numpy as np

import bd3
import stage as staging

SCORES_BYTES = 1 << 22  # attention scores held at once


class Wrong(Exception):
    """A record that contradicts itself or the network."""


class Draws:
    """The draws of one stage, as columns, and where each step begins."""

    def __init__(self, rows):
        self.step, self.position, self.token, self.replaced = (
            np.array([row[i] for row in rows], np.int64) for i in (1, 2, 3, 4))
        self.snapshot = np.array([row[5] for row in rows], np.float64)
        self.n_steps = len(set(self.step.tolist()))

    def __len__(self):
        return len(self.step)


class Tolerance:
    def __init__(self, confidence, cut):
        self.confidence, self.cut = confidence, cut


class Totals:
    """What the summary tells."""

    def __init__(self):
        self.records = self.draws = self.kept = 0
        self.confidence = self.ratio = 0.0


def need(condition, sentence):
    if not condition:
        raise Wrong(sentence)


def check_nucleus(logits, tokens, snapshots, stage, mask_id, tolerance):
    """Are the tokens inside their nuclei?  Returns (inside, kept, nearest): `nearest` is the
    truncated probability nearest to the snapshot, of those that a cut moved by the tolerance
    gives: where a sum of probabilities is almost exactly the nucleus, rounding decides."""
    rows = np.arange(len(tokens))
    real = np.array(logits, np.float64)
    real[:, mask_id] = -np.inf
    if stage["temperature"] == 0:
        inside = real[rows, tokens] >= real.max(-1) - tolerance.confidence
        return inside, np.ones(len(tokens), int), np.ones(len(tokens))
    q = staging.probabilities(logits, mask_id, stage["temperature"])
    descending = -np.sort(-q, -1)[:, :-1]  # the mask's zero goes
    sums = np.cumsum(descending, -1)
    fewest, kept, most = (staging.kept(sums, stage["nucleus"], stage["rule"], slack)
                          for slack in (-tolerance.cut, 0, tolerance.cut))
    mine = q[rows, tokens]
    # Two almost equal probabilities may stand in either order.
    equal = 1 - tolerance.confidence / min(1, stage["temperature"])
    inside = mine >= descending[rows, most - 1] * equal
    nearest = np.full(len(tokens), np.inf)
    for r in rows:
        options = mine[r] / sums[r, fewest[r] - 1:most[r]]
        nearest[r] = options[np.argmin(np.abs(options - snapshots[r]))]
    return inside, kept, nearest


def check_draws(logits, draws, at, stage, mask_id, tolerance, totals):
    """draws[at], of which logits [len(at), vocab] are the rows."""
    tokens, snapshots = draws.token[at], draws.snapshot[at]
    inside, kept, nearest = check_nucleus(logits, tokens, snapshots, stage, mask_id, tolerance)
    expected = nearest
    if stage["confidence"] == "raw":
        expected = staging.probabilities(logits, mask_id)[np.arange(len(at)), tokens]
    off = np.abs(snapshots - expected)
    ratio = np.abs(np.log(snapshots) - np.log(expected))
    for r, i in enumerate(at):
        where = f"step {draws.step[i]} position {draws.position[i]}"
        need(off[r] <= tolerance.confidence and ratio[r] <= 10 * tolerance.confidence,
             f"{where}: recorded confidence {snapshots[r]:.9g}, recomputed {expected[r]:.9g}")
        need(inside[r], f"{where}: token {tokens[r]} is outside the nucleus of {kept[r]} ids")
    totals.draws += len(at)
    totals.kept += int(kept.sum())
    totals.confidence = max(totals.confidence, off.max())
    totals.ratio = max(totals.ratio, ratio.max())


def least_of(logits, p, stage, mask_id, tolerance, but):
    """The least that any row but those could draw, with what its nucleus may be off by."""
    return np.delete(staging.nucleus_least(logits, p, stage, mask_id, tolerance.cut), but)


def check_threshold(draws, at, masked, stage, logits, mask_id, tolerance):
    """Which of the masked positions, of which `logits` are the rows, a step placed.  What the others
    drew is not known, but it was in their nuclei: a row whose nucleus holds nothing below the
    threshold had to be placed, and so had one whose worst is better than the single draw that fell
    short of it."""
    p = staging.probabilities(logits, mask_id)
    where = np.searchsorted(masked, draws.position[at])
    mine = p[where, draws.token[at]]
    others = least_of(logits, p, stage, mask_id, tolerance, where)
    bar, slack = stage["threshold"], tolerance.confidence
    step = draws.step[at[0]]
    if len(at) > 1 or mine[0] >= bar + slack:
        need(mine.min() >= bar - slack, f"step {step}: a token of probability {mine.min():.6g} was "
             f"placed, the threshold is {bar}")
    elif mine[0] < bar - slack:
        bar = min(bar, mine[0])
    need(others.max(initial=0) <= bar + slack, f"step {step}: a position that could draw nothing "
         f"below {others.max(initial=0):.6g} was passed over")


def check_drawn(draws, at, masked, stage, logits, mask_id, tolerance):
    """Which of the masked positions a step placed that takes the most probable draws.  What the others
    drew is not known, but none of them drew less than the least of its nucleus."""
    p = staging.probabilities(logits, mask_id)
    where = np.searchsorted(masked, draws.position[at])
    mine = p[where, draws.token[at]].min()
    others = least_of(logits, p, stage, mask_id, tolerance, where).max(initial=0)
    need(others <= mine + tolerance.confidence, f"step {draws.step[at[0]]}: a position that could "
         f"draw nothing below {others:.6g} was passed over for one of {mine:.6g}")


def check_order(draws, by_step, states, region, stage, logits_of, mask_id, tolerance):
    """How many each step of a region revealed, and in which order."""
    first, end, fresh = region
    sizes = [len(at) for at in by_step]
    where = f"rows {fresh} to {end - 1}"
    if stage["sampler"] == "fhs":
        need(set(sizes) <= {1}, f"{where}: a first-hitting step drew {max(sizes)} tokens")
    elif stage["sampler"] == "ancestral":
        need(len(sizes) <= stage["steps"], f"{where}: {len(sizes)} ancestral steps, at most "
             f"{stage['steps']} are allowed")
    elif stage["sampler"] == "threshold":
        for s, at in enumerate(by_step):
            masked = fresh + np.flatnonzero(states[s, fresh - first:] == mask_id)
            check_threshold(draws, at, masked, stage, logits_of(s, masked), mask_id, tolerance)
        return
    else:
        expected = staging.quotas(sum(sizes), stage["steps"])
        need(sizes == expected, f"{where}: steps drew {sizes}, the quotas are {expected}")
    if stage["sampler"] != "quota" or stage["order"] == "random":
        return
    for s, at in enumerate(by_step):
        masked = fresh + np.flatnonzero(states[s, fresh - first:] == mask_id)
        chosen = np.sort(draws.position[at])
        step = draws.step[at[0]]
        if stage["order"] == "left":
            need(np.array_equal(chosen, masked[:len(chosen)]),
                 f"step {step}: positions {chosen} are not the leftmost masked")
            continue
        others = np.setdiff1d(masked, chosen)
        if stage["order"] == "drawn":
            check_drawn(draws, at, masked, stage, logits_of(s, masked), mask_id, tolerance)
        elif len(others):
            peak = staging.probabilities(logits_of(s, masked), mask_id).max(-1)
            least, most = (peak[np.isin(masked, which)] for which in (chosen, others))
            need(least.min() >= most.max() - tolerance.confidence,
                 f"step {step}: a masked row of peak {most.max():.6g} was passed over for one of "
                 f"{least.min():.6g}")


def replay_region(draws, by_step, ids, region, stage, model, past, tolerance, totals):
    """Every step of a region starts from a known state, so all of them run side by side, the
    finished rows as one more.  Returns the keys and values of the finished rows, or None in a
    global stage."""
    first, end, fresh = region
    states = np.repeat(ids[None, first:end], len(by_step) + 1, axis=0)
    for s, at in enumerate(by_step):
        states[s + 1:, draws.position[at] - first] = draws.token[at]
    ids[first:end] = states[-1]
    n_rows, kept = len(states) if past else len(by_step), None
    visible = end - first + (first - past["start"] if past else 0)
    scores = model.n_heads * (end - first) * visible * np.dtype(model.dtype).itemsize
    chunk = n_rows if past else max(1, SCORES_BYTES // scores)
    hidden = []
    for s in range(0, n_rows, chunk):
        passed, kept = model.forward(states[s:s + chunk], first, **past)
        hidden.extend(passed[-1])

    def logits_of(s, positions):
        return model.logits(hidden[s][positions - first])

    if by_step:
        check_order(draws, by_step, states, region, stage, logits_of, model.mask_id, tolerance)
    for s, at in enumerate(by_step):
        logits = model.logits(hidden[s][draws.position[at] - first])
        check_draws(logits, draws, at, stage, model.mask_id, tolerance, totals)
    return kept if past else None


def replay_stage(draws, masked, ids, stage, model, settings, tolerance, totals):
    """Runs a stage over `ids` in place: from the state it found to the one it left.  Returns how
    many blocks had to be committed for its draws."""
    need(masked[draws.position].all(), "a position is drawn that was not masked")
    ids[masked] = model.mask_id
    plain = not staging.is_global(stage, len(ids))
    cache, committed, seen = bd3.Cache(model, len(ids)) if plain else None, 0, 0
    for region in staging.regions(stage, len(ids), settings):
        first, end, fresh = region
        if seen == len(draws):
            break
        past = {}
        if plain:
            window = staging.window_of(settings, "window", stage)
            past = {"cache": cache, "start": staging.cache_start(first, end, window)}
        mine = seen + np.flatnonzero((draws.position[seen:] >= fresh)
                                     & (draws.position[seen:] < end))
        need(np.array_equal(mine, np.arange(seen, seen + len(mine))),
             f"draws of rows {fresh} to {end - 1} are mixed with others")
        need(len(mine) == masked[fresh:end].sum(), f"rows {fresh} to {end - 1}: {len(mine)} of "
             f"{masked[fresh:end].sum()} masked positions are drawn")
        steps, begins = np.unique(draws.step[mine], return_index=True)
        need(not seen or not len(mine) or steps[0] > draws.step[seen - 1],
             f"a step draws rows before and after {fresh}")
        by_step = np.split(mine, begins[1:]) if len(mine) else []
        seen += len(mine)
        if plain or by_step:
            kept = replay_region(draws, by_step, ids, region, stage, model, past, tolerance,
                                 totals)
        if plain:
            cache.append(kept, -1)
            committed += seen < len(draws)
    need(seen == len(draws), "draws lie outside the document")
    return committed


class State:
    """What is known of a document between two stages."""

    def __init__(self, prompt, mask_id):
        self.given = prompt >= 0
        self.ids = np.where(self.given, prompt, mask_id)
        self.snapshot = np.full(len(prompt), np.inf)
        self.measured = np.zeros(len(prompt), bool)  # the snapshot is ours, the record has none

    def find(self, draws, left):
        """The text was there, with a confidence for every token that was not given, or for none: then
        no stage may look for the least before they are measured."""
        self.ids, free = np.array(left), ~self.given
        need(len(draws) in (0, free.sum()), "a found text has confidences of some tokens only")
        self.snapshot = np.where(free, np.nan, np.inf)
        self.snapshot[draws.position] = draws.snapshot

    def reopen(self, draws, stage, model, settings, tolerance):
        """Check which positions a refinement reopened; returns them as a mask."""
        free, masked = ~self.given, np.zeros(len(self.ids), bool)
        masked[draws.position] = True
        count = staging.reopened(stage["remask"], free.sum())
        need(not (masked & self.given).any(), "a given position was reopened")
        need(masked.sum() == count, f"{masked.sum()} positions were reopened, {count} are due")
        need(np.array_equal(draws.replaced, self.ids[draws.position]),
             "the replaced tokens are not those the stage before left")
        if stage["policy"] == "posthoc":
            size = staging.window_of(settings, "refine_window", stage)
            measured = staging.posthoc(model, self.ids, staging.windows(len(self.ids), size))
            self.snapshot, self.measured = np.where(free, measured, np.inf), free.copy()
        if stage["policy"] == "random":
            return masked
        need(not np.isnan(self.snapshot).any(), "confidences were compared that nobody knew")
        if self.measured.any():
            least, most = self.snapshot[~masked].min(), self.snapshot[masked].max(initial=0)
            need(most <= least + tolerance.confidence, f"a position of confidence {most:.6g} was "
                 f"reopened, one of {least:.6g} was not")
        else:
            chosen, due = np.flatnonzero(masked), staging.least(self.snapshot, free, count)
            need(np.array_equal(chosen, due), f"reopened {chosen}, the least confident are {due}")
        return masked

    def cut(self, length, draws, settings, end_id, reason):
        """Variable length: a draft ends at the first end that was drawn, which is given from then
        on, or loses a tail that repeated itself (a stop string, found later, hides that reason)."""
        need(length == len(self.ids) or settings["variable_length"],
             f"{len(self.ids)} positions became {length}")
        if settings["variable_length"]:
            ends = np.sort(draws.position[draws.token == end_id])
            need(len(ends) == 0 or length <= ends[0] + 1, "the text goes on after an end was drawn")
            ended = len(ends) > 0 and length == ends[0] + 1
            need(length == len(self.ids) or ended or reason in ("entropy", "stop"),
                 f"cut to {length} positions, but no end was drawn there")
            if ended:
                self.given[ends[0]], self.snapshot[ends[0]] = True, np.inf
        for name in ("given", "ids", "snapshot", "measured"):
            setattr(self, name, getattr(self, name)[:length])


def check_columns(draws, length, model, tolerance):
    """What must hold before anything is computed."""
    need(((draws.position >= 0) & (draws.position < length)).all(),
         "a draw lies outside the document")
    need(len(np.unique(draws.position)) == len(draws), "a position is drawn twice")
    need(((draws.token >= 0) & (draws.token < model.vocab)).all()
         and (draws.token != model.mask_id).all(), "something was drawn that is no token")
    need(((draws.snapshot > 0) & (draws.snapshot <= 1 + tolerance.confidence)).all(),
         "a confidence is not a probability")
    need(np.array_equal(draws.step, np.sort(draws.step)), "draws are not in the order of steps")
    need(np.array_equal(np.unique(draws.step), np.arange(draws.n_steps)),
         "steps are not 0, 1, 2, ...")


def rows_due(cost, draws, stage, length, settings):
    """The positions that the passes of a stage evaluate."""
    rows = 0 if staging.is_global(stage, length) else cost["commits"] * stage["block"]
    for first, end, fresh in staging.regions(stage, length, settings):
        mine = (draws.position >= fresh) & (draws.position < end)
        rows += len(np.unique(draws.step[mine])) * (end - first)
    if cost["rescored"]:
        size = staging.window_of(settings, "refine_window", stage)
        rows += sum(end - first for first, end, _ in staging.windows(length, size))
    return rows


def check_cost(cost, draws, k, stage, committed, length, settings):
    need(cost["nfe"] == draws.n_steps, f"nfe {cost['nfe']}, {draws.n_steps} steps were drawn")
    commits = (0, 0)
    if not staging.is_global(stage, length):
        commits = (committed, len(staging.regions(stage, length, settings)))
    need(commits[0] <= cost["commits"] <= commits[1],
         f"{cost['commits']} commits, {commits[0]} to {commits[1]} make sense")
    due = rows_due(cost, draws, stage, length, settings)
    need(cost["rows"] == due, f"rows {cost['rows']}, the passes evaluate {due}")
    if k == 0:
        return
    changed, rescored = int((draws.token != draws.replaced).sum()), 0
    if stage["policy"] == "posthoc":
        rescored = len(staging.windows(length, staging.window_of(settings, "refine_window", stage)))
    need(cost["reopened"] == len(draws), f"reopened {cost['reopened']}, drawn {len(draws)}")
    need(cost["changed"] == changed, f"changed {cost['changed']}, {changed} tokens differ")
    need(cost["rescored"] == rescored, f"rescored {cost['rescored']}, {rescored} passes are due")


def check_left(state, left, prompt, mask_id):
    need(np.array_equal(state.ids, left), "the stage did not leave what it drew")
    need((state.ids != mask_id).all(), "a masked position was never drawn")
    prompt = prompt[:len(state.ids)]
    need((state.ids == prompt)[prompt >= 0].all(), "a given token changed")


def replay(record, models, tolerance, totals):
    """Raises Wrong with a sentence."""
    settings, trace = record["settings"], record["trace"]
    prompt, stages = np.array(trace["given"]), settings["stages"]
    state = State(prompt, trace["mask_id"])
    need(len(trace["left"]) == len(stages) == len(record["cost"]), "a stage is missing")
    for k, stage in enumerate(stages):
        need(stage.get("cache", 0) <= 1, f"stage {k}: keys and values are reused for "
             f"{stage.get('cache')} passes: an approximation, which is not recomputed here")
    need(all(0 <= row[0] < len(stages) for row in trace["draws"]), "draws of no stage")
    for k, stage in enumerate(stages):
        model = models[stage["model"]]
        need(trace["mask_id"] == model.mask_id, f"mask_id {trace['mask_id']} is not the model's")
        draws = Draws([row for row in trace["draws"] if row[0] == k])
        if stage.get("work") == "found":
            state.find(draws, trace["left"][k])
            continue
        try:
            length, masked = len(state.ids), ~state.given
            check_columns(draws, length, model, tolerance)
            if k > 0:
                masked = state.reopen(draws, stage, model, settings, tolerance)
            else:
                need((draws.replaced == -1).all(), "a draft replaced a token")
            committed = replay_stage(draws, masked, state.ids, stage, model, settings, tolerance,
                                     totals)
            state.snapshot[draws.position] = draws.snapshot
            state.measured[draws.position] = False
            if k == 0:
                state.cut(len(trace["left"][0]), draws, settings, trace["end_id"],
                          record.get("finish_reason"))
            check_left(state, np.array(trace["left"][k]), prompt, model.mask_id)
            check_cost(record["cost"][k], draws, k, stage, committed, length, settings)
        except Wrong as wrong:
            raise Wrong(f"stage {k}: {wrong}") from None
    need(np.array_equal(state.ids, trace["ids"]), "the final ids are not what the last stage left")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("output", nargs="+")
    parser.add_argument("--model-dir", action="append", default=[], metavar="DIR",
                        help="weight handles 1, 2, ...")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of a confidence; ten times "
                        "as much of its logarithm")
    parser.add_argument("--cut", type=float, default=1e-5, help="of the nucleus mass, where "
                        "two f32 results are some 1e-6 apart")
    parser.add_argument("--f64", action="store_true", help="compute in f64")
    parser.add_argument("--limit", type=int, default=None, help="records per file")
    args = parser.parse_args()
    models = [bd3.Model(directory, np.float64 if args.f64 else np.float32)
              for directory in [args.model, *args.model_dir]]
    tolerance, totals = Tolerance(args.tolerance, args.cut), Totals()
    failed = unfinished = 0
    for path in args.output:
        with open(path) as file:
            lines = file.readlines()[:args.limit]
        for number, line in enumerate(lines, 1):
            record = json.loads(line)
            if record.get("finish_reason") in ("rejected", "failed"):
                unfinished += 1
                continue
            totals.records += 1
            try:
                need("trace" in record, "has no trace")
                replay(record, models, tolerance, totals)
            except Wrong as wrong:
                failed += 1
                print(f"{path}:{number}: {record.get('custom_id')}: {wrong}")
    print(f"{totals.records} records, {totals.draws} draws recomputed; largest difference of a "
          f"confidence {totals.confidence:.1e}, of its logarithm {totals.ratio:.1e}; mean nucleus "
          f"{totals.kept / max(1, totals.draws):.1f} ids; {failed} records failed")
    if unfinished:
        print(f"{unfinished} documents were rejected or failed, and were not looked at")
    return 1 if failed or not totals.records else 0


if __name__ == "__main__":
    sys.exit(main())
