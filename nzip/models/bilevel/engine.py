"""Engine `bilevel`: pictures of black and white, one bit a pixel.

Each pixel is coded by an adaptive binary coder from pixels around it that are known: ten contexts, from a few near
ones (as in JBIG, ITU-T Recommendation T.82) to some sixty, which see a letter again, mixed as in the PAQ family. The
pictures of a block share what was learned. Bytes around them are coded as if they were pictures eight pixels wide.

docs/reference/BILEVEL.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content, Segment
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.bilevel import layout
from nzip.models.cm import tables
from nzip.params import Parameters, Params

FIXED = 48 << 20  # memory: tables

code = Native("nzip.models.bilevel.kernel", "code")


class Picture(NamedTuple):
    """A stretch of a block.

    Attributes:
        length: its bytes.
        offset: those before the first row.
        row: bytes of a row.
    """

    length: int
    offset: int
    row: int

    @property
    def size(self) -> int:
        """Bytes of the whole rows."""
        return (self.length - self.offset) // self.row * self.row


class BilevelEngine(Engine):
    """Codes a block whose segments are bitmaps."""

    name = "bilevel"
    id = 13
    version = 1
    parameters = Parameters("engine bilevel")
    imports = ("numpy",)

    def memory(self, params: Params, size: int) -> int:
        return FIXED + 3 * size

    def accepts(self, content: Content) -> bool:
        return len(content.segments) <= layout.MOST and all(map(is_bitmap, content.segments))

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        segments = content.segments if content is not None and content.size == len(block) else ()
        found = [Picture(len(block), len(block), 1)]
        if segments and self.accepts(Content(segments)):
            found = [Picture(segment.length, segment.offset, segment.row) for segment in segments]
        head = uleb(len(found)) + b"".join(uleb(number) for picture in found for number in picture)
        plain, pixels = _parted(block, found)
        coded = np.zeros(max(1, len(block) - len(head)), np.uint8)
        coder = bounds.begin()
        _run(False, [(1, plain), *pixels], coded, coder)
        end = bounds.finish(coder, coded)
        return bytes(len(block) + 1) if end > len(coded) else head + coded[:end].tobytes()

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        reader = Reader(payload)
        count = reader.uleb()
        if not 0 < count <= layout.MOST:
            raise CorruptError("a bilevel payload has no pictures, or too many")
        found = [Picture(reader.uleb(), reader.uleb(), reader.uleb()) for _ in range(count)]
        if sum(one.length for one in found) != size or any(
            not 0 < one.row <= layout.WIDEST or one.offset > one.length for one in found
        ):
            raise CorruptError("the pictures of a bilevel payload do not fill its block")
        coded = np.frombuffer(payload, np.uint8)[reader.pos :].copy()
        coder = bounds.begin(coded)
        plain = np.zeros(size - sum(one.size for one in found), np.uint8)
        pixels = [(one.row, np.zeros(one.size, np.uint8)) for one in found]
        _run(True, [(1, plain), *pixels], coded, coder)
        bounds.check_end(coder, len(coded))
        block, at = bytearray(), 0
        for one, (_, rows) in zip(found, pixels, strict=True):
            tail = one.length - one.size - one.offset
            block += plain[at : at + one.offset].tobytes() + rows.tobytes()
            block += plain[at + one.offset : at + one.offset + tail].tobytes()
            at += one.offset + tail
        return bytes(block)

    def prepare(self) -> None:
        content = Content((Segment("bitmap", 64, row=4, confidence=100),))
        self.decode(self.encode(bytes(64), {}, content), 64, {})


def is_bitmap(segment: Segment) -> bool:
    """Whether a header says that a segment has rows of bits."""
    return (
        segment.kind == "bitmap" and segment.sure and 0 < segment.row <= layout.WIDEST
        and segment.offset + segment.row <= segment.length
    )  # fmt: skip


def _parted(block: bytes, found: list[Picture]) -> tuple[Any, list[tuple[int, Any]]]:
    """Return the bytes around rows, and the rows of each picture, with how long they are."""
    import numpy as np

    plain, pixels, start = list[bytes](), list[tuple[int, Any]](), 0
    for one in found:
        first, end = start + one.offset, start + one.offset + one.size
        pixels.append((one.row, np.frombuffer(block[first:end], np.uint8).copy()))
        start += one.length
        plain += [block[first - one.offset : first], block[end:start]]
    return np.frombuffer(b"".join(plain), np.uint8).copy(), pixels


def _run(decode: bool, pictures: list[tuple[int, Any]], coded: Any, coder: Any) -> None:
    """Code pictures, rows of so many bytes, one after another."""
    import numpy as np

    mixer = np.zeros((layout.NEAR_ROWS + layout.AROUND_ROWS, layout.LANES), np.int32)
    mixer[:, : len(layout.CONTEXTS)] = layout.FIRST
    learned = {
        "cells": np.zeros(sum(1 << bits for bits in layout.CONTEXTS), np.uint32),
        "mixer": mixer.reshape(-1),
        "final": np.zeros(16 * layout.FINAL_ROWS, np.uint32),
    }
    reached = np.zeros(1, np.int64)
    with progress.watching(reached, 0, sum(len(rows) for _, rows in pictures)):
        for row, rows in pictures:
            lines = np.zeros((layout.ABOVE + 1) * (8 * row + 2 * layout.MARGIN), np.uint8)
            code(decode, rows, row, coded, coder, lines, *learned.values(), *tables.arrays().values(), reached)
