"""The engine of JPEG files: what it accepts, several files, heads within heads, and hostile payloads."""

from __future__ import annotations

import contextlib
import os
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from formats.jpeg import made

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content, Segment
from nzip.formats.jpeg import planes
from nzip.formats.jpeg.recoding import Manner, outline
from nzip.models.jpeg import layout, plan, standard
from nzip.models.jpeg.engine import KIND, JpegEngine

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
ENGINE = JpegEngine()


def coded(block: bytes, preset: int = 1) -> bytes:
    payload = ENGINE.encode(block, {"preset": preset})
    assert len(payload) < len(block)
    assert ENGINE.decode(payload, len(block), {"preset": preset}) == block
    return payload


def test_what_it_accepts() -> None:
    one = Segment(KIND, 10)
    assert ENGINE.accepts(Content((one, one)))
    assert not ENGINE.accepts(Content((one, Segment("binary", 10))))


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@pytest.mark.parametrize("preset", [1, 2])
def test_all_kinds_of_files_shrink(preset: int) -> None:
    for name, block in made.variants().items():
        assert len(coded(block, preset)) < 0.83 * len(block), name


@pytest.mark.skipif(JIT_OFF, reason="takes long")
def test_files_share_what_is_learned() -> None:
    files = [made.file(name) for name in ("baseline_420", "progressive_420", "grey")]
    assert len(coded(b"and".join(files))) < 0.95 * sum(len(coded(file)) for file in files)


@pytest.mark.skipif(JIT_OFF, reason="takes long")
def test_a_thumbnail_in_a_head_is_coded_as_a_file() -> None:
    found: list[plan.File] = []
    plan.planned(made.file("thumbnail"), 1 << 20, found)
    assert len(found) == 2
    assert found[0].apart.outline.frame.width == 24


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@pytest.mark.parametrize(
    "name", ["baseline_420", "baseline_422_optimised", "baseline_444_restarts", "rgb", "cmyk", "cut"]
)
def test_strips_of_any_size_come_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    block = made.variants()[name]
    whole = len(coded(block))
    for strip in (1, 9, 40):
        monkeypatch.setattr(planes, "STRIP", strip)
        assert abs(len(coded(block)) - whole) < whole // 40


@pytest.mark.skipif(JIT_OFF, reason="takes long")
def test_pictures_that_have_to_be_held_are_left_where_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nzip.models.jpeg.engine.LEAST_HELD", 8)
    monkeypatch.setitem(layout.PRESETS, 1, layout.PRESETS[1]._replace(memory=1))
    fits = {name: len(ENGINE.encode(block, {"preset": 1})) < len(block) for name, block in made.variants().items()}
    assert fits == {name: made.apart(block).outline.by_rows for name, block in made.variants().items()}
    coded(made.file("baseline_420"))


def _peak(call: Callable[[], bytes]) -> tuple[bytes, int]:
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@pytest.mark.parametrize("preset", [1, 2])
@pytest.mark.parametrize(
    ("name", "side"), [("grey", 50), ("grey", 600), ("progressive_grey", 50), ("progressive_grey", 300)]
)
def test_memory_is_stated(name: str, side: int, preset: int) -> None:
    block = made.large(name, side)
    coded(made.file("grey"), preset)  # what is kept
    payload, encoding = _peak(lambda: ENGINE.encode(block, {"preset": preset}))
    assert len(payload) < len(block)
    assert encoding < ENGINE.encode_memory({"preset": preset}, len(block))
    back, decoding = _peak(lambda: ENGINE.decode(payload, len(block), {"preset": preset}))
    assert back == block
    assert decoding < ENGINE.memory({"preset": preset}, len(block))
    if name == "grey":  # a strip of the picture, no more
        beside = 4 * layout.CELLS + 130 * (planes.STRIP + 4 * side) + 12_000_000
        assert decoding < beside + 5 * len(block)
        assert encoding < beside + 8 * len(block)


def test_memory_is_that_of_a_level() -> None:
    for preset, most in ((1, 160 << 20), (2, 300 << 20)):
        stated = [ENGINE.memory({"preset": preset}, size) for size in range(1, 12 << 20, 99_991)]
        assert stated == sorted(stated)
        assert stated[-1] <= most


