"""GGUF files of Llama models.

The header is read here and not by the package `gguf`, which needs seconds for it and trusts the file.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.readers import quants
from nzip.models.lm.readers.source import ModelSource, TensorEntry, check_architecture, check_tensors, named, quotient
from nzip.models.lm.vocabulary import from_gguf
from nzip.models.safetensors import short

MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_STRINGS = 1 << 22  # of a list: tokens, or merges of two
_SINGLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_DTYPES = {
    0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "u1", 10: "<u8", 11: "<i8", 12: "<f8",
}  # fmt: skip


class _Bounded:
    """Reads a file's header; never asks for more than the file has."""

    def __init__(self, file: BinaryIO, path: Path):
        self._file = file
        self._path = path
        self.size = os.fstat(file.fileno()).st_size
        self.position = 0

    def take(self, count: int) -> bytes:
        if count > self.size - self.position:
            raise CorruptError(f"{self._path}: its header points behind its end (damaged or cut short); get it again")
        data = self._file.read(count)
        if len(data) != count:
            raise CorruptError(f"{self._path}: is cut short; get it again")
        self.position += count
        return data

    def number(self, format: str) -> Any:
        return struct.unpack("<" + format, self.take(struct.calcsize("<" + format)))[0]

    def string(self) -> bytes:
        return self.take(self.number("Q"))

    def value(self, type_: int) -> Any:
        if type_ in _FORMATS:
            return self.number(_FORMATS[type_])
        if type_ == _STRING:
            return self.string().decode("utf-8", "replace")
        if type_ != _ARRAY:
            raise CorruptError(f"{self._path}: its header has a value of unknown type {type_}; get it again")
        inner, count = self.number("I"), self.number("Q")
        if inner in _DTYPES:
            dtype = np.dtype(_DTYPES[inner])
            return np.frombuffer(self.take(count * dtype.itemsize), dtype=dtype)
        if inner != _STRING:
            raise UnsupportedError(f"{self._path}: its header has a list of lists; take another file of the model")
        if count > min(MAX_STRINGS, (self.size - self.position) // 8):
            raise CorruptError(f"{self._path}: its header points behind its end (damaged or cut short); get it again")
        return [self.string() for _ in range(count)]


def _read_gguf(path: Path) -> tuple[dict[str, Any], dict[str, TensorEntry]]:
    """Return the metadata and where the tensors are, by GGUF's names."""
    with open(path, "rb") as file:
        reader = _Bounded(file, path)
        if reader.take(4) != b"GGUF":
            raise UnsupportedError(f"{path}: is not a GGUF file")
        version = reader.number("I")
        if version not in (2, 3):
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
            reason = "is for big-endian machines" if swapped else f"has GGUF version {version}; nzip reads 2 and 3"
            raise UnsupportedError(f"{path}: {reason}; take another file of the model")
        tensor_count, key_count = reader.number("Q"), reader.number("Q")
        if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
            raise CorruptError(f"{path}: its header counts are out of range (damaged); get it again")
        metadata: dict[str, Any] = {}
        for _ in range(key_count):
            key = reader.string().decode("utf-8", "replace")
            value = reader.value(reader.number("I"))
            if key in metadata:
                raise CorruptError(f"{path}: its header has {short(key)} twice; get it again")
            metadata[key] = value
        found = []
        for _ in range(tensor_count):
            name = reader.string().decode("utf-8", "replace")
            dims = reader.number("I")
            if not 1 <= dims <= 4:
                raise CorruptError(f"{path}: {short(name)} has {dims} dimensions; get it again")
            # The fastest dimension comes first in GGUF, last in numpy.
            shape = tuple(reader.number("Q") for _ in range(dims))[::-1]
            found.append((name, shape, reader.number("I"), reader.number("Q")))
        align = metadata.get("general.alignment", 32)
        if type(align) is not int or not 1 <= align <= 1 << 20:
            raise CorruptError(f"{path}: its alignment is {short(align)}; get it again")
        start = -(-reader.position // align) * align
        size = reader.size

    entries: dict[str, TensorEntry] = {}
    for name, shape, type_, offset in found:
        try:
            _, weights, block = quants.block_of(type_)
        except UnsupportedError as error:
            raise UnsupportedError(f"{path}: {short(name)}: {error}") from None
        count = math.prod(shape)
        if name in entries or not count or shape[-1] % weights or offset % align:
            raise CorruptError(f"{path}: the entry of {short(name)} is damaged; get it again")
        length = count // weights * block
        if start + offset + length > size:
            raise CorruptError(f"{path}: has {size:,} bytes, and {short(name)} ends behind them; get it again")
        entries[name] = TensorEntry(path, start + offset, length, shape, type_)
    last = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.offset):
        if entry.offset < last:
            raise CorruptError(f"{path}: two tensors share bytes (damaged); get it again")
        last = entry.offset + entry.size
    return metadata, entries


def open_gguf(path: Path) -> ModelSource:
    metadata, raw = _read_gguf(path)
    for key, value in metadata.items():
        # Lists where a model has one number for all layers; what belongs to the tokens is looked at with them.
        if isinstance(value, list | np.ndarray) and key.startswith(("llama.", "split.", "general.architecture")):
            raise UnsupportedError(f"{path}: {short(key)} differs from layer to layer; take another model")
    kind = metadata.get("general.architecture")
    if kind != "llama":
        raise UnsupportedError(f"{path}: is of the architecture {short(kind)}; nzip runs models of the kind 'llama'")
    if metadata.get("split.count", 1) not in (0, 1):
        raise UnsupportedError(f"{path}: is one part of a split model; join the parts (llama-gguf-split --merge)")
    if metadata.get("llama.expert_count", 0):
        raise UnsupportedError(f"{path}: is a mixture of experts; take a dense model")
    scaling = metadata.get("llama.rope.scaling.type", "none")
    if (scaling != "none" and metadata.get("llama.rope.scaling.factor", 1) != 1) or "rope_freqs.weight" in raw:
        raise UnsupportedError(f"{path}: scales its rotary positions, which nzip does not; take another model")

    def number(key: str, default: Any = None) -> Any:
        return metadata.get("llama." + key, default)

    heads, width = number("attention.head_count"), number("embedding_length")
    head = number("attention.key_length", quotient(width, heads))
    parts = [number(key, head) for key in ("attention.value_length", "rope.dimension_count")]
    if head is not None and parts != [head, head]:
        raise UnsupportedError(f"{path}: rotates a part of each head, or has two sizes of heads; take another model")
    embedding = raw.get("token_embd.weight")
    if embedding is None:
        raise CorruptError(f"{path}: lacks the tensor token_embd.weight; get it again")
    architecture = check_architecture(
        {
            "vocab_size": embedding.shape[0],
            "num_hidden_layers": number("block_count"),
            "hidden_size": width,
            "num_attention_heads": heads,
            "num_key_value_heads": number("attention.head_count_kv", heads),
            "head_dim": head,
            "intermediate_size": number("feed_forward_length"),
            "rope_theta": number("rope.freq_base", 10000.0),
            "rms_norm_eps": number("attention.layer_norm_rms_epsilon"),
            "max_position_embeddings": number("context_length"),
            "tie_word_embeddings": "output.weight" not in raw,
        },
        path,
    )
    turned = {
        "self_attn.q_proj": int(architecture["num_attention_heads"]),
        "self_attn.k_proj": int(architecture["num_key_value_heads"]),
    }
    entries: dict[str, TensorEntry] = {}
    for name, entry in raw.items():
        target, heads_of = _hugging_face_name(name), 0
        for part, count in turned.items():
            if f".{part}.weight" in target:
                heads_of = count
        entries[target] = replace(entry, heads=heads_of)
    check_tensors(entries, architecture, path)
    size = int(architecture["vocab_size"])
    return ModelSource(
        path, "gguf", architecture, entries, named(path, lambda: from_gguf(metadata, size)), [path]
    )


def _hugging_face_name(name: str) -> str:
    """Return Hugging Face's name of a tensor; one that has none keeps its own."""
    if name in _SINGLE:
        return _SINGLE[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in _LAYER and parts[3] == "weight":
        return f"model.layers.{parts[1]}.{_LAYER[parts[2]]}.weight"
    return name
