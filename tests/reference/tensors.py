"""Safetensors files, read and written.

Source: the safetensors format: eight bytes of header length, a JSON header, data.  A checkpoint
is DIR/model.safetensors, or the files that DIR/model.safetensors.index.json names."""

import json
import os
import struct

import numpy as np

STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
          "U8": "u1"}
FLOATS = ("F64", "F32", "F16", "BF16")


def widen(bits):
    """BF16 bits, the upper half of an F32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def narrow(values):
    """BF16 bits of F32 values, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def read_file(path):
    """{name: array}.  Floating tensors come as F32 (F64 stays), integers as stored."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], STORED[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            array = widen(array)
        elif entry["dtype"] == "F16":
            array = array.astype(np.float32)
        tensors[name] = array
    return tensors


def read_checkpoint(directory):
    """All tensors of a checkpoint, in one file or several; the marks that torch's compiler leaves
    inside names are dropped."""
    index = os.path.join(directory, "model.safetensors.index.json")
    files = ["model.safetensors"]
    if os.path.exists(index):
        with open(index) as file:
            files = sorted(set(json.load(file)["weight_map"].values()))
    tensors = {}
    for name in files:
        tensors.update(read_file(os.path.join(directory, name)))
    return {name.replace("_orig_mod.", ""): array for name, array in tensors.items()}


def read_config(directory):
    with open(os.path.join(directory, "config.json")) as file:
        return json.load(file)


def write_file(path, tensors):
    """tensors: {name: (dtype, array)}, written in the order given."""
    header, pieces, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, (dtype, array) in tensors.items():
        array = narrow(array) if dtype == "BF16" else np.ascontiguousarray(array)
        piece = array.astype(STORED[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(piece)]}
        pieces.append(piece)
        offset += len(piece)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(pieces))


def write_checkpoint(directory, tensors, shards):
    """One file, or `shards` of them with an index; tensors as for write_file."""
    if shards == 1:
        write_file(os.path.join(directory, "model.safetensors"), tensors)
        return
    names, where = list(tensors), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        mine = names[shard * len(names) // shards:(shard + 1) * len(names) // shards]
        write_file(os.path.join(directory, file), {name: tensors[name] for name in mine})
        where.update((name, file) for name in mine)
    with open(os.path.join(directory, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": where}, file, indent=1)
