"""Write a made-up BD3-LM or MDLM checkpoint: odd shapes, weights that exercise every term.

Norms, shifts, scales and gates are all away from their neutral values, attention is neither flat
nor sharp, and the most probable of a thousand tokens gets a tenth to a half.  The same arguments
always give the same bytes.  There is no tokenizer; config.json names eos_token_id."""

import argparse
import json
import os

import numpy as np

import tensors
from bd3 import FREQUENCIES, HEAD, MLP


def made_up(rng, width, layers, heads, cond, vocab):
    """{name: f32 array}, in the order of the published files."""
    head_size = width // heads

    def matrix(rows, columns, gain):
        return rng.standard_normal((rows, columns)) * gain / np.sqrt(columns)

    def vector(n, mean, spread):
        return mean + spread * rng.standard_normal(n)

    def modulation(neutral):
        """`neutral`: the bias of each part; the conditioning moves all of them."""
        at = np.concatenate([vector(width, mean, 0.15) for mean in neutral])
        return matrix(len(at), cond, 0.3), at

    out = {"backbone.vocab_embed.embedding": rng.standard_normal((vocab, width)),
           "backbone.sigma_map.mlp.0.weight": matrix(cond, FREQUENCIES, 1.4),
           "backbone.sigma_map.mlp.0.bias": vector(cond, 0, 0.5),
           "backbone.sigma_map.mlp.2.weight": matrix(cond, cond, 1.4),
           "backbone.sigma_map.mlp.2.bias": vector(cond, 0, 0.5)}
    for i in range(layers):
        at = f"backbone.blocks.{i}."
        out[at + "norm1.weight"] = vector(width, 1, 0.2)
        out[at + "attn_qkv.weight"] = matrix(3 * width, width, 1.1)
        out[at + "attn_out.weight"] = matrix(width, width, 1.5)
        out[at + "norm2.weight"] = vector(width, 1, 0.2)
        out[at + "mlp.0.weight"] = matrix(MLP * width, width, 1)
        out[at + "mlp.0.bias"] = vector(MLP * width, 0, 0.3)
        out[at + "mlp.2.weight"] = matrix(width, MLP * width, 1.5)
        out[at + "mlp.2.bias"] = vector(width, 0, 0.1)
        # shift, scale, gate of the attention, then of the MLP
        (out[at + "adaLN_modulation.weight"],
         out[at + "adaLN_modulation.bias"]) = modulation([0.1, 0, 0.7, -0.1, 0, 0.6])
    out[HEAD + "norm_final.weight"] = vector(width, 1, 0.2)
    out[HEAD + "linear.weight"] = matrix(vocab, width, 2)
    out[HEAD + "linear.bias"] = vector(vocab, 0, 0.5)
    (out[HEAD + "adaLN_modulation.weight"],
     out[HEAD + "adaLN_modulation.bias"]) = modulation([0.1, 0])
    half = np.arange(0, head_size, 2)
    out["backbone.rotary_emb.inv_freq"] = 10000.0 ** (-half / head_size)
    return {name: array.astype(np.float32) for name, array in out.items()}


def config(args):
    out = {"model_type": args.family, "vocab_size": args.vocab, "model_length": args.length,
           "hidden_dim": args.hidden, "cond_dim": args.cond, "n_blocks": args.layers,
           "n_heads": args.heads, "dropout": 0.1, "time_conditioning": False,
           "bos_token_id": args.vocab - 2, "eos_token_id": args.vocab - 2, "return_dict": False,
           "torch_dtype": {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}[args.dtype]}
    if args.family == "bd3lm":
        out.update({"block_size": args.block, "cross_attn": True, "adaln": True, "causal": False,
                    "var_min": True, "attn_backend": "sdpa", "sampling_eps_min": 0.001,
                    "sampling_eps_max": 0.999})
    return out


def write(args):
    if args.hidden % args.heads or args.hidden // args.heads % 2:
        raise SystemExit(f"--hidden {args.hidden} is not --heads {args.heads} times an even number")
    rng = np.random.default_rng(args.seed)
    values = made_up(rng, args.hidden, args.layers, args.heads, args.cond, args.vocab)
    dtype = args.dtype.upper()
    stored = {name: ("F32" if name.endswith("inv_freq") else dtype, array)
              for name, array in values.items()}
    if args.family == "bd3lm":
        stored["sampling_eps_min"] = ("F32", np.float32(0.001))
        stored["sampling_eps_max"] = ("F32", np.float32(0.999))
    os.makedirs(args.directory, exist_ok=True)
    tensors.write_checkpoint(args.directory, stored, args.shards)
    with open(os.path.join(args.directory, "config.json"), "w") as file:
        json.dump(config(args), file, indent=2)
        file.write("\n")


def arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory")
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--heads", type=int, default=5)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--vocab", type=int, default=1003, help="the mask, its last id, included")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--cond", type=int, default=128)
    parser.add_argument("--block", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", choices=("bd3lm", "mdlm"), default="bd3lm")
    parser.add_argument("--dtype", choices=("bf16", "f16", "f32"), default="bf16")
    parser.add_argument("--shards", type=int, default=1)
    return parser.parse_args(argv)


if __name__ == "__main__":
    write(arguments())
