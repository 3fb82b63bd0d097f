"""The BD3-LM / MDLM network, straight from its equations: nothing folded, nothing fused.

Rows are tokens; any number of leading axes may stand before the row axis, and they only share the
weights (and a cache, where one is given).  Which rows see each other is a boolean matrix."""

import numpy as np

import tensors

HEAD, MLP, FREQUENCIES = "backbone.output_layer.", 4, 256
IGNORED = {"backbone.rotary_emb.inv_freq", "sampling_eps_min", "sampling_eps_max"}


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x * x * x)))


def linear(x, weight):
    """x [..., in] times weight [out, in], as one product over all rows."""
    return (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))


def layer_norm(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + x.dtype.type(1e-5))


def modulate(y, shift, scale):
    return y * (1 + scale) + shift


def softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def rotate(x, positions):
    """Half-split rotary embedding of x [..., rows, head size]; angles in f64."""
    half = x.shape[-1] // 2
    angles = np.outer(positions, 10000.0 ** (-np.arange(half) / half))
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def block_causal(n, block):
    """[n, n]: row q sees row k when k's block is not later than q's."""
    blocks = np.arange(n) // block
    return blocks[:, None] >= blocks[None, :]


class Cache:
    """Keys (already rotated, at absolute positions) and values of clean rows 0, 1, 2, ..., each
    from the pass that committed it."""

    def __init__(self, model, capacity):
        shape = (model.n_layers, model.n_heads, capacity, model.head_size)
        self.keys, self.values = np.zeros(shape, model.dtype), np.zeros(shape, model.dtype)
        self.length = 0

    def append(self, kept, which=()):
        """Keep the rows of `which` (an index into the leading axes) of a finished pass."""
        for layer, (keys, values) in enumerate(kept):
            n = keys[which].shape[-2]
            self.keys[layer, :, self.length:self.length + n] = keys[which]
            self.values[layer, :, self.length:self.length + n] = values[which]
        self.length += n


