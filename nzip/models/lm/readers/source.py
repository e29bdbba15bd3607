"""A model as others store it: its shape, its vocabulary, and its tensors, which are read when they are asked for.

Read are decoders of the Llama family: root-mean-square norms, rotary positions over whole heads, grouped-query
attention, a gated SiLU feed-forward, no biases, a tied or a free head. Every layout gives the same: a dictionary that
describes the architecture, a mapping from Hugging Face's names to float32 arrays, and a `Vocabulary`.

Invariants: sizes, shapes, names and types are checked against the file's length and each other when a source is
opened, before anything of that size is allocated; a tensor is read when it is asked for, and nothing of it is kept.
Whatever is wrong with a file ends as `CorruptError` or `UnsupportedError`, one line with the file's name in it.

"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.readers import quants
from nzip.models.lm.vocabulary import Vocabulary
from nzip.models.safetensors import short

Architecture = dict[str, int | float | bool]


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies.

    Attributes:
        file: that holds it.
        offset: of its first byte there.
        size: bytes.
        shape: as numpy has it, rows first.
        type: a number of `quants.TYPES`.
        heads: of a projection whose rows GGUF stores in another order; 0 where rows are as they should be.
    """

    file: Path
    offset: int
    size: int
    shape: tuple[int, ...]
    type: int
    heads: int = 0


class Tensors(Mapping[str, NDArray[np.float32]]):
    """Tensors by Hugging Face's names, read anew each time they are asked for.

    Raises (on access):
        KeyError: there is none of that name.
        CorruptError: the file is shorter than it was, or holds values that are not finite.
    """

    def __init__(self, entries: Mapping[str, TensorEntry]):
        self.entries = dict(entries)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        entry = self.entries[name]
        with open(entry.file, "rb") as file:
            file.seek(entry.offset)
            data = np.fromfile(file, dtype=np.uint8, count=entry.size)
        if data.size != entry.size:
            raise CorruptError(f"{entry.file}: is cut short in {name}; get it again")
        out = np.empty(math.prod(entry.shape), dtype=np.float32)
        quants.dequantise(entry.type, data, out)
        if not np.isfinite(out).all():
            raise CorruptError(f"{entry.file}: {name} has values that are not finite; get the file again")
        array = out.reshape(entry.shape)
        return rotary_halves(array, entry.heads) if entry.heads else array

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return self.entries[name].shape


def rotary_halves(array: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return the rows of a query or key projection in Hugging Face's order.

    The rotation of a pair of a head's coordinates takes neighbours (2i, 2i + 1) in GGUF files of Llama, as in Meta's
    code, and coordinates half a head apart (i, i + half) in Hugging Face's.

    Args:
        array: (heads * head, width).
        heads: of queries or of keys.
    """
    rows, width = array.shape
    return array.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


class ModelSource:
    """A model in a file or folder.

    Attributes:
        path: of the file or folder.
        kind: `"gguf"` or `"safetensors"`.
        architecture: `vocab_size`, `num_hidden_layers`, `hidden_size`, `num_attention_heads`, `num_key_value_heads`,
            `head_dim`, `intermediate_size`, `rope_theta`, `rms_norm_eps`, `max_position_embeddings`,
            `tie_word_embeddings`; the two that are no integers have float32's precision, which is what GGUF stores.
        tensors: by name, see `expected_shapes`.
        weight_bytes: bytes of the tensors in the file.
        files: all files that the model is read from.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        architecture: Architecture,
        entries: Mapping[str, TensorEntry],
        vocabulary: Callable[[], Vocabulary],
        files: list[Path],
    ):
        self.path = path
        self.kind = kind
        self.architecture = architecture
        self.tensors = Tensors(entries)
        self.weight_bytes = sum(entry.size for entry in entries.values())
        self.files = files
        self._vocabulary = vocabulary

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The model's tokens; read when they are first asked for."""
        return self._vocabulary()


