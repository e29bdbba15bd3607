"""The block formats of GGUF: golden values, the package `gguf`, exactness."""

import hashlib

import numpy as np
import pytest

from nzip.errors import UnsupportedError
from nzip.models.lm.readers import quants

# The first digits of the SHA-256 of what `random_blocks` means; the package gguf 0.19 gives the same.
GOLDEN = {
    "F32": "d439e4fd649862fd",
    "F16": "6f63a1c1fc0985f7",
    "Q4_0": "425c9b71f8e52acf",
    "Q4_1": "df953f5cae74611a",
    "Q5_0": "0c38757ffce0e4c2",
    "Q5_1": "7161690e028ad4d6",
    "Q8_0": "6cd3b7ea10cbda1f",
    "Q2_K": "c7bfa621155896be",
    "Q3_K": "ed7244307dad26a5",
    "Q4_K": "846855fbe42b7d06",
    "Q5_K": "fedb1d37715cc46e",
    "Q6_K": "b47d8e8ee10b8fe8",
    "BF16": "08645052d6e3a51e",
}


def random_blocks(type_: int, count: int = 97) -> np.ndarray:
    """Blocks of random bytes whose floats are below 2."""
    name, _, size = quants.block_of(type_)
    blocks = np.frombuffer(hashlib.shake_256(name.encode()).digest(count * size), np.uint8).reshape(count, size).copy()
    ends = {"Q4_1": [2, 4], "Q5_1": [2, 4], "Q2_K": [82, 84], "Q3_K": [110], "Q4_K": [2, 4], "Q5_K": [2, 4],
            "Q6_K": [210], "F32": [4]}.get(name, [2])  # fmt: skip
    for end in ends:
        blocks[:, end - 1] &= 0xBF  # the highest bit of the exponent
    return blocks


def values_of(type_: int, blocks: np.ndarray) -> np.ndarray:
    out = np.empty(len(blocks) * quants.block_of(type_)[1], dtype=np.float32)
    quants.dequantise(type_, blocks.reshape(-1), out)
    return out


@pytest.mark.parametrize("type_", quants.TYPES, ids=lambda type_: quants.TYPES[type_][0])
class TestTypes:
    def test_golden(self, type_: int) -> None:
        values = values_of(type_, random_blocks(type_))
        assert np.isfinite(values).all()
        assert hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()[:16] == GOLDEN[quants.TYPES[type_][0]]

    def test_as_gguf(self, type_: int) -> None:
        gguf = pytest.importorskip("gguf")
        blocks = random_blocks(type_)
        kind = gguf.GGMLQuantizationType(type_)
        assert quants.block_of(type_) == (kind.name, *gguf.GGML_QUANT_SIZES[kind])
        assert gguf.quants.dequantize(blocks, kind).reshape(-1).tobytes() == values_of(type_, blocks).tobytes()

    def test_pieces(self, type_: int, monkeypatch: pytest.MonkeyPatch) -> None:
        blocks = random_blocks(type_)
        whole = values_of(type_, blocks)
        monkeypatch.setattr(quants, "CHUNK", 300)
        assert values_of(type_, blocks).tobytes() == whole.tobytes()


class TestByHand:
    def test_q8_0(self) -> None:
        block = np.concatenate([np.array([0.5], "<f2").view(np.uint8), np.arange(32, dtype=np.int8).view(np.uint8)])
        assert values_of(8, block[None]).tolist() == [number / 2 for number in range(32)]

    def test_q4_0(self) -> None:
        nibbles = np.arange(16, dtype=np.uint8)
        block = np.concatenate([np.array([2], "<f2").view(np.uint8), nibbles | (15 - nibbles) << 4])
        assert values_of(2, block[None]).tolist() == [2 * (n - 8) for n in [*range(16), *range(15, -1, -1)]]

    def test_q4_1(self) -> None:
        nibbles = np.arange(16, dtype=np.uint8)
        block = np.concatenate([np.array([2, -1], "<f2").view(np.uint8), nibbles | (15 - nibbles) << 4])
        assert values_of(3, block[None]).tolist() == [2 * n - 1 for n in [*range(16), *range(15, -1, -1)]]


class TestOthers:
    def test_through_the_package(self) -> None:
        gguf = pytest.importorskip("gguf")
        kind = gguf.GGMLQuantizationType.IQ4_NL
        values = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)
        blocks = np.random.default_rng(0).integers(0, 60, (3, 18), dtype=np.uint8)
        assert values.size == values_of(kind.value, blocks).size
        assert values_of(kind.value, blocks).tolist() == gguf.quants.dequantize(blocks, kind).reshape(-1).tolist()

    @pytest.mark.parametrize("type_", [4, 24, 99])
    def test_refused(self, type_: int) -> None:
        with pytest.raises(UnsupportedError, match=r"cannot be read|package gguf"):
            quants.block_of(type_)

    def test_without_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "gguf", None)
        with pytest.raises(UnsupportedError, match=r"pip install 'nzip\[lm\]'"):
            quants.block_of(20)