def test_a_picture_that_would_be_held_is_refused_before_memory_is_taken() -> None:
    """It has few enough blocks for the file's size, but too many for the memory that is stated."""
    head = made.apart(made.file("progressive_grey")).head
    at = head.index(b"\xff\xc2") + 5
    for side, wrong in ((6000, None), (9000, "held")):
        huge = head[:at] + side.to_bytes(2, "big") * 2 + head[at + 4 :]
        most = ENGINE._most({"preset": 1}, 1 << 20)
        if wrong is None:
            outline(huge, Manner(1), 1 << 20, most)
            continue
        with pytest.raises(CorruptError, match=wrong):
            outline(huge, Manner(1), 1 << 20, most)


def test_bytes_that_are_no_file_are_left_to_others() -> None:
    for block in (b"", b"a", b"\xff\xd8\xff" * 1000, bytes(3000), made.file("grey")[5:]):
        assert len(ENGINE.encode(block, {"preset": 1})) == len(block) + 1


def _filler(outline: Any, size: int) -> Any:
    return lambda planes: None


def _restored(said: bytes, size: int) -> int:
    return plan.restored(Reader(said), np.zeros(size, np.uint8), 1 << 20, _filler)


@pytest.mark.skipif(JIT_OFF, reason="takes long")
def test_changed_plans_are_found() -> None:
    dice = random.Random(7)
    for name, block in made.variants().items():
        right = plan.planned(block, 1 << 20, [])
        for _ in range(60):
            wrong = bytearray(right)
            for _ in range(dice.randrange(1, 4)):
                wrong[dice.randrange(min(len(wrong), 500))] = dice.randrange(256)
            try:
                assert _restored(bytes(wrong), len(block)) <= len(block), name
            except CorruptError:
                continue


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        uleb(1 << 40),
        uleb(9),  # more files than fit
        uleb(1) + uleb(0) + uleb(5000) + b"\1\1",  # a file longer than the block
        uleb(1) + uleb(0) + uleb(900) + b"\x41\1",  # unknown flags
        uleb(1) + uleb(0) + uleb(900) + b"\3\1",
        uleb(1) + uleb(0) + uleb(900) + b"\1" + uleb(300),  # scans
        uleb(1) + uleb(0) + uleb(900) + b"\1\0" + uleb(0) + uleb(2) + b"\xff\xd8",  # no scan
        (uleb(1) + uleb(0) + uleb(900) + b"\1\1") * 6 + b"\0\0",  # heads in heads
    ],
)
def test_plans_that_are_none(wrong: bytes) -> None:
    with pytest.raises(CorruptError):
        _restored(wrong, 1000)


def test_a_huge_picture_is_refused_before_memory_is_taken() -> None:
    small = standard.small_file()
    huge = small.replace(b"\xff\xc0\0\x0b\x08\0\x10\0\x10", b"\xff\xc0\0\x0b\x08\xff\xff\xff\xff")
    head = huge[: huge.index(b"\xff\xda") + 10]
    record = uleb(1) + uleb(0) + uleb(1 << 20) + b"\1\1" + b"\0" + uleb(len(head)) + head
    with pytest.raises(CorruptError, match="too large"):
        _restored(record + uleb(0), 1 << 20)


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@pytest.mark.parametrize("preset", [1, 2])
def test_changed_payloads_give_the_size_or_an_error(preset: int) -> None:
    dice = random.Random(preset)
    block = made.file("thumbnail") + made.file("progressive_444_restarts")
    right = coded(block, preset)
    began = time.perf_counter()
    for _ in range(50):
        wrong = bytearray(right)
        wrong[dice.randrange(len(wrong))] ^= 1 << dice.randrange(8)
        cut = dice.choice((len(wrong), dice.randrange(len(wrong))))
        with contextlib.suppress(CorruptError):
            assert len(ENGINE.decode(bytes(wrong[:cut]), len(block), {"preset": preset})) == len(block)
    assert time.perf_counter() - began < 300


@pytest.mark.skipif(JIT_OFF, reason="takes long")
def test_coefficients_that_no_file_holds_are_found_early() -> None:
    """The plan of a picture of many blocks, and then noise."""
    block = made.file("flat")
    payload = coded(block)
    for seed in range(8):
        wrong = payload[:-8] + random.Random(seed).randbytes(4000)
        with pytest.raises(CorruptError):
            ENGINE.decode(wrong, len(block), {"preset": 1})


def test_sizes_of_contexts_and_the_standard_tables() -> None:
    assert len(layout.order()) == 64
    assert sorted(layout.order()) == list(range(64))
    assert layout.starts()[1] == layout.COEFFICIENTS[0] * layout.NODES
    assert standard.codes() in made.file("baseline_420")
    for name, quality in (("grey", 75), ("baseline_420", 80)):
        assert standard.quantiser(standard.LUMA, quality) in made.file(name)