def expected_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor that a model of this architecture has."""
    a = architecture
    width, inner = int(a["hidden_size"]), int(a["intermediate_size"])
    queries = int(a["num_attention_heads"]) * int(a["head_dim"])
    keys = int(a["num_key_value_heads"]) * int(a["head_dim"])
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (int(a["vocab_size"]), width)}
    for layer in range(int(a["num_hidden_layers"])):
        for name, shape in (
            ("input_layernorm", (width,)),
            ("self_attn.q_proj", (queries, width)),
            ("self_attn.k_proj", (keys, width)),
            ("self_attn.v_proj", (keys, width)),
            ("self_attn.o_proj", (width, queries)),
            ("post_attention_layernorm", (width,)),
            ("mlp.gate_proj", (inner, width)),
            ("mlp.up_proj", (inner, width)),
            ("mlp.down_proj", (width, inner)),
        ):
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    shapes["model.norm.weight"] = (width,)
    if not a["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (int(a["vocab_size"]), width)
    return shapes


# ---- checks ----------------------------------------------------------------------------------------------------------

_LIMITS = {
    "vocab_size": 1 << 21,
    "num_hidden_layers": 1 << 10,
    "hidden_size": 1 << 17,
    "num_attention_heads": 1 << 12,
    "num_key_value_heads": 1 << 12,
    "head_dim": 1 << 12,
    "intermediate_size": 1 << 19,
    "max_position_embeddings": 1 << 30,
}


def check_architecture(values: Mapping[str, Any], path: Path) -> Architecture:
    """Return the values as they must be.

    Raises:
        CorruptError: one is missing, has another type, or does not go with the others.
    """
    result: Architecture = {}
    for key, most in _LIMITS.items():
        value = values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise CorruptError(f"{path}: {key} is {short(value)}, which no model has; get the file again")
        result[key] = value
    for key in ("rope_theta", "rms_norm_eps"):
        value = values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
            raise CorruptError(f"{path}: {key} is {short(value)}, which no model has; get the file again")
        result[key] = float(np.float32(value))
        if not result[key]:
            raise CorruptError(f"{path}: {key} is zero, which no model has; get the file again")
    if type(values["tie_word_embeddings"]) is not bool:
        tied = short(values["tie_word_embeddings"])
        raise CorruptError(f"{path}: tie_word_embeddings is {tied}, neither true nor false; get the file again")
    result["tie_word_embeddings"] = values["tie_word_embeddings"]
    if int(result["num_attention_heads"]) % int(result["num_key_value_heads"]) or int(result["head_dim"]) % 2:
        raise CorruptError(f"{path}: its numbers of heads do not go together; get the file again")
    return result


def quotient(width: Any, heads: Any) -> int | None:
    """Return the size of a head where it follows from the width."""
    if not isinstance(heads, int) or not isinstance(width, int) or not 1 <= heads <= width or width % heads:
        return None
    return width // heads


def check_tensors(entries: Mapping[str, TensorEntry], architecture: Architecture, path: Path) -> None:
    """Refuse what has other tensors than the architecture.

    Raises:
        CorruptError, UnsupportedError: a tensor is missing, too many, or of another shape.
    """
    expected = expected_shapes(architecture)
    for name in entries:
        if name not in expected:
            raise UnsupportedError(
                f"{path}: has the tensor {short(name)}, which a plain Llama model does not have; take another model"
            )
    for name, shape in expected.items():
        if name not in entries:
            raise CorruptError(f"{path}: lacks the tensor {name}; get it again")
        if entries[name].shape != shape:
            raise CorruptError(f"{path}: {name} has the shape {entries[name].shape} in place of {shape}; get it again")


def named(path: Path, make: Callable[[], Vocabulary]) -> Callable[[], Vocabulary]:
    """Put the file's name before what is wrong with its vocabulary."""

    def call() -> Vocabulary:
        try:
            return make()
        except (CorruptError, UnsupportedError) as error:
            raise type(error)(f"{path}: {error}") from None

    return call
