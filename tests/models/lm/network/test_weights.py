"""Weights in the exact form: made, saved, loaded, refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_llama import CONFIG, model, tensors

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.network import weights

MODEL_ID = "3fc810cd0ca6b17df456dd29bc6bbe6aceec74cb2abf7102cbe50ef1b1cc02fa"


def test_model_id_is_pinned() -> None:
    assert model().model_id() == MODEL_ID


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "tiny.nzlm"
    assert model().save(path) == MODEL_ID
    assert hashlib.sha256(path.read_bytes()).hexdigest() == MODEL_ID
    assert path.stat().st_size == weights.file_size(CONFIG)
    loaded = weights.load(path, MODEL_ID)
    assert loaded.config == CONFIG
    for name, _, _ in weights.layout(CONFIG):
        assert np.array_equal(getattr(loaded, name), getattr(model(), name))
    assert list(tmp_path.iterdir()) == [path]


def test_free_head(tmp_path: Path) -> None:
    config = replace(CONFIG, tied=False)
    built = model(config)
    assert not np.array_equal(built.head, built.embedding)
    loaded = weights.load(tmp_path / "m", built.save(tmp_path / "m"))
    assert np.array_equal(loaded.head, built.head)
    assert np.array_equal(loaded.head_scale, built.head_scale)


def test_load_refuses(tmp_path: Path) -> None:
    path = tmp_path / "m"
    model().save(path)
    good = path.read_bytes()
    for at in range(weights.HEADER):  # no flip in the header goes unseen
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises((CorruptError, UnsupportedError)):
            weights.load(path, MODEL_ID)
    for size in (0, 7, 100, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(CorruptError):
            weights.load(path)
    path.write_bytes(good + b"\0")
    with pytest.raises(CorruptError, match="bytes, not"):
        weights.load(path)
    path.write_bytes(good[:-100] + bytes([good[-100] ^ 1]) + good[-99:])
    with pytest.raises(CorruptError, match="is not the model"):
        weights.load(path, MODEL_ID)
    path.write_bytes(good.replace(b'"arithmetic":1', b'"arithmetic":9'))
    with pytest.raises(UnsupportedError, match="version 9"):
        weights.load(path)


def test_build_refuses() -> None:
    good = tensors()
    name = "model.layers.1.mlp.up_proj.weight"
    for change, words in (
        ({name: None}, "missing"),
        ({name: good[name][:-1]}, "shape"),
        ({"model.layers.0.self_attn.q_proj.bias": np.zeros(3)}, "belongs to no"),
        ({name: np.full_like(good[name], np.nan)}, "no number"),
        ({name: np.full_like(good[name], 1e4)}, "beyond"),
        ({"model.norm.weight": np.full_like(good["model.norm.weight"], np.inf)}, "out of range"),
    ):
        changed = {k: v for k, v in {**good, **change}.items() if v is not None}
        with pytest.raises(UnsupportedError, match=words):
            weights.build(CONFIG, changed)