class Model:
    def __init__(self, directory, dtype=np.float32):
        config = tensors.read_config(directory)
        self.dtype = dtype
        self.width = config["hidden_dim"]
        self.n_layers, self.n_heads = config["n_blocks"], config["n_heads"]
        self.head_size = self.width // self.n_heads
        self.cond = config["cond_dim"]
        self.vocab, self.length = config["vocab_size"], config["model_length"]
        self.mask_id = self.vocab - 1
        self.end_id = config.get("eos_token_id", self.vocab - 2)
        stored = tensors.read_checkpoint(directory)
        self._check(stored)
        self.w = {name: array.astype(dtype) for name, array in stored.items()
                  if name not in IGNORED}
        self._condition()

    def _shapes(self):
        d, c, v = self.width, self.cond, self.vocab
        yield "backbone.vocab_embed.embedding", (v, d)
        for i, columns in ((0, FREQUENCIES), (2, c)):
            yield f"backbone.sigma_map.mlp.{i}.weight", (c, columns)
            yield f"backbone.sigma_map.mlp.{i}.bias", (c,)
        for i in range(self.n_layers):
            at = f"backbone.blocks.{i}."
            yield at + "norm1.weight", (d,)
            yield at + "attn_qkv.weight", (3 * d, d)
            yield at + "attn_out.weight", (d, d)
            yield at + "norm2.weight", (d,)
            yield at + "mlp.0.weight", (MLP * d, d)
            yield at + "mlp.0.bias", (MLP * d,)
            yield at + "mlp.2.weight", (d, MLP * d)
            yield at + "mlp.2.bias", (d,)
            yield at + "adaLN_modulation.weight", (6 * d, c)
            yield at + "adaLN_modulation.bias", (6 * d,)
        yield HEAD + "norm_final.weight", (d,)
        yield HEAD + "adaLN_modulation.weight", (2 * d, c)
        yield HEAD + "adaLN_modulation.bias", (2 * d,)
        yield HEAD + "linear.weight", (v, d)
        yield HEAD + "linear.bias", (v,)

    def _check(self, stored):
        wanted = dict(self._shapes())
        strange = sorted((set(stored) - IGNORED) ^ set(wanted))
        if strange:
            raise ValueError(f"missing or unexpected tensors: {', '.join(strange)}")
        for name, shape in wanted.items():
            if stored[name].shape != shape:
                raise ValueError(f"{name}: found {stored[name].shape}, expected {shape}")

    def _condition(self):
        """Time conditioning is off: the noise level fed to the network is always 0, and what it
        does to the norms is a constant of the checkpoint."""
        w = self.w
        e = np.concatenate([np.ones(FREQUENCIES // 2), np.zeros(FREQUENCIES // 2)])
        e = e.astype(self.dtype)
        h = silu(w["backbone.sigma_map.mlp.0.weight"] @ e + w["backbone.sigma_map.mlp.0.bias"])
        z = w["backbone.sigma_map.mlp.2.weight"] @ h + w["backbone.sigma_map.mlp.2.bias"]
        c = silu(z)

        def split(at, parts):
            return np.split(w[at + "adaLN_modulation.weight"] @ c
                            + w[at + "adaLN_modulation.bias"], parts)

        self.layer_condition = [split(f"backbone.blocks.{i}.", 6) for i in range(self.n_layers)]
        self.head_condition = split(HEAD, 2)

    def _heads(self, x):
        """[..., rows, width] -> [..., heads, rows, head size]"""
        return np.moveaxis(x.reshape(*x.shape[:-1], self.n_heads, self.head_size), -2, -3)

    def _attend(self, q, keys, values, visible, past):
        """Own rows through `visible`, and every row of `past` (keys, values of cached rows)."""
        scale = self.dtype(1 / np.sqrt(self.head_size))
        scores = q @ np.swapaxes(keys, -1, -2) * scale
        if visible is not None:
            scores = np.where(visible, scores, self.dtype(-np.inf))
        if past is None:
            return softmax(scores) @ values
        old = q @ np.swapaxes(past[0], -1, -2) * scale
        n = old.shape[-1]
        weights = softmax(np.concatenate([old, scores], -1))
        return weights[..., :n] @ past[1] + weights[..., n:] @ values

    def forward(self, ids, first=0, positions=None, visible=None, cache=None, start=0):
        """One pass over ids [..., rows].

        Rows sit at `positions` (default first, first + 1, ...).  They see each other through
        visible [rows, rows] (None: all of them), and cached positions [start, first) of `cache`.
        Returns the hidden states after the embedding and after each layer, and each layer's
        (rotated keys, values) [..., heads, rows, head size]."""
        ids = np.asarray(ids)
        if positions is None:
            positions = np.arange(first, first + ids.shape[-1])
        w, x = self.w, self.w["backbone.vocab_embed.embedding"][ids]
        hidden, kept = [x], []
        for i in range(self.n_layers):
            at = f"backbone.blocks.{i}."
            s1, g1, a1, s2, g2, a2 = self.layer_condition[i]
            y = modulate(layer_norm(x) * w[at + "norm1.weight"], s1, g1)
            q, k, v = map(self._heads, np.split(linear(y, w[at + "attn_qkv.weight"]), 3, -1))
            q, k = rotate(q, positions), rotate(k, positions)
            past = None
            if cache is not None and start < first:
                past = cache.keys[i, :, start:first], cache.values[i, :, start:first]
            o = np.moveaxis(self._attend(q, k, v, visible, past), -3, -2).reshape(x.shape)
            x = x + a1 * linear(o, w[at + "attn_out.weight"])
            y = modulate(layer_norm(x) * w[at + "norm2.weight"], s2, g2)
            y = gelu_tanh(linear(y, w[at + "mlp.0.weight"]) + w[at + "mlp.0.bias"])
            x = x + a2 * (linear(y, w[at + "mlp.2.weight"]) + w[at + "mlp.2.bias"])
            hidden.append(x)
            kept.append((k, v))
        return hidden, kept

    def logits(self, x):
        """Of last hidden states [..., width]; the mask's column is left as it comes."""
        s, g = self.head_condition
        y = modulate(layer_norm(x) * self.w[HEAD + "norm_final.weight"], s, g)
        return linear(y, self.w[HEAD + "linear.weight"]) + self.w[HEAD + "linear.bias"]
