"""Files of weights: what the package safetensors makes of them, and damage."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, -2], np.int8), "c": np.float16([[0.5]])}


def test_the_package_reads_it_and_is_read(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    weights.save(tmp_path / "x", TENSORS, {"codec": "none"})
    found = safetensors.load_file(tmp_path / "x")
    assert {name: value.tolist() for name, value in found.items()} == {n: v.tolist() for n, v in TENSORS.items()}
    safetensors.save_file(TENSORS, tmp_path / "y", {"codec": "some"})
    model = weights.load(tmp_path / "y")
    assert model.about == {"codec": "some"}
    assert all(np.array_equal(model.tensors[name], TENSORS[name]) for name in TENSORS)
    assert set(model.floats()) == {"a", "c"}


def test_the_same_content_has_the_same_id(tmp_path):
    one = weights.pack(TENSORS, {"x": "1", "y": "2"})
    assert one == weights.pack(dict(reversed(TENSORS.items())), {"y": "2", "x": "1"})
    assert weights.unpack(one, "f").id != weights.unpack(weights.pack(TENSORS, {}), "f").id


def test_every_damage_of_the_header_is_said():
    data = weights.pack(TENSORS, {"codec": "none"})
    length = int.from_bytes(data[:8], "little")
    for at in range(8 + length):
        for bit in (0, 6):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            try:
                weights.unpack(bytes(bad), "f.safetensors")
            except (CorruptError, UnsupportedError) as error:
                assert str(error).startswith("f.safetensors: ")  # noqa: PT017
    for size in range(len(data)):
        with pytest.raises(CorruptError):
            weights.unpack(data[:size], "f.safetensors")


def test_large_kernels_in_eight_bits():
    random = np.random.default_rng(1)
    given = {
        "net.a.kernel": random.standard_normal((64, 32, 3)).astype(np.float32) * np.arange(64)[:, None, None],
        "net.a.bias": random.standard_normal(64).astype(np.float16),
        "tables": np.arange(9, dtype=np.int32),
    }
    kept = weights.small(given)
    assert {name: value.dtype.name for name, value in kept.items()} == {
        "net.a.kernel": "int8", "net.a.kernel.scale": "float32", "net.a.bias": "float16", "tables": "int32",
    }  # fmt: skip
    found = weights.unpack(weights.pack(kept, {}), "f").floats("net.")
    assert set(found) == {"a.kernel", "a.bias"}
    step = np.abs(given["net.a.kernel"]).max(axis=(1, 2), keepdims=True) / 127
    assert (np.abs(found["a.kernel"] - given["net.a.kernel"]) <= 0.501 * step + 1e-12).all()
    assert (found["a.kernel"][0] == 0).all()


def test_nothing_half_written_stays(tmp_path):
    with pytest.raises(OSError):
        weights.save(tmp_path / "none" / "x", TENSORS, {})
    assert list(tmp_path.iterdir()) == []
