"""`nzip.tensors`: files of tensors with the interface of safetensors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config

import nzip
import nzip.tensors
from nzip.errors import CorruptError, NzipError, UnsupportedError

LEVEL = 1 if config.DISABLE_JIT else 3
DICE = np.random.default_rng(3)
STATE = {
    "layer.weight": DICE.normal(0, 0.1, (40, 30)).astype(np.float32),
    "layer.bias": DICE.normal(0, 0.1, 30).astype(np.float16),
    "step": np.array(7, np.int64),
    "mask": np.array([True, False, True]),
    "nothing": np.zeros((0, 4), np.float32),
    "wide": DICE.normal(0, 1, (3, 5, 2)),
}


def same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert sorted(a) == sorted(b)
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert a[name].shape == b[name].shape
        assert (np.asarray(a[name]) == np.asarray(b[name])).all()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.nz"
    nzip.tensors.save_file(STATE, path, {"made": "here"}, level=LEVEL)
    same(nzip.tensors.load_file(path), STATE)
    same(nzip.tensors.load(nzip.tensors.save(STATE, level=LEVEL)), STATE)


def test_it_is_a_safetensors_file(tmp_path: Path) -> None:
    reference = pytest.importorskip("safetensors.numpy")
    data = nzip.decompress(nzip.tensors.save(STATE, {"made": "here"}, level=LEVEL))
    same(reference.load(data), STATE)
    plain = tmp_path / "model.safetensors"
    reference.save_file(STATE, plain)
    same(nzip.tensors.load_file(plain), STATE)
    packed = tmp_path / "model.safetensors.nz"
    packed.write_bytes(nzip.compress(plain.read_bytes(), LEVEL))
    same(nzip.tensors.load_file(packed), STATE)


def test_one_tensor_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "model.nz"
    big = {f"layer.{k:02}": DICE.normal(0, 0.1, (64, 64)).astype(np.float32) for k in range(20)}
    settings = nzip.settings.resolve(LEVEL, block_size=1 << 15)
    nzip.tensors.save_file(big, path, {"a": "b"}, level=settings)
    data = bytearray(path.read_bytes())
    info = nzip.inspect(path)
    assert sum(len(member.blocks) for member in info.members) > 8
    data[len(data) // 2] ^= 1  # damages one block
    path.write_bytes(data)
    lost = 0
    with nzip.tensors.safe_open(path) as file:
        assert file.keys() == sorted(big)
        assert file.metadata() == {"a": "b"}
        for name in file.offset_keys():
            try:
                assert (file.get_tensor(name) == big[name]).all()
            except CorruptError:
                lost += 1
    assert 1 <= lost <= 4


INDICES: list[Any] = [
    3, -1, slice(2, 9), slice(30, 60), slice(9, 2), (slice(1, 4), 2), (5, slice(1, 3)), Ellipsis, slice(None, None, 3),
    (),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_slices(index: Any) -> None:
    with nzip.tensors.safe_open(io.BytesIO(nzip.tensors.save(STATE, level=LEVEL))) as file:
        part = file.get_slice("layer.weight")
        assert part.get_shape() == [40, 30]
        assert part.get_dtype() == "F32"
        assert (part[index] == STATE["layer.weight"][index]).all()
        with pytest.raises(IndexError):
            part[40]


def test_what_cannot_be_saved() -> None:
    for tensors, metadata in (
        ({"a": np.array(["text"])}, None), ({"__metadata__": np.zeros(3)}, None), ({"a": np.zeros(3)}, {"a": 1}),
        ({1: np.zeros(3)}, None),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"."):
            nzip.tensors.save(tensors, metadata, level=LEVEL)  # type: ignore[arg-type]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "other.nz"
    for content in (b"", b"words", b"\xff" * 100, (5).to_bytes(8, "little") + b"[1,2]", bytes(300)):
        path.write_bytes(nzip.compress(content, 1))
        with pytest.raises(NzipError):
            nzip.tensors.load_file(path)
    with pytest.raises(ValueError, match="framework"):
        nzip.tensors.safe_open(path, "jax")  # type: ignore[arg-type]


def test_big_endian_arrays_and_views() -> None:
    array = np.arange(12, dtype=">f4").reshape(3, 4).T
    assert (nzip.tensors.load(nzip.tensors.save({"a": array}, level=LEVEL))["a"] == array).all()


def test_types_that_numpy_lacks() -> None:
    torch = pytest.importorskip("torch")
    state = {"a": torch.randn(5, 6).to(torch.bfloat16), "b": torch.randn(9).to(torch.float8_e4m3fn)}
    data = nzip.tensors.save({"a": state["a"]}, level=LEVEL)
    found = nzip.tensors.load(data)["a"]
    assert (np.asarray(found, np.float32) == state["a"].float().numpy()).all()
    try:
        import ml_dtypes  # noqa: F401
    except ImportError:
        with pytest.raises(UnsupportedError, match="ml_dtypes"):
            nzip.tensors.load(nzip.tensors.save(state, level=LEVEL))


def test_tensors_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import nzip.tensors.torch as ours

    kinds = (torch.float32, torch.bfloat16, torch.float16, torch.float8_e5m2, torch.int64, torch.bool)
    state = {str(kind): torch.randn(8, 3).to(kind) for kind in kinds}
    path = tmp_path / "state.nz"
    ours.save_file(state, path, level=LEVEL)
    found = ours.load_file(path)
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name].view(torch.uint8), tensor.view(torch.uint8))
    model, other = torch.nn.Linear(7, 5), torch.nn.Linear(7, 5)
    ours.save_model(model, path, level=LEVEL)
    assert not ours.load_model(other, path).missing_keys
    assert torch.equal(model.weight, other.weight)
