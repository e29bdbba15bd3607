"""Finder of PNG and APNG files, of the rows in them, and of the pixels in the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.pixels import pixels
from nzip.formats.content.containers.streams import Budget
from nzip.formats.openers import png as opener

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the kind of colour
# Where the pixels of the seven pictures of an interlaced one lie: the first column and row, and the steps to the next.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
LARGEST = 1 << 24  # columns or rows


def png(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the PNG file that begins at `at`."""
    stop, seen = at + len(opener.SIGNATURE), False
    while True:
        budget.walked -= 64
        length, name = int.from_bytes(data[stop : stop + 4], "big"), data[stop + 4 : stop + 8]
        if length > opener.LARGEST_CHUNK or budget.walked < 0 or not (len(name) == 4 and name.isalpha()):
            return []
        stop += 12 + length
        if stop > len(data):
            return []
        seen = seen or name == opener.IMAGE
        if name == opener.END:
            return [Found(at, stop, "png", inside=inside)] if seen else []


def inside(inner: bytes) -> Iterable[Found]:
    """Find the rows in what the opener of PNG gives, and what else there is in its chunks."""
    from nzip.formats.content.containers.search import find

    shapes, start = list[tuple[bytes, int, int]](), 0
    header = control = b""
    try:
        for name, chunk in opener.chunks(inner, 0, 0):
            start += 8 + len(chunk)
            if name == b"IHDR" and len(chunk) == 13:
                header = chunk
            elif name == opener.CONTROL:
                control = chunk
            elif name in (opener.IMAGE, opener.FRAME):
                size = header if name == opener.IMAGE else control[4:]
                shapes.append((header, int.from_bytes(size[:4], "big"), int.from_bytes(size[4:8], "big")))
    except ValueError:
        return
    yield from find(inner[:start])
    for shape in shapes:
        for each in _rows(*shape, start):
            start = each.stop
            if start > len(inner):
                return
            yield each


def _rows(header: bytes, columns: int, rows: int, start: int) -> Iterator[Found]:
    """Yield the rows of one stream that begins at `start`: of one picture, or seven."""
    if len(header) != 13 or not (0 < columns < LARGEST and 0 < rows < LARGEST) or header[9] not in CHANNELS:
        return
    depth, colour, interlaced = header[8], header[9], header[12] == 1
    bits = CHANNELS[colour] * depth
    for x, y, right, down in PASSES if interlaced else ((0, 0, 1, 1),):
        wide, high = -(-(columns - x) // right), -(-(rows - y) // down)
        if wide > 0 and high > 0:
            row = (wide * bits + 7) // 8
            stop = start + (row + 1) * high
            leaf = pixels(row, depth, CHANNELS[colour], indexed=colour == 3, big=True)
            yield Found(start, stop, "rows", {"row": row, "step": max(1, bits // 8)}, inside=leaf)
            start = stop
