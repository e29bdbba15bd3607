"""A language model's weights in the form that decides bits: int8 rows with a float32 scale each.

The file form is the canonical form: a header, then every array in the order of `layout`, and nothing else; the model id
is its SHA-256. Sizes follow from the header alone, so a reader compares them with the file's size before it allocates
(as safetensors taught). Backends derive their own layouts in memory; none of that reaches the id.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.network.arithmetic import ARITHMETIC, LEVELS, RESIDUAL_BITS
from nzip.models.lm.network.config import LlamaConfig

MAGIC = b"nzip-lm\0"
HEADER = 512  # bytes before the first array: magic, length, JSON, zeros
ALIGN = 64  # of every array in the file
MAX_SCALE = 0.25  # of a weight row: |weight| < 32. With MAX_GAIN it keeps every float32 far from overflow
MIN_SCALE = 2.0**-40
MAX_GAIN = 1024.0

Bytes8 = NDArray[np.int8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LmWeights:
    """One model, quantised. Shapes: L layers, D width, Q query_width, G kv_width, F ffn, V vocab.

    `out_scale`, `down_scale` and `embedding_scale` are in units of the residual stream, 2^-14; a head that is
    the embedding has its own scales.
    """

    config: LlamaConfig
    attention_gain: Floats  # (L, D)
    qkv: Bytes8  # (L, Q + 2 G, D)
    qkv_scale: Floats  # (L, Q + 2 G)
    out: Bytes8  # (L, D, Q)
    out_scale: Floats  # (L, D)
    ffn_gain: Floats  # (L, D)
    gate_up: Bytes8  # (L, 2 F, D), gates first
    gate_up_scale: Floats  # (L, 2 F)
    down: Bytes8  # (L, D, F)
    down_scale: Floats  # (L, D)
    final_gain: Floats  # (D,)
    embedding: Bytes8  # (V, D)
    embedding_scale: Floats  # (V,)
    head: Bytes8  # (V, D)
    head_scale: Floats  # (V,)

    def model_id(self) -> str:
        """Return the SHA-256 of everything that decides the bits, 64 hexadecimal digits."""
        digest = hashlib.sha256()
        self._emit(digest.update)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the canonical form through a temporary file beside `path`; return the model id."""
        digest = hashlib.sha256()
        with outputs.replacing(path) as file:

            def write(piece: Any) -> None:
                digest.update(piece)
                file.write(piece)

            self._emit(write)
        return digest.hexdigest()

    def _emit(self, write: Callable[[Any], Any]) -> None:
        write(_header(self.config))
        for name, kind, shape in layout(self.config):
            array = np.ascontiguousarray(getattr(self, name), kind)
            assert array.shape == shape, name
            write(array.reshape(-1).view(np.uint8).data)
            write(bytes(-array.nbytes % ALIGN))


def layout(config: LlamaConfig) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return name, little-endian type and shape of every array, in the file's order."""
    c = config
    qkv = c.query_width + 2 * c.kv_width
    arrays: list[tuple[str, str, tuple[int, ...]]] = [
        ("attention_gain", "<f4", (c.layers, c.width)),
        ("qkv", "|i1", (c.layers, qkv, c.width)),
        ("qkv_scale", "<f4", (c.layers, qkv)),
        ("out", "|i1", (c.layers, c.width, c.query_width)),
        ("out_scale", "<f4", (c.layers, c.width)),
        ("ffn_gain", "<f4", (c.layers, c.width)),
        ("gate_up", "|i1", (c.layers, 2 * c.ffn, c.width)),
        ("gate_up_scale", "<f4", (c.layers, 2 * c.ffn)),
        ("down", "|i1", (c.layers, c.width, c.ffn)),
        ("down_scale", "<f4", (c.layers, c.width)),
        ("final_gain", "<f4", (c.width,)),
        ("embedding", "|i1", (c.vocab, c.width)),
        ("embedding_scale", "<f4", (c.vocab,)),
    ]
    if not c.tied:
        arrays += [("head", "|i1", (c.vocab, c.width))]
    return [*arrays, ("head_scale", "<f4", (c.vocab,))]


