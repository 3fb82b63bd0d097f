"""How a stage is run, as arithmetic: its regions, its quotas, the distributions tokens are drawn
from, and which positions are reopened.  Shared by the generator and the replay."""

import numpy as np


def window_of(settings, name, stage):
    """settings[name]: positions, one number for all models or one for each."""
    size = settings[name]
    return size[stage["model"]] if isinstance(size, list) else size


def windows(length, size):
    """[(first, end, fresh)] of a global stage: each window is half a window further right, the last
    ends where the document ends; only rows from `fresh` on are new in it."""
    size, out, fresh = min(size, length), [], 0
    while fresh < length:
        first = min(len(out) * max(1, size // 2), length - size)
        out.append((first, first + size, fresh))
        fresh = first + size
    return out


def regions(stage, length, settings):
    """[(first, end, fresh)]: the blocks of a draft or intermediate stage, the windows of a global
    one, in the order they are run."""
    block = stage["block"]
    if is_global(stage, length):
        return windows(length, window_of(settings, "refine_window", stage))
    return [(first, min(first + block, length), first) for first in range(0, length, block)]


def is_global(stage, length):
    return stage["block"] >= length


def cache_start(first, end, window):
    """The oldest cached position that rows [first, end) may see."""
    return min(first, max(0, end - window))


def quotas(masked, steps):
    """Tokens revealed by each step of the quota sampler: ceil(remaining / (steps - i))."""
    out = []
    while masked:
        out.append(-(-masked // (steps - len(out))))
        masked -= out[-1]
    return out


def probabilities(logits, mask_id, temperature=1.0):
    """Softmax over all ids but the mask, in f64; [..., vocab], 0 at the mask."""
    x = np.array(logits, np.float64)
    x[..., mask_id] = -np.inf
    x /= temperature
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def kept(cumulative, nucleus, rule, slack=0.0):
    """How many of the most probable ids stay, given the cumulative sums of the sorted
    probabilities [..., ids].  exclusive: those whose sum is at most the nucleus, and always the
    first; inclusive: also the one that crosses it.  `slack` widens the nucleus."""
    if nucleus >= 1:
        return np.full(cumulative.shape[:-1], cumulative.shape[-1])
    if rule == "exclusive":
        return np.maximum(1, (cumulative <= nucleus + slack).sum(-1))
    below = (cumulative <= nucleus + slack).sum(-1)
    return np.minimum(below + 1, cumulative.shape[-1])


def truncated(q, nucleus, rule):
    """One distribution [vocab] cut to its nucleus; ids of equal probability stay in ascending
    order."""
    order = np.argsort(-q, kind="stable")
    chosen = order[:kept(np.cumsum(q[order]), nucleus, rule)]
    out = np.zeros_like(q)
    out[chosen] = q[chosen] / q[chosen].sum()
    return out


def nucleus_least(logits, p, stage, mask_id, slack):
    """The smallest of the probabilities p [rows, vocab] that a draw from each row's nucleus, made
    `slack` wider, can have."""
    if stage["temperature"] == 0:
        return p.max(-1)
    q = probabilities(logits, mask_id, stage["temperature"])
    order = np.argsort(-q, axis=-1, kind="stable")
    sums = np.cumsum(np.take_along_axis(q, order, -1), -1)[:, :-1]  # the mask's zero goes
    last = kept(sums, stage["nucleus"], stage["rule"], slack) - 1
    return np.take_along_axis(p, np.take_along_axis(order, last[:, None], -1), -1)[:, 0]


def reopened(share, eligible):
    """How many of the eligible positions a refinement reopens; halves go to even."""
    return int(np.rint(share * eligible))


def least(confidence, eligible, count):
    """The `count` least confident eligible positions, ascending; of equals the lower."""
    positions = np.flatnonzero(eligible)
    order = np.argsort(confidence[positions], kind="stable")
    return np.sort(positions[order[:count]])


def posthoc(model, ids, parts):
    """The model's probability of every token of a finished text, given the text itself; `parts`
    are its windows."""
    out = np.zeros(len(ids))
    for first, end, fresh in parts:
        hidden, _ = model.forward(ids[first:end], first)
        p = probabilities(model.logits(hidden[-1][fresh - first:]), model.mask_id)
        out[fresh:end] = p[np.arange(end - fresh), ids[fresh:end]]
    return out
