"""JPEG files come apart and together again, whatever their encoder did; what is none is left."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace

import pytest
from formats.jpeg import made
from hypothesis import given
from hypothesis import strategies as st

from nzip.errors import CorruptError
from nzip.formats.container.wire import uleb
from nzip.formats.jpeg import planes
from nzip.formats.jpeg.recoding import Manner, Source, jpeg_length, outline, put_together, take_apart

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
VARIANTS = made.variants() if not JIT_OFF else {name: made.file(name) for name in ("tiny", "grey", "progressive_grey")}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_file_comes_back(name: str) -> None:
    data = VARIANTS[name]
    found = take_apart(b"before" + data + b"behind", 6)
    if name.startswith(("cut", "without")):  # such a file has no end
        found = take_apart(data)
    assert found is not None
    assert found.size == len(data)
    again = outline(found.head, found.manner, len(data))
    assert put_together(found.head, found.manner, again, len(data), Source(data, found).fill).tobytes() == data
    if not name.startswith("cut"):
        assert len(found.head) < 0.95 * len(data)
        assert found.manner.units == 0


@pytest.mark.parametrize("name", VARIANTS)
def test_the_end_is_found_by_markers(name: str) -> None:
    data = VARIANTS[name]
    behind = b"" if name.startswith(("cut", "without")) else b"behind"
    assert jpeg_length(b"before" + data + behind, 6) == 6 + len(data)


def test_what_a_manner_keeps() -> None:
    if JIT_OFF:
        pytest.skip("variants are made by the compiled writer")
    assert made.apart(VARIANTS["zeros"]).manner.fill == 0
    odd = made.apart(VARIANTS["odd"]).manner
    assert odd.fill == 2
    assert len(odd.pads) > 5
    assert sum(map(len, made.apart(VARIANTS["broken runs"]).manner.breaks)) > 5
    assert made.apart(VARIANTS["baseline_420"]).outline.by_rows
    assert not made.apart(VARIANTS["one by one"]).outline.by_rows
    assert made.apart(VARIANTS["one by one"]).manner.scans == 3
    cut = made.apart(VARIANTS["cut"])
    assert cut.manner.units > 3
    assert cut.tail < 30
    assert made.apart(VARIANTS["cut progressive"]).manner.scans < made.apart(made.file("progressive_420")).manner.scans


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:3],
        lambda data: data[1:],
        lambda data: data.replace(b"\xff\xc0", b"\xff\xc9"),  # arithmetic codes
        lambda data: data.replace(b"\xff\xc0\0\x0b\x08", b"\xff\xc1\0\x0b\x0c"),  # 12 bits
        lambda data: data.replace(b"\xff\xda", b"\xff\xdc\0\4\0\1\xff\xda"),  # DNL
        lambda data: data.replace(b"\xff\xc0\0\x0b\x08\0\x2d", b"\xff\xc0\0\x0b\x08\0\0"),  # no height
        lambda data: data.replace(b"\xff\xc0\0\x0b\x08\0\x2d\0\x3d", b"\xff\xc0\0\x0b\x08\xff\xff\xff\xff"),  # huge
        lambda data: data.replace(b"\xff\xda", b"\xff\xd9\xff\xda"),
        lambda data: data[: data.index(b"\xff\xda") + 12],
    ],
)  # fmt: skip
def test_what_is_refused(change: object) -> None:
    data = made.file("grey")
    wrong = change(data)  # type: ignore[operator]
    assert wrong != data
    began = time.perf_counter()
    assert take_apart(wrong) is None
    assert time.perf_counter() - began < 20


def test_many_scans_are_refused_before_the_work() -> None:
    data = made.file("progressive_grey")
    at = data.index(b"\xff\xda")
    assert take_apart(data[:at] + b"\xff\xda\0\x08\x01\x01\0\x01\x01\x21" * 50_000 + data[at:]) is None


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@pytest.mark.parametrize("name", VARIANTS)
def test_changed_files_come_back_or_are_refused(name: str) -> None:
    dice, come_back = random.Random(name), []
    for _ in range(150):
        data = bytearray(VARIANTS[name])
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.choice((0, 255, 0xD9, dice.randrange(256)))
        found = take_apart(bytes(data))
        come_back.append(found is None or _again(bytes(data), found) == data[: found.size])
    assert all(come_back)


def _again(data: bytes, found: made.Apart) -> bytes:
    said = outline(found.head, found.manner, found.size)
    return made.together(found.head, found.manner, said, made.coefficients(data, found), found.size)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("least", [1, 9, 40])
def test_strips_of_any_size_give_the_same(name: str, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = VARIANTS[name]
    monkeypatch.setattr(planes, "STRIP", least)
    found = take_apart(data)
    assert found is not None
    again = outline(found.head, found.manner, len(data))
    assert put_together(found.head, found.manner, again, len(data), Source(data, found).fill).tobytes() == data
    assert _again(data, found) == data
    window, source, every = again.planes(), Source(data, found), made.coefficients(data, found)
    whole = planes.Planes(again.frame, True)
    assert whole.following()
    count = 0
    while window.following():
        source.fill(window)
        count += 1
        for k, component in enumerate(again.frame.components):
            rows = range(window.first * component.down, window.stop * component.down)
            for y in range(max(0, rows[0] - planes.KEPT) if window.first else 0, rows[-1] + 1):
                here, there = (64 * (each.origin(k) + y * component.wide) for each in (window, whole))
                size = 64 * component.wide
                assert (window.values[here : here + size] == every[there : there + size]).all()
        assert not window.values[64 * window.blocks :].any()
    assert count == 1 or again.by_rows
    if least == 1 and name in ("baseline_420", "grey", "baseline_444_restarts"):
        assert count == again.frame.units_high


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@given(data=st.data())
def test_wrong_coefficients_and_manners_are_found(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(VARIANTS)))
    found = made.apart(VARIANTS[name])
    values = made.coefficients(VARIANTS[name], found).copy()
    for _ in range(data.draw(st.integers(0, 3))):
        values[data.draw(st.integers(0, len(values) - 1))] = data.draw(st.integers(-32768, 32767))
    manner = replace(
        found.manner,
        scans=data.draw(st.integers(0, found.manner.scans + 1)),
        units=data.draw(st.sampled_from((0, 1, 1 << 62))),
        breaks=data.draw(
            st.sampled_from((found.manner.breaks, (), (b"\5\3" + uleb(1 << 40),) * 300, (b"\5\xff",), (b"\1" * 5000,)))
        ),
    )
    try:
        again = outline(found.head, manner, found.size)
        assert len(made.together(found.head, manner, again, values, found.size)) == found.size
    except CorruptError:
        pass


def test_a_head_that_is_none_is_corrupt() -> None:
    for head in (b"", b"\xff\xd8", made.file("grey")[:40], b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0"):
        with pytest.raises(CorruptError, match="head is damaged"):
            outline(head, Manner(1), 1000)