def _header(config: LlamaConfig) -> bytes:
    text = json.dumps(
        {"arithmetic": ARITHMETIC, "config": json.loads(config.to_json())}, sort_keys=True, separators=(",", ":")
    ).encode()
    out = MAGIC + len(text).to_bytes(4, "little") + text
    if len(out) > HEADER:
        raise UnsupportedError("model: the description of its shape is too long")
    return out.ljust(HEADER, b"\0")


def file_size(config: LlamaConfig) -> int:
    """Return the bytes of the canonical form."""
    sizes = [int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize for _, kind, shape in layout(config)]
    return HEADER + sum(size + -size % ALIGN for size in sizes)


# ---- from float32 tensors --------------------------------------------------------------------------------------------


def quantise_rows(matrix: NDArray[Any]) -> tuple[Bytes8, Floats]:
    """Return a matrix (N, K) as int8 rows and their scales, float32 (N,): absmax / 127, round half to even."""
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(matrix, np.float32)
    scales = np.maximum(np.abs(matrix).max(axis=1) / np.float32(LEVELS), np.float32(MIN_SCALE))
    if not (scales <= MAX_SCALE).all():  # nor is it where a weight is no number
        raise UnsupportedError(f"model: a weight is no number, or beyond {MAX_SCALE * LEVELS:g}")
    rows = np.rint(matrix / scales[:, None])
    return np.clip(rows, -LEVELS, LEVELS).astype(np.int8), scales


def parts_of_layer(config: LlamaConfig, layer: int) -> dict[str, list[tuple[str, int, int]]]:
    """Return, for each matrix of a layer, the tensors that its rows are of: name, rows and columns, in their order."""
    c = config
    parts: dict[str, list[tuple[str, int, int]]] = {
        "qkv": [
            ("self_attn.q_proj", c.query_width, c.width),
            ("self_attn.k_proj", c.kv_width, c.width),
            ("self_attn.v_proj", c.kv_width, c.width),
        ],
        "out": [("self_attn.o_proj", c.width, c.query_width)],
        "gate_up": [("mlp.gate_proj", c.ffn, c.width), ("mlp.up_proj", c.ffn, c.width)],
        "down": [("mlp.down_proj", c.width, c.ffn)],
    }
    return {
        matrix: [(f"model.layers.{layer}.{part}.weight", n, k) for part, n, k in of] for matrix, of in parts.items()
    }


def build(config: LlamaConfig, tensors: Mapping[str, NDArray[Any]]) -> LmWeights:
    """Quantise a model.

    Args:
        config: its shape.
        tensors: float arrays by their Hugging Face names (`model.layers.0.self_attn.q_proj.weight`, ...). Query and
            key rows are in Hugging Face's order, in which channel i turns with channel i + head_dim / 2.

    Raises:
        UnsupportedError: a tensor is missing, has another shape, holds numbers out of range, or would be left out.
    """
    used = set()

    def take(name: str, *shape: int) -> NDArray[Any]:
        used.add(name)
        if name not in tensors:
            raise UnsupportedError(f"model: the tensor {name} is missing")
        array = np.asarray(tensors[name])
        if array.shape != shape:
            raise UnsupportedError(f"model: the tensor {name} has the shape {array.shape}, not {shape}")
        with np.errstate(over="ignore"):  # what is infinite then is refused
            return array.astype(np.float32)

    c = config
    kinds = {name: (kind, shape) for name, kind, shape in layout(config)}
    out: dict[str, NDArray[Any]] = {name: np.empty(shape, kind) for name, (kind, shape) in kinds.items()}
    residual = np.float32(1 << RESIDUAL_BITS)
    for layer in range(c.layers):
        p = f"model.layers.{layer}."
        out["attention_gain"][layer] = take(p + "input_layernorm.weight", c.width)
        out["ffn_gain"][layer] = take(p + "post_attention_layernorm.weight", c.width)
        for name, parts in parts_of_layer(c, layer).items():
            stacked = np.concatenate([take(part, n, k) for part, n, k in parts])
            out[name][layer], scales = quantise_rows(stacked)
            out[f"{name}_scale"][layer] = scales * residual if name in ("out", "down") else scales
    out["final_gain"][:] = take("model.norm.weight", c.width)
    out["embedding"][:], scales = quantise_rows(take("model.embed_tokens.weight", c.vocab, c.width))
    out["embedding_scale"][:] = scales * residual
    out["head_scale"][:] = scales
    if c.tied:
        out["head"] = out["embedding"]
        used.add("lm_head.weight")  # some files hold the tied head twice
    else:
        out["head"][:], out["head_scale"][:] = quantise_rows(take("lm_head.weight", c.vocab, c.width))
    ignored = {name for name in tensors if name.endswith("rotary_emb.inv_freq")}
    if left := sorted(set(tensors) - used - ignored):
        raise UnsupportedError(f"model: the tensor {left[0]} belongs to no Llama-family decoder")
    return checked(LmWeights(config, **out))


