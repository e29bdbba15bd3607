"""Folders in Hugging Face's layout: `config.json`, `tokenizer.json`, `*.safetensors`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nzip.errors import CorruptError, UnsupportedError
from nzip.models import safetensors
from nzip.models.lm.readers.source import (
    Architecture,
    ModelSource,
    TensorEntry,
    check_architecture,
    check_tensors,
    named,
    quotient,
)
from nzip.models.lm.vocabulary import Vocabulary, from_tokenizer_json
from nzip.models.safetensors import short

MAX_JSON = 100 << 20  # bytes of a safetensors header, an index or a tokenizer
MAX_CONFIG = 1 << 20

_SAFETENSORS_TYPES = {"F32": (0, 4), "F16": (1, 2), "BF16": (30, 2)}
_ACTIVATIONS = ("silu", "swish")


def _json(path: Path, limit: int) -> dict[str, Any]:
    with open(path, "rb") as file:
        text = file.read(limit + 1)
    if len(text) > limit:
        raise CorruptError(f"{path}: is larger than the {limit:,} bytes that such a file may have; get it again")
    return safetensors.json_object(text, os.fspath(path))


def open_folder(path: Path) -> ModelSource:
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
    check_tensors(entries, architecture, path)
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
        named(tokenizer, vocabulary),
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
    return check_architecture(
        {
            **{key: config.get(key) for key in ("vocab_size", "num_hidden_layers", "intermediate_size")},
            "hidden_size": width,
            "num_attention_heads": heads,
            "num_key_value_heads": heads if keys is None else keys,
            "head_dim": quotient(width, heads) if head is None else head,
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
