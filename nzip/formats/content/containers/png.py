"""Finder of PNG and APNG files, of the rows in them, and of the pixels in the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.pixels import pixels
from nzip.formats.content.containers.streams import Budget, Search
from nzip.formats.openers import png as opener

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the kind of colour
# Where the pixels of the seven pictures of an interlaced one lie: the first column and row, and the steps to the next.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
LARGEST = 1 << 24  # columns or rows


def png(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the PNG file that begins at `at`."""
    seen = False
    for name, stop in _chunks(data, at, budget):
        if stop > len(data):
            break
        seen = seen or name == opener.IMAGE
        if name == opener.END:
            return [Found(at, stop, "png", inside=partial(_inside, budget.again))] if seen else []
    return []


def end_of(data: bytes, at: int, budget: Budget) -> int:
    """Return where the PNG file at `at` ends, at the end of its last chunk; more than there is of `data` if it is torn;
    `at` if it is none, or takes too long to tell."""
    stop = at + len(opener.SIGNATURE)
    for name, stop in _chunks(data, at, budget):
        if name == opener.END:
            return stop
    return len(data) + 1 if stop + 8 > len(data) else at


def _chunks(data: bytes, at: int, budget: Budget) -> Iterator[tuple[bytes, int]]:
    """Yield the names of the chunks of the PNG file at `at`, and where each ends, maybe behind `data`: as many as there
    are, and as can be paid for."""
    stop = at + len(opener.SIGNATURE)
    while stop + 8 <= len(data):
        length, name = int.from_bytes(data[stop : stop + 4], "big"), data[stop + 4 : stop + 8]
        if not budget.walk() or length > opener.LARGEST_CHUNK or not name.isalpha():
            return
        stop += 12 + length
        yield name, stop


def _inside(again: Search, inner: bytes) -> Iterable[Found]:
    """Find the rows in what the opener of PNG gives, and what else there is in its chunks."""
    shapes, start = list[Frame](), 0
    header = control = b""
    try:
        for name, chunk in opener.chunks(inner, 0, 0):
            start += 8 + len(chunk)
            if name == b"IHDR":
                header = chunk
            elif name == opener.CONTROL:
                control = chunk
            elif name in (opener.IMAGE, opener.FRAME):
                shapes.append(Frame.of(header if name == opener.IMAGE else control[4:], name == opener.FRAME))
    except ValueError:
        return
    yield from again(inner[:start], (), 0)
    before = Frame(0, 0, 0, 0)
    for shape in shapes:
        for each in _rows(header, shape, before, start):
            start = each.stop
            if start > len(inner):
                return
            yield each
        before = shape


class Frame(NamedTuple):
    """The size of a picture, and its place in the animation that it belongs to."""

    columns: int
    rows: int
    left: int
    top: int

    @classmethod
    def of(cls, fields: bytes, placed: bool) -> Frame:
        """Return the frame whose fields begin a chunk."""
        columns, rows, left, top = (int.from_bytes(fields[k : k + 4], "big") for k in (0, 4, 8, 12))
        return cls(columns, rows, left, top) if placed else cls(columns, rows, 0, 0)


def _rows(header: bytes, shape: Frame, before: Frame, start: int) -> Iterator[Found]:
    """Yield the rows of one stream that begins at `start`: of one picture, or seven.

    A pixel's place in the picture before is stated where both have the same columns: it counts back over the border
    between them, which is gone where pictures are put together.
    """
    columns, rows = shape.columns, shape.rows
    if len(header) != 13 or not (0 < columns < LARGEST and 0 < rows < LARGEST) or header[9] not in CHANNELS:
        return
    depth, colour, interlaced = header[8], header[9], header[12] == 1
    bits = CHANNELS[colour] * depth
    for x, y, right, down in PASSES if interlaced else ((0, 0, 1, 1),):
        wide, high = -(-(columns - x) // right), -(-(rows - y) // down)
        if wide <= 0 or high <= 0:
            continue
        row = (wide * bits + 7) // 8
        stop = start + (row + 1) * high
        back = row * (before.rows + before.top - shape.top)
        alike = (before.columns, before.left) == (columns, shape.left) and not interlaced and back > 0
        leaf = pixels(row, depth, CHANNELS[colour], indexed=colour == 3, big=True, frame=back if alike else 0)
        yield Found(start, stop, "rows", {"row": row, "step": max(1, bits // 8)}, inside=leaf)
        start = stop
