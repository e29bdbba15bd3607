"""The engine `pix` with content that is told: frames, quarters, colours, gaps; and maps that lie."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import naive_pix
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.cases import JIT_OFF

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content, Segment
from nzip.models.pix import pictures, plans
from nzip.models.pix.engine import PixEngine
from nzip.models.pix.pictures import Picture

ENGINE = PixEngine()
Pixels = npt.NDArray[Any]


def segment(pixels: Pixels, before: int = 0, behind: int = 0, filling: int = 0, **more: Any) -> Segment:
    """Return what says that `pixels` (height, width, channels) lie behind so many bytes."""
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize
    row = width * channels * depth + filling
    return Segment(
        "image", before + height * row + behind, width=depth, channels=channels, stride=channels * depth, row=row,
        offset=before, confidence=95, **more,
    )  # fmt: skip


def content(*segments: Segment) -> Content:
    whole = None if len(segments) == 1 else replace(segments[0], length=sum(each.length for each in segments))
    return Content(segments, whole)


def slope(height: int, width: int, channels: int = 1, seed: int = 1, most: int = 255) -> Pixels:
    """Return samples (height, width, channels) like a photograph's."""
    dice = np.random.default_rng(seed)
    y, x, c = np.mgrid[:height, :width, :channels]
    smooth = most // 3 + most // 6 * np.sin(y / 5 + c) + most // 8 * np.cos(x / 4) + 3 * x
    return np.clip(smooth + dice.integers(-2, 3, smooth.shape), 0, most).astype(np.int64)


def by_jfif(a: int, b: int, c: int) -> tuple[int, ...]:
    colour: tuple[int, ...] = naive_pix.colour_of(1, a, b, c)
    return colour


