"""Language models as others store them: GGUF files, and folders in Hugging Face's layout.

Read are decoders of the Llama family: root-mean-square norms, rotary positions over whole heads, grouped-query
attention, a gated SiLU feed-forward, no biases, a tied or a free head. Both layouts give the same: a dictionary that
describes the architecture, a mapping from Hugging Face's names to float32 arrays, and a `Vocabulary`.

Invariants: sizes, shapes, names and types are checked against the file's length and each other when a source is
opened, before anything of that size is allocated; a tensor is read when it is asked for, and nothing of it is kept.
Whatever is wrong with a file ends as `CorruptError` or `UnsupportedError`, one line with the file's name in it.

The GGUF header is read here and not by the package `gguf`, which needs seconds for it and trusts the file.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models import safetensors
from nzip.models.lm import quants
from nzip.models.lm.vocabulary import Vocabulary, from_gguf, from_tokenizer_json
from nzip.models.safetensors import short

Architecture = dict[str, int | float | bool]

MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_STRINGS = 1 << 22  # of a list: tokens, or merges of two
MAX_JSON = 100 << 20  # bytes of a safetensors header, an index or a tokenizer
MAX_CONFIG = 1 << 20

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


def open_source(path: str | os.PathLike[str]) -> ModelSource:
    """Open a GGUF file or a folder with `config.json`, `*.safetensors` and `tokenizer.json`.

    Raises:
        CorruptError: it is damaged.
        UnsupportedError: it is a model of another architecture, or in another form.
        OSError: it cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        return _open_folder(place)
    with open(place, "rb") as file:
        magic = file.read(4)
    if magic == b"GGUF":
        return _open_gguf(place)
    if place.name == "config.json" or place.suffix == ".safetensors":
        raise UnsupportedError(f"{place}: is one file of a model; name its folder")
    raise UnsupportedError(f"{place}: is no GGUF file; nzip reads GGUF, and folders with config.json and safetensors")


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


# What both layouts share.

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


def _check_architecture(values: Mapping[str, Any], path: Path) -> Architecture:
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


def _quotient(width: Any, heads: Any) -> int | None:
    """Return the size of a head where it follows from the width."""
    if not isinstance(heads, int) or not isinstance(width, int) or not 1 <= heads <= width or width % heads:
        return None
    return width // heads


def _check_tensors(entries: Mapping[str, TensorEntry], architecture: Architecture, path: Path) -> None:
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


def _named(path: Path, make: Callable[[], Vocabulary]) -> Callable[[], Vocabulary]:
    """Put the file's name before what is wrong with its vocabulary."""

    def call() -> Vocabulary:
        try:
            return make()
        except (CorruptError, UnsupportedError) as error:
            raise type(error)(f"{path}: {error}") from None

    return call


# GGUF.

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


