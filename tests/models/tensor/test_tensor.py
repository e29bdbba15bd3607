"""The engine `tensor`: forms, chunks of many symbols, lanes by torch, payloads that are damaged or ask for much."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import naive_tensor as naive
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.tensor import made
from numba import config

import nzip
from nzip.errors import CorruptError
from nzip.formats.container.wire import uleb
from nzip.formats.content.kinds import Content, Segment
from nzip.models.base import Beside
from nzip.models.tensor import layout
from nzip.models.tensor.engine import TensorEngine

ENGINE = TensorEngine()
COMPILED = not config.DISABLE_JIT
compiled = pytest.mark.skipif(not COMPILED, reason="takes minutes without compiled code")


def segment(size: int, width: int, exponent: int = 0, **more: Any) -> Content:
    return Content((Segment("weights", size, width=width, stride=width, exponent=exponent, confidence=95, **more),))


def both(block: bytes, content: Content) -> list[bytes]:
    """The payloads of both presets, after they were decoded."""
    found = []
    for preset in (1, 2):
        payload = ENGINE.encode(block, {"preset": preset}, content)
        stored = len(payload) > len(block)
        assert (block if stored else ENGINE.decode(payload, len(block), {"preset": preset})) == block
        found.append(payload)
    return found


@given(
    st.sampled_from((1, 2, 4, 8)),
    st.sampled_from((0, 4, 5, 8)),
    st.booleans(),
    st.integers(0, 30),
    st.integers(0, 9),
    st.lists(st.sampled_from((b"\0", b"\x3f", b"\x80\xbf", b"abc", b"\xff\xff")), min_size=1, max_size=30),
)
def test_any_bytes_of_any_form(
    width: int, exponent: int, big: bool, row: int, offset: int, parts: list[bytes]
) -> None:  # fmt: skip
    block = b"".join(parts)
    both(block, segment(len(block), width, exponent, big=big, row=row, offset=offset))


def test_what_planes_hold() -> None:
    values = made.floats(2000 if COMPILED else 200, 4)
    for kind, width in (("BF16", 2), ("F32", 4)):
        block = made.packed(values, kind)
        quick, mixed = both(block, segment(len(block), width, 8, row=10 * width))
        if COMPILED:
            assert max(len(mixed), len(quick)) < 0.87 * len(block)
    halves = made.packed(
        [int(1024 * value) / 1024 for value in values], "F32"
    )  # bfloat16 and the like in other clothes
    quick, mixed = both(halves, segment(len(halves), 4, 8))
    assert len(quick) < 0.6 * len(halves)
    assert len(both(made.packed([0.5] * 3000, "F32"), segment(12000, 4, 8))[0]) < 30


@compiled
def test_chunks_of_many_symbols() -> None:
    """Several chunks, the last of few symbols, with runs of several planes, by the plain Python form."""
    values = made.floats(9000, 6)
    block = made.packed(values[:8000], "F16") + made.packed(values[8000:], "BF16")
    content = Content((*segment(16000, 2, 5).segments, *segment(2000, 2, 8).segments))
    payload = ENGINE.encode(block, {"preset": 1}, content)
    found = naive.Payload(payload, len(block), 1)
    assert found.block == block
    assert found.again() == payload
    dice = random.Random(4)
    large = bytes(min(255, int(abs(dice.gauss(0, 9)))) for _ in range(layout.CHUNK + 70))
    payload = ENGINE.encode(large, {"preset": 1}, segment(len(large), 1))
    assert ENGINE.decode(payload, len(large), {"preset": 1}) == large


@compiled
def test_rows_and_columns_help() -> None:
    dice = random.Random(9)
    scales = [0.01 * 2 ** dice.uniform(0, 4) for _ in range(50)]
    block = made.packed([dice.gauss(0, scale) for _ in range(60) for scale in scales], "BF16")
    _, without = both(block, segment(len(block), 2, 8))
    _, rows = both(block, segment(len(block), 2, 8, row=100))
    assert len(rows) < 0.99 * len(without)


KINDS = (("BF16", 2, 8), ("F16", 2, 5), ("F32", 4, 8), ("F64", 8, 11), ("I8", 1, 0))


def older(count: int, seed: int = 3) -> tuple[bytes, bytes, Content, list[int]]:
    """Tensors of all kinds, moved a little, and those that they stand beside, behind some bytes; and a piece alone."""
    new, old, segments, bases = bytearray(), bytearray(b"head"), list[Segment](), list[int]()
    dice = random.Random(seed)
    for number, (kind, width, exponent) in enumerate(KINDS):
        before = made.floats(count, seed + number)
        after = [value + dice.gauss(0, 0.002) * (dice.randrange(3) > 0) for value in before]
        row = 10 * width * (number % 2)
        segments += segment(count * width, width, exponent, row=row).segments
        bases.append(len(old))
        old += made.packed(before, kind)
        new += made.packed(after, kind)
    new += b"bytes beside nothing"
    segments.append(Segment("weights", 20, width=1))
    return bytes(new), bytes(old), Content(tuple(segments)), [*bases, -1]


@pytest.mark.parametrize("preset", [1, 2])
def test_values_beside_older_ones(preset: int) -> None:
    block, old, content, bases = older(2500 if COMPILED and preset == 1 else 200 if COMPILED else 30)
    params = {"preset": preset}
    payload = ENGINE.encode_beside(block, params, content, Beside(file=old, bases=bases))
    assert ENGINE.decode_beside(payload, len(block), params, Beside(file=old)) == block
    assert not COMPILED or len(payload) < 0.9 * len(ENGINE.encode(block, params, content))
    found = naive.Payload(payload, len(block), preset, old)
    assert found.block == block
    assert found.again() == payload
    assert any(piece.form & 32 for piece in found.pieces)
    with pytest.raises(CorruptError):
        ENGINE.decode(payload, len(block), params)
    with pytest.raises(CorruptError):
        ENGINE.decode_beside(payload, len(block), params, Beside(file=old[:-9]))


@given(
    st.sampled_from(KINDS),
    st.booleans(),
    st.integers(0, 9),
    st.integers(0, 3),
    st.lists(st.sampled_from((b"\0", b"\x80", b"\x7f\xff", b"abc", b"\xff\xff")), min_size=1, max_size=30),
    st.integers(0, 1 << 30),
)
def test_any_bytes_beside_any(
    kind: tuple[str, int, int], big: bool, row: int, offset: int, parts: list[bytes], seed: int
) -> None:
    block = b"".join(parts)
    dice = random.Random(seed)
    old = b"x" * 3 + bytes(byte if dice.randrange(3) else dice.randrange(256) for byte in block)
    content = segment(len(block), kind[1], kind[2], big=big and kind[1] > 1, row=row * kind[1], offset=offset)
    for preset in (1, 2):
        payload = ENGINE.encode_beside(block, {"preset": preset}, content, Beside(file=old, bases=[3]))
        stored = len(payload) >= len(block)
        back = block if stored else ENGINE.decode_beside(payload, len(block), {"preset": preset}, Beside(file=old))
        assert back == block


@pytest.mark.parametrize("preset", [1, 2])
def test_a_payload_beside_older_values_that_is_changed_or_cut(preset: int) -> None:
    block, old, content, bases = older(40 if COMPILED else 8)
    payload = ENGINE.encode_beside(block, {"preset": preset}, content, Beside(file=old, bases=bases))
    dice = random.Random(preset)
    tried = [payload[:cut] for cut in range(0, len(payload), 1 if COMPILED else 40)] + [payload + b"\0"]
    for _ in range(500 if COMPILED else 10):
        changed = bytearray(payload)
        for _ in range(dice.randrange(1, 4)):
            changed[dice.randrange(len(changed) if dice.randrange(2) else 40)] = dice.randrange(256)
        tried.append(bytes(changed))
    for each in tried:
        with contextlib.suppress(CorruptError):
            found = ENGINE.decode_beside(each, len(block), {"preset": preset}, Beside(file=old))
            assert len(found) == len(block)


def lanes_of_torch(device: str) -> None:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU is here")
    from nzip.models.tensor import torch_lanes

    values = made.floats(12_000, 6)
    dice = random.Random(4)
    blocks = [
        (made.packed(values, "BF16"), segment(24_000, 2, 8)),
        (made.packed(values[:900], "F32") + made.packed(values[:3000], "F16"),
         Content((*segment(3600, 4, 8).segments, *segment(6000, 2, 5).segments))),
        (bytes(min(255, int(abs(dice.gauss(0, 9)))) for _ in range(layout.CHUNK + 70)), segment(layout.CHUNK + 70, 1)),
        (b"\7" * 500, segment(500, 1)),
    ]  # fmt: skip
    for block, content in blocks:
        payload = ENGINE.encode(block, {"preset": 1}, content)
        assert torch_lanes.decode(payload, len(block), device) == block
        changed = bytearray(payload)
        changed[len(changed) // 3] ^= 4
        try:
            other = ENGINE.decode(bytes(changed), len(block), {"preset": 1})
        except CorruptError:
            with pytest.raises(CorruptError):
                torch_lanes.decode(bytes(changed), len(block), device)
        else:
            assert torch_lanes.decode(bytes(changed), len(block), device) == other
    block, old, content, bases = older(2500)
    payload = ENGINE.encode_beside(block, {"preset": 1}, content, Beside(file=old, bases=bases))
    assert torch_lanes.decode(payload, len(block), device, old) == block


@compiled
def test_lanes_of_torch_give_the_same_bytes() -> None:
    lanes_of_torch("cpu")


@pytest.mark.gpu
def test_lanes_of_a_gpu_give_the_same_bytes() -> None:
    lanes_of_torch("cuda")


@pytest.mark.parametrize("preset", [1, 2])
def test_a_payload_that_is_changed_or_cut(preset: int) -> None:
    """Its check is the block's, so that the engine sees whatever there is: it gives bytes, or says that they are
    damaged."""
    values, dice = made.floats(60 if COMPILED else 12, 8), random.Random(preset)
    block = made.packed(values, "BF16") + made.packed(values, "F32") + bytes(40)
    size = len(values)
    content = Content((
        *segment(2 * size, 2, 8, row=12).segments, *segment(4 * size, 4, 8).segments, *segment(40, 4, 8).segments
    ))  # fmt: skip
    payload = ENGINE.encode(block, {"preset": preset}, content)
    tried = [payload[:cut] for cut in range(len(payload))] + [payload + b"\0"]
    for _ in range(600 if COMPILED else 20):
        changed = bytearray(payload)
        for _ in range(dice.randrange(1, 4)):
            changed[dice.randrange(len(changed) if dice.randrange(2) else 40)] = dice.randrange(256)
        tried.append(bytes(changed))
    for each in tried[:: 1 if COMPILED else 9]:
        with contextlib.suppress(CorruptError):
            assert len(ENGINE.decode(each, len(block), {"preset": preset})) == len(block)


def test_payloads_that_ask_for_much() -> None:
    for preset in (1, 2):
        row = b"\0" * (preset - 1)
        for payload in (
            b"", uleb(0), uleb(1 << 40), uleb(1) + b"\0" + uleb(1 << 60) + row, uleb(1) + b"\3" + uleb(1) + row,
            uleb(1) + b"\x14" + uleb(50) + row, uleb(1) + b"\1" + uleb(50) + row + b"\7" * 9,
            uleb(1) + b"\0" + uleb(100) + row + b"\2\0" + b"\xff\x7f" * 9, uleb(1) + b"\0" + uleb(100) + row + b"\3\0",
            uleb(2) + (b"\0" + uleb(50) + row) * 2 + b"\2\0\0\xff",
            uleb(1) + b"\0" + uleb(100) + row + b"\2\0" + b"\xff\x0f\xff\x0f\2" + uleb(1 << 50),
            uleb(99) + (b"\0" + uleb(1) + row) * 99,
        ):  # fmt: skip
            with pytest.raises(CorruptError):
                ENGINE.decode(payload, 100, {"preset": preset})


def test_memory_grows_with_the_block() -> None:
    for preset in (1, 2):
        needs = [ENGINE.memory({"preset": preset}, size) for size in (1, 1 << 10, 1 << 20, 1 << 30)]
        assert needs == sorted(needs)
    assert ENGINE.memory({"preset": 1}, 1000) < 1 << 20


@compiled
def test_tensors_that_are_the_same_take_nothing() -> None:
    layer = made.packed(made.floats(3000, 2), "BF16")
    once = made.safetensors([("a", "BF16", (60, 50), layer)])
    twice = made.safetensors([("a", "BF16", (60, 50), layer), ("b", "BF16", (60, 50), layer)])
    for level in (1, 3, 6):
        assert len(nzip.compress(twice, level)) < len(nzip.compress(once, level)) + 120