def by_photo_ycc(a: int, b: int, c: int) -> tuple[int, ...]:
    """As a program may do it that drops fractions of chroma before it makes green of them, and others at the end."""
    second, third = int(2.2179 * b // 1), int(1.8215 * c // 1)
    green = (13584 * a - 1940 * second - 5090 * third) // 10000
    colour = (13584 * a + 18215 * c) // 10000, green, (13584 * a + 22179 * b) // 10000
    return tuple(max(0, min(255, each)) for each in colour)


def jfif(height: int, width: int, step: int = 1, made: Callable[[int, int, int], tuple[int, ...]] = by_jfif) -> Pixels:
    """Return colours that were made of luma and of chroma that was known for every `step`th pixel."""
    rough = np.random.default_rng(6).integers(-20, 20, (height // step + 2, width // step + 2, 2))
    chroma = rough if step > 1 else slope(height + 2, width + 2, 2) // 4 - 40
    y, x = (np.arange(side) / step for side in (height, width))
    low, left = y.astype(int), x.astype(int)
    fy, fx = (y - low)[:, None, None], (x - left)[None, :, None]
    above = chroma[low][:, left] * (1 - fx) + chroma[low][:, left + 1] * fx
    under = chroma[low + 1][:, left] * (1 - fx) + chroma[low + 1][:, left + 1] * fx
    both = np.floor(above * (1 - fy) + under * fy + 0.5).astype(int)
    a, (b, c) = slope(height, width)[:, :, 0], (both[:, :, 0], both[:, :, 1])
    colours = [made(*map(int, abc)) for abc in zip(a.flat, b.flat, c.flat, strict=True)]
    return np.array(colours, np.uint8).reshape(height, width, 3)


def coded(block: bytes, held: Content, preset: int) -> bytes:
    payload = ENGINE.encode(block, ENGINE.fit({"preset": preset}, len(block)), held)
    assert len(payload) < len(block)
    assert ENGINE.decode(payload, len(block), {"preset": preset}) == block
    return payload


def proved(block: bytes, held: Content, preset: int) -> list[naive_pix.Picture]:
    """Return the pictures that plain Python finds in a payload, of which it makes the same block and payload."""
    payload = coded(block, held, preset)
    found = naive_pix.Payload(payload, len(block), preset)
    assert found.block == block
    assert found.again() == payload
    pictures: list[naive_pix.Picture] = found.pictures
    return pictures


def _padded() -> tuple[bytes, Content]:
    pixels = slope(9, 13).astype(np.uint8)
    rows = np.pad(pixels[:, :, 0], ((0, 0), (0, 3)))
    return b"HEAD" + rows.tobytes() + b"tail", content(segment(pixels, 4, 4, 3))


def _quarters(formula_of: Callable[[], Pixels] = lambda: jfif(33, 32, 2)) -> tuple[bytes, Content]:
    pixels = formula_of()
    return pixels.tobytes(), content(segment(pixels))


def _put_right() -> tuple[bytes, Content]:
    pixels = jfif(12, 15)
    pixels[7, 5:7] ^= 3
    return pixels[:, :, ::-1].tobytes(), content(segment(pixels))


def _photo_ycc() -> tuple[bytes, Content]:
    pixels = jfif(14, 18, 2, by_photo_ycc)
    return pixels.tobytes(), content(segment(pixels))


def _alpha() -> tuple[bytes, Content]:
    pixels = slope(7, 9, 4).astype(np.uint8)
    pixels[:, :, 3] = 255
    return pixels.tobytes(), content(segment(pixels))


def _signed() -> tuple[bytes, Content]:
    pixels = (slope(9, 12, most=3000) - 1500).astype("<i2")
    return pixels.tobytes(), content(segment(pixels))


def _gaps() -> tuple[bytes, Content]:
    pixels = (slope(10, 14, 2) // 8 * 33).astype(">u2")
    return pixels.tobytes(), content(segment(pixels, big=True))


def _frames() -> tuple[bytes, Content]:
    pixels = slope(6, 7, 3)
    frames = [np.clip(pixels + k, 0, 255).astype(np.uint8) for k in range(3)]
    joined = b"".join(b"mark" + frame.tobytes() for frame in frames)
    whole = replace(segment(frames[0]), length=len(joined), offset=4, frame=4 + frames[0].size)
    return joined, content(whole)


def _planar() -> tuple[bytes, Content]:
    """Two frames of a plane and two smaller ones; the second of these follows the first, at first."""
    parts, segments = [], []
    for k in range(2):
        for seed, side in ((1, 8), (2, 4), (3, 4)):
            plane = np.clip(slope(side, side, seed=seed) + k, 0, 255).astype(np.uint8)
            parts.append(plane.tobytes())
            segments.append(segment(plane, frame=96))
    return b"".join(parts), content(*segments)


MADE = {
    "padded rows": _padded, "quarters": _quarters, "pixels put right": _put_right, "photo ycc": _photo_ycc,
    "alpha": _alpha, "signed": _signed, "gaps": _gaps, "frames": _frames, "planes of frames": _planar,
}  # fmt: skip


@pytest.mark.skipif(JIT_OFF, reason="takes minutes")
@pytest.mark.parametrize("name", [name for name in MADE if name != "quarters"])
@pytest.mark.parametrize("preset", [1, 2])
def test_plain_python_says_the_same(name: str, preset: int) -> None:
    proved(*MADE[name](), preset)


@pytest.mark.skipif(JIT_OFF, reason="takes minutes")
def test_quarters_are_chosen_and_plain_python_says_the_same() -> None:
    (picture,) = proved(*_quarters(), 1)
    assert picture.formula == 1
    assert picture.split


def test_what_is_chosen() -> None:
    heads = {}
    for name in ("pixels put right", "photo ycc", "signed", "gaps", "frames", "planes of frames"):
        block, held = MADE[name]()
        heads[name] = naive_pix.Head(coded(block, held, 1)).pictures
    assert [(p.formula, p.reversed, p.wrong) for p in heads["pixels put right"]] == [(1, 1, 1)]
    assert [(p.formula, p.reversed, p.wrong) for p in heads["photo ycc"]] == [(2, 0, 1)]
    assert heads["signed"][0].signed
    assert all(bounds[3] for bounds in heads["gaps"][0].bounds)
    assert [picture.back for picture in heads["frames"]] == [0, 1, 1]
    assert [picture.back for picture in heads["planes of frames"]] == [0, 0, 1, 3, 3, 3]


@pytest.mark.skipif(JIT_OFF, reason="takes minutes")
@given(st.data())
@settings(deadline=None, max_examples=30)
def test_any_pictures_come_back(data: st.DataObject) -> None:
    dice = random.Random(data.draw(st.integers(0, 1 << 32)))
    parts, segments = list[bytes](), list[Segment]()
    for _ in range(data.draw(st.integers(1, 3))):
        depth, channels = data.draw(st.sampled_from(((1, 1), (1, 3), (1, 4), (2, 1), (2, 3), (1, 7))))
        height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
        filling, before, behind = (data.draw(st.integers(0, 3)) for _ in range(3))
        row = width * channels * depth
        filling = min(filling, channels * depth - 1)
        kind = data.draw(st.sampled_from(("noise", "flat", "slope")))
        rows = b"".join(
            {"noise": dice.randbytes(row), "flat": bytes(row), "slope": bytes(range(row))}[kind] + bytes(filling)
            for _ in range(height)
        )
        part = bytes(before) + rows + bytes(behind)
        parts.append(part)
        segments.append(
            Segment(
                "image", len(part), width=depth, channels=channels, stride=depth * channels, row=row + filling,
                offset=before, big=bool(dice.randrange(2)), frame=dice.choice((0, row + filling)), confidence=95,
            )
        )  # fmt: skip
    block = b"".join(parts)
    preset = data.draw(st.sampled_from((1, 2)))
    payload = ENGINE.encode(block, {"preset": preset}, content(*segments))
    stored = len(payload) > len(block)
    assert stored or ENGINE.decode(payload, len(block), {"preset": preset}) == block


@pytest.mark.skipif(JIT_OFF, reason="takes minutes")
@pytest.mark.parametrize("name", list(MADE))
def test_damage_ends_in_bytes_or_an_error(name: str) -> None:
    block, held = MADE[name]()
    payload = coded(block, held, 1)
    dice = random.Random(name)
    for _ in range(60):
        wrong = bytearray(payload)
        for _ in range(dice.randrange(1, 4)):
            wrong[dice.randrange(min(len(wrong), dice.choice((30, len(wrong)))))] = dice.randrange(256)
        if dice.randrange(4) == 0:
            del wrong[dice.randrange(len(wrong)) :]
        try:
            out = ENGINE.decode(bytes(wrong), len(block), {"preset": 1})
        except CorruptError:
            continue
        assert len(out) == len(block)


PICTURE = Picture(0, 20, 16, 3, 1, False, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        uleb(1 << 15),
        pictures.pack([PICTURE._replace(height=17)]),
        pictures.pack([PICTURE._replace(gap=1)]),
        pictures.pack([PICTURE._replace(width=0)]),
        pictures.pack([PICTURE._replace(width=1 << 60, height=1)]),
        pictures.pack([PICTURE._replace(filling=1 << 40, height=1)]),
        pictures.pack([PICTURE._replace(height=8, follows=1)]),
        pictures.pack([PICTURE._replace(height=8), PICTURE._replace(height=8, follows=2)]),
        pictures.pack([PICTURE._replace(height=8), PICTURE._replace(height=4, follows=1)]),
        pictures.pack([PICTURE._replace(height=4), PICTURE._replace(height=4)])[:-1] + b"\x0d",
        b"\1\1",
    ],
)
def test_a_map_that_lies_is_refused(wrong: bytes) -> None:
    with pytest.raises(CorruptError):
        pictures.unpack(Reader(wrong), PICTURE.size)
    with pytest.raises(CorruptError):
        ENGINE.decode(wrong + bytes(40), PICTURE.size, {"preset": 1})


def test_long_thin_pictures_are_refused() -> None:
    thin = Picture(0, 1 << 20, 15, 1, 1, False, 0)
    with pytest.raises(CorruptError):
        pictures.unpack(Reader(pictures.pack([thin])), thin.size)
    assert pictures.of_segment(Segment("image", thin.size, width=1, channels=1, stride=1, row=1 << 20)) is None
    for wide in (Picture(0, 1 << 16, 1, 8, 1, False, 0), Picture(0, 1, 1 << 16, 8, 2, True, 0)):
        with pytest.raises(CorruptError):
            pictures.unpack(Reader(pictures.pack([wide])), wide.size)


def test_too_many_pictures_of_many_channels_are_refused() -> None:
    dot = Picture(0, 1, 1, 8, 1, False, 0)
    for count in (4096, 4097):
        made = Reader(pictures.pack([dot] * count))
        if count == 4096:
            assert len(pictures.unpack(made, 8 * count)) == count
        else:
            with pytest.raises(CorruptError, match="too many"):
                pictures.unpack(made, 8 * count)
    segments = tuple(Segment("image", 8, width=1, channels=8, stride=8, row=8) for _ in range(4200))
    found = pictures.of_content(Content(segments, segments[0]))
    assert len(found) == 4096
    assert pictures.unpack(Reader(pictures.pack(found)), 8 * 4200) == found


SHAPES = (  # height, width, channels, bytes of a sample, pictures, whether they follow each other
    (1, 7200, 8, 1, 6, True),
    (7200, 1, 8, 1, 5, True),
    (15, 12000, 1, 1, 5, True),
    (16, 20000, 2, 1, 2, True),
    (16, 30000, 1, 2, 1, False),
    (33, 9000, 3, 1, 1, False),
    (2, 2, 4, 2, 900, True),
)


@pytest.mark.skipif(JIT_OFF, reason="Python's numbers take memory")
@pytest.mark.parametrize(("height", "width", "channels", "depth", "count", "frames"), SHAPES)
def test_margins_and_what_is_followed_take_no_more_than_is_stated(
    height: int, width: int, channels: int, depth: int, count: int, frames: bool
) -> None:
    dice = np.random.default_rng(1)
    pixels = dice.integers(0, 4, (height, width, channels)) + (np.arange(width) // 64 & 7)[None, :, None]
    one = pixels.astype(np.uint8 if depth == 1 else "<u2").tobytes()
    row = width * channels * depth
    held = Segment(
        "image", len(one), width=depth, channels=channels, stride=channels * depth, row=row,
        frame=len(one) if frames else 0, confidence=95,
    )  # fmt: skip
    told = content(*[held] * count)
    block, params = one * count, ENGINE.fit({"preset": 1}, len(one) * count)
    found = pictures.of_content(told)
    assert len(found) == count
    assert sum(picture.follows > 0 for picture in found) == (count - 1 if frames else 0)
    ENGINE.prepare()
    tracemalloc.start()
    try:
        payload = ENGINE.encode(block, params, told)
        encoding = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert ENGINE.decode(payload, len(block), params) == block
        decoding = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert encoding <= ENGINE.encode_memory(params, len(block))
    assert decoding <= ENGINE.memory(params, len(block))


@pytest.mark.parametrize(
    "how",
    [
        b"\3" + b"\0\xff\1\0" * 3,
        b"\x21" + b"\0\xff\1\0" * 3,
        b"\4" + b"\0\xff\1\0" * 3,
        b"\0" + b"\0\xff\xff\xff\xff\1\0" * 3,
        b"\0" + b"\0\xff\1\x09" * 3,
        b"\1" + b"\0\xff\1\x80" * 3,
        b"\0\0\xff\1",
    ],
)
def test_a_how_that_lies_is_refused(how: bytes) -> None:
    with pytest.raises(CorruptError):
        plans.unpack(Reader(how), PICTURE)


def test_empty_bitmaps_are_refused() -> None:
    with pytest.raises(CorruptError):
        plans.numbers(np.zeros(4, np.uint8), plans.Bounds(0, 31, 0, True))


@pytest.mark.parametrize("name", list(MADE))
def test_maps_and_hows_are_read_as_written(name: str) -> None:
    block, held = MADE[name]()
    found = pictures.of_content(held)
    assert pictures.unpack(Reader(pictures.pack(found)), len(block)) == found
    for seed, picture in enumerate(found):
        bounds = tuple(plans.Bounds(-seed, 300 + seed, seed % 8, False) for _ in range(picture.channels))
        how = plans.How(signed=bool(seed & 1), bounds=bounds)
        assert plans.unpack(Reader(plans.pack(how)), picture) == how


def test_what_is_accepted() -> None:
    one = segment(slope(9, 9).astype(np.uint8))
    assert ENGINE.accepts(content(one))
    assert not ENGINE.accepts(content(one, replace(one, kind="text")))
    assert not ENGINE.accepts(content(replace(one, indexed=True)))
    assert not ENGINE.accepts(content(replace(one, real=True)))
    assert not ENGINE.accepts(content(replace(one, row=0)))