def _open_gguf(path: Path) -> ModelSource:
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
    head = number("attention.key_length", _quotient(width, heads))
    parts = [number(key, head) for key in ("attention.value_length", "rope.dimension_count")]
    if head is not None and parts != [head, head]:
        raise UnsupportedError(f"{path}: rotates a part of each head, or has two sizes of heads; take another model")
    embedding = raw.get("token_embd.weight")
    if embedding is None:
        raise CorruptError(f"{path}: lacks the tensor token_embd.weight; get it again")
    architecture = _check_architecture(
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
    _check_tensors(entries, architecture, path)
    size = int(architecture["vocab_size"])
    return ModelSource(
        path, "gguf", architecture, entries, _named(path, lambda: from_gguf(metadata, size)), [path]
    )


def _hugging_face_name(name: str) -> str:
    """Return Hugging Face's name of a tensor; one that has none keeps its own."""
    if name in _SINGLE:
        return _SINGLE[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in _LAYER and parts[3] == "weight":
        return f"model.layers.{parts[1]}.{_LAYER[parts[2]]}.weight"
    return name


# Hugging Face's layout.

_SAFETENSORS_TYPES = {"F32": (0, 4), "F16": (1, 2), "BF16": (30, 2)}
_ACTIVATIONS = ("silu", "swish")


def _json(path: Path, limit: int) -> dict[str, Any]:
    with open(path, "rb") as file:
        text = file.read(limit + 1)
    if len(text) > limit:
        raise CorruptError(f"{path}: is larger than the {limit:,} bytes that such a file may have; get it again")
    return safetensors.json_object(text, os.fspath(path))


def _open_folder(path: Path) -> ModelSource:
    if not (path / "config.json").is_file():
        raise UnsupportedError(f"{path}: has no config.json; name a folder in Hugging Face's layout, or a GGUF file")
    config = _json(path / "config.json", MAX_CONFIG)
    architecture = _architecture_of(config, path / "config.json")
    files = _weight_files(path)
    raw: dict[str, TensorEntry] = {}
    for file in files:
        for name, entry in _read_safetensors(file).items():
            if name in raw:
                raise CorruptError(f"{file}: has the tensor {short(name)}, which another file has too; get it again")
            raw[name] = entry
    # A head beside a tied one repeats the embedding; the tables of rotary positions are made anew.
    entries = {
        name: entry
        for name, entry in raw.items()
        if not name.endswith(".rotary_emb.inv_freq")
        and not (name == "lm_head.weight" and architecture["tie_word_embeddings"])
    }
    _check_tensors(entries, architecture, path)
    tokenizer = path / "tokenizer.json"
    if not tokenizer.is_file():
        raise UnsupportedError(f"{path}: has no tokenizer.json; take the model as GGUF")
    size = int(architecture["vocab_size"])

    def vocabulary() -> Vocabulary:
        with open(tokenizer, "rb") as file:
            text = file.read(MAX_JSON + 1)
        if len(text) > MAX_JSON:
            raise CorruptError("is too large")
        return from_tokenizer_json(text, size)

    return ModelSource(
        path,
        "safetensors",
        architecture,
        entries,
        _named(tokenizer, vocabulary),
        [path / "config.json", tokenizer, *([_index(path)] if _index(path).is_file() else []), *files],
    )


def _architecture_of(config: Mapping[str, Any], path: Path) -> Architecture:
    kind = config.get("model_type")
    if kind not in ("llama", "mistral"):
        raise UnsupportedError(f"{path}: the model is of the type {short(kind)}; nzip runs 'llama' and 'mistral'")
    # Newer files keep what belongs to rotary positions together.
    rotary = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or {}
    if not isinstance(rotary, dict) or not isinstance(scaling, dict):
        raise CorruptError(f"{path}: what it says of rotary positions is no object; get it again")
    kinds = [rotary.get("rope_type", "default"), scaling.get("rope_type", scaling.get("type", "default"))]
    if kinds != ["default", "default"] or config.get("partial_rotary_factor", 1) != 1:
        raise UnsupportedError(f"{path}: scales its rotary positions, which nzip does not; take another model")
    if config.get("hidden_act", "silu") not in _ACTIVATIONS:
        raise UnsupportedError(f"{path}: has the activation {short(config['hidden_act'])}; nzip has 'silu'")
    if config.get("attention_bias") or config.get("mlp_bias"):
        raise UnsupportedError(f"{path}: has biases, which nzip does not; take another model")
    window, longest = config.get("sliding_window"), config.get("max_position_embeddings", 2048)
    whole = window is None or (isinstance(longest, int) and isinstance(window, int) and window >= longest)
    if kind == "mistral" and not whole:
        raise UnsupportedError(f"{path}: attends to a sliding window, which nzip does not; take another model")
    heads, width = config.get("num_attention_heads"), config.get("hidden_size")
    head, keys = config.get("head_dim"), config.get("num_key_value_heads")
    return _check_architecture(
        {
            **{key: config.get(key) for key in ("vocab_size", "num_hidden_layers", "intermediate_size")},
            "hidden_size": width,
            "num_attention_heads": heads,
            "num_key_value_heads": heads if keys is None else keys,
            "head_dim": _quotient(width, heads) if head is None else head,
            "rope_theta": rotary.get("rope_theta", config.get("rope_theta", 10000.0)),
            "rms_norm_eps": config.get("rms_norm_eps", 1e-6),
            "max_position_embeddings": longest,
            "tie_word_embeddings": config.get("tie_word_embeddings", False),
        },
        path,
    )


def _index(folder: Path) -> Path:
    return folder / "model.safetensors.index.json"


def _weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a model, one or those that an index names."""
    if _index(folder).is_file():
        names = _json(_index(folder), MAX_JSON).get("weight_map")
        if not isinstance(names, dict) or not names:
            raise CorruptError(f"{_index(folder)}: names no files; get it again")
        files = []
        for name in sorted({str(value) for value in names.values()}):
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise CorruptError(f"{_index(folder)}: names the file {short(name)}, which is none of the folder's")
            if not (folder / name).is_file():
                raise CorruptError(f"{folder}: lacks {name}; get the model again")
            files.append(folder / name)
        return files
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    found = sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return found
    if found:
        raise CorruptError(f"{folder}: has {len(found)} safetensors files and no index of them; get the model again")
    raise UnsupportedError(f"{folder}: has no safetensors file; convert the model, or take it as GGUF")


def _read_safetensors(path: Path) -> dict[str, TensorEntry]:
    """Return where the tensors of a file are."""
    name = os.fspath(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = safetensors.header_size(file.read(safetensors.LENGTH), size, name, MAX_JSON)
        start = safetensors.LENGTH + length
        text = file.read(length)
    widths = {key: width for key, (_, width) in _SAFETENSORS_TYPES.items()}
    contents = safetensors.parse(text, size - start, name, widths, skip=".rotary_emb.inv_freq")
    entries = {}
    for key, item in contents.entries.items():
        type_, _ = _SAFETENSORS_TYPES[item.dtype]
        entries[key] = TensorEntry(path, start + item.start, item.stop - item.start, item.shape, type_)
    return entries