def checked(weights: LmWeights) -> LmWeights:
    """Return `weights` if every number is within the bounds that the arithmetic counts on."""
    for name, kind, _ in layout(weights.config):
        if kind == "|i1":
            continue
        array = getattr(weights, name)
        if name.endswith("gain"):
            good = np.abs(array) <= MAX_GAIN
        else:
            unit = float(1 << RESIDUAL_BITS) if name in ("out_scale", "down_scale", "embedding_scale") else 1.0
            good = (array >= MIN_SCALE * unit) & (array <= MAX_SCALE * unit)
        if not good.all():
            raise UnsupportedError(f"model: {name} holds a number that is out of range")
    return weights


# ---- from a file -----------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str], expect: str | None = None) -> LmWeights:
    """Read the canonical form.

    Args:
        path: of the file; it is mapped, not read, and must not change while the result is in use.
        expect: the model id; given, the file is hashed and compared.

    Raises:
        CorruptError: the file is not what `save` writes, or not the model expected.
        UnsupportedError: it was written for another version of the arithmetic.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        config = _read_header(file)
        size = file_size(config)
        if os.fstat(file.fileno()).st_size != size:
            raise CorruptError(f"model: the file has {os.fstat(file.fileno()).st_size} bytes, not {size}")
        if expect is not None:
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != expect:
                raise CorruptError(f"model: the file {os.fspath(path)} is not the model {expect}")
    whole = np.memmap(path, np.uint8, "r")
    arrays, at = {}, HEADER
    for name, kind, shape in layout(config):
        count = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        arrays[name] = whole[at : at + count].view(kind).reshape(shape)
        at += count + -count % ALIGN
    if config.tied:
        arrays["head"] = arrays["embedding"]
    return checked(LmWeights(config, **arrays))


def release(weights: LmWeights) -> None:
    """Let the system take back the memory of weights that were read from a file; they are read again when needed."""
    whole: Any = weights.embedding
    while whole is not None and not isinstance(whole, mmap.mmap):
        whole = getattr(whole, "base", None)
    if whole is not None and hasattr(mmap, "MADV_DONTNEED"):
        whole.madvise(mmap.MADV_DONTNEED)


def _read_header(file: BinaryIO) -> LlamaConfig:
    head = file.read(HEADER)
    length = int.from_bytes(head[8:12], "little")
    if len(head) != HEADER or head[:8] != MAGIC or length > HEADER - 12:
        raise CorruptError("model: this is no file of model weights")
    try:
        values = json.loads(head[12 : 12 + length])
        arithmetic, shape = values["arithmetic"], values["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError("model: the header cannot be read") from error
    if arithmetic != ARITHMETIC:
        raise UnsupportedError(f"model: the weights are for version {arithmetic!r} of the arithmetic")
    if not isinstance(shape, dict):
        raise CorruptError("model: the header cannot be read")
    config = LlamaConfig.from_mapping(shape)
    if _header(config) != head:
        raise CorruptError("model: the header is not canonical")
    return config
