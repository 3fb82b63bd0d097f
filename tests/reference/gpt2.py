"""The GPT-2 network, as a scorer: the likelihood of ids, left to right."""

import numpy as np

import tensors
from bd3 import gelu_tanh


def layer_norm(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred ** 2).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + x.dtype.type(1e-5)) * weight + bias


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class Scorer:
    def __init__(self, directory, dtype=np.float32):
        config = tensors.read_config(directory)
        self.n_layers, self.n_heads = config["n_layer"], config["n_head"]
        self.positions, self.end_id = config["n_positions"], config["eos_token_id"]
        stored = tensors.read_checkpoint(directory)
        self.w = {name.removeprefix("transformer."): array.astype(dtype)
                  for name, array in stored.items()}

    def _linear(self, x, name):
        """Matrices are stored [in, out]."""
        return x @ self.w[name + ".weight"] + self.w[name + ".bias"]

    def _attention(self, x, at):
        *lead, n, width = x.shape
        q, k, v = (np.moveaxis(part.reshape(*lead, n, self.n_heads, -1), -2, -3)
                   for part in np.split(self._linear(x, at + "attn.c_attn"), 3, axis=-1))
        scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]).astype(x.dtype)
        scores = np.where(np.tri(n, dtype=bool), scores, x.dtype.type(-np.inf))
        weights = np.exp(log_softmax(scores))
        return self._linear(np.moveaxis(weights @ v, -3, -2).reshape(x.shape), at + "attn.c_proj")

    def logits(self, ids):
        """[..., n] -> [..., n, vocab]"""
        w, ids = self.w, np.asarray(ids)
        x = w["wte.weight"][ids] + w["wpe.weight"][:ids.shape[-1]]
        for i in range(self.n_layers):
            at = f"h.{i}."
            x = x + self._attention(
                layer_norm(x, w[at + "ln_1.weight"], w[at + "ln_1.bias"]), at)
            y = layer_norm(x, w[at + "ln_2.weight"], w[at + "ln_2.bias"])
            x = x + self._linear(gelu_tanh(self._linear(y, at + "mlp.c_fc")), at + "mlp.c_proj")
        return layer_norm(x, w["ln_f.weight"], w["ln_f.bias"]) @ w["wte.weight"].T

    def nll(self, ids):
        """-log p of ids[1:], [n - 1].  A text longer than the model has positions is read in
        windows that advance by half their size; each scores what no earlier one has."""
        ids, out, scored = np.asarray(ids), [], 1
        size, first = self.positions, 0
        while True:
            window = ids[first:first + size]
            lp = log_softmax(self.logits(window[:-1]).astype(np.float64))
            rows = np.arange(scored - first, len(window))
            out.append(-lp[rows - 1, window[rows]])
            scored = first + len(window)
            if scored >= len(ids):
                return np.concatenate(out)
            first += size // 2
