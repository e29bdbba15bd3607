"""Factors for a model: read, bounded, part of the model's id; those that come with nzip are as they were made."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.lm import tuning, weights
from nzip.models.lm.config import LlamaConfig

SHIPPED = {"142a6cec2fb4c426": "bc5b86e49a97af098032298a873e52c4011719fd6a3f6a34b6da985f6f680bbb"}
CONFIG = LlamaConfig(
    vocab=64, layers=2, width=32, heads=2, kv_heads=1, head_dim=16, ffn=32, rope_theta=1e4, rms_eps=1e-5,
    max_context=64, tied=True, bos=0,
)  # fmt: skip


def model() -> weights.LmWeights:
    source = np.random.default_rng(5)
    arrays = {}
    for name, kind, shape in weights.layout(CONFIG):
        if kind == "|i1":
            arrays[name] = source.integers(-127, 128, shape).astype(np.int8)
        else:
            arrays[name] = source.uniform(0.001, 0.1, shape).astype(np.float32)
    arrays["head"] = arrays["embedding"]
    return weights.LmWeights(CONFIG, **arrays)


def test_factors_are_applied_in_order() -> None:
    plain = model()
    factors = {}
    for place, name in enumerate(tuning.NAMES):
        factors[name] = np.full(getattr(plain, name).shape, 1 + (place + 1) / 256, np.float32)
    factors["qkv_scale"].reshape(-1)[-1] = 1 - 100 / 256
    made = tuning.tuned(plain, tuning.pack(factors))
    for name, kind, _ in weights.layout(CONFIG):
        before, after = getattr(plain, name), getattr(made, name)
        if name in factors:
            assert after.dtype == np.float32
            assert np.array_equal(after, before * factors[name])
        else:
            assert kind == "|i1" or name in ("embedding_scale", "head_scale")
            assert after is before
    assert made.model_id() != plain.model_id()
    none = tuning.tuned(plain, tuning.pack({name: np.ones_like(factors[name]) for name in tuning.NAMES}))
    assert none.model_id() == plain.model_id()
    assert tuning.read(plain.model_id()) is None


def test_factors_that_do_not_fit_are_damaged() -> None:
    plain = model()
    packed = tuning.pack({name: np.ones(getattr(plain, name).shape, np.float32) for name in tuning.NAMES})
    for wrong in (b"", packed[:-1], packed + b"x" if len(packed) < 4 else packed[:4]):
        with pytest.raises(CorruptError):
            tuning.tuned(plain, wrong)
    other = replace(plain, final_gain=np.ones(CONFIG.width + 16, np.float32))
    with pytest.raises(CorruptError):
        tuning.tuned(other, packed)


def test_what_comes_with_nzip_is_pinned() -> None:
    folder = Path(tuning.__file__).parents[1] / "weights" / "lm"
    found = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.zst")}
    assert found == SHIPPED
    assert tuning.model_bytes([None, *tuning.SOURCES.values()]) == sum(f.stat().st_size for f in folder.glob("*.zst"))
    assert tuning.model_bytes([None, "0" * 64]) == 0
    assert set(tuning.SOURCES) == set(found)
    assert tuning.read("142a6cec2fb4c426" + "0" * 48) == (folder / "142a6cec2fb4c426.zst").read_bytes()
