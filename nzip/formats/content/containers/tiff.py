"""The pictures of a TIFF file (Adobe, "TIFF", revision 6.0), with LZW, deflate, PackBits, CCITT or no compression.

Strips or tiles that follow each other in the file are opened together, so that what is inside is one picture. Pictures
whose strips stand apart or in another order, and those with a fill order turned round, are left.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import STEP, Budget
from nzip.formats.content.kinds import BITMAP, Segment

MAGIC = (b"II*\0", b"MM\0*")
MOST_PICTURES = 256
MOST_FIELDS = 512
MOST_PIECES = 1 << 16
APART = 16  # bytes between two strips, at most
HEADED = 95  # confidence
TYPES = {1: "B", 3: "H", 4: "I"}  # of a field: byte, short, long
WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, FILL, PLANES, PREDICTOR = 256, 257, 258, 259, 262, 266, 284, 317
OFFSETS, SAMPLES, ROWS, COUNTS, FAX = 273, 277, 278, 279, 293
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, FORMAT = 322, 323, 324, 325, 339
PLAIN, LZW, PACKED, GROUP4 = 1, 5, 32773, 4
DEFLATED = 8, 32946
WANTED = {
    WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, FILL, PLANES, PREDICTOR, OFFSETS, SAMPLES, ROWS, COUNTS, TILE_WIDTH,
    TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, FORMAT, FAX,
}  # fmt: skip


class Picture(NamedTuple):
    """How the pixels of strips or tiles lie, when they are decoded.

    Attributes:
        row: bytes of a row.
        width: bytes of a sample; 0 for a bitmap.
        channels: samples of a pixel.
        plane: bytes of a plane where there are several, one after another; else 0.
        planes: how many there are.
        big: whether samples begin with their highest byte.
        indexed, real: as in `Segment`.
        differences: whether the samples are written as differences.
    """

    row: int
    width: int
    channels: int
    plane: int
    planes: int
    big: bool
    indexed: bool
    real: bool
    differences: bool


def find(data: bytes, start: int, budget: Budget) -> list[Found]:
    """Return the pictures of the TIFF file that begins at `start` of `data`, in the order in which they lie there."""
    magic = data[start : start + 4]
    if magic not in MAGIC:
        return []
    order: Literal["little", "big"] = "little" if magic == MAGIC[0] else "big"
    found: list[Found] = []
    seen: set[int] = set()
    at = int.from_bytes(data[start + 4 : start + 8], order)
    while at and at not in seen and len(seen) < MOST_PICTURES and budget.walk():
        seen.add(at)
        fields, at = _fields(data, start, start + at, order, budget)
        picture = _picture(fields, start, order == "big")
        if picture is not None:
            found.append(picture)
    found.sort(key=lambda one: one.start)
    apart: list[Found] = []
    for one in found:
        if one.stop <= len(data) and (not apart or one.start >= apart[-1].stop):
            apart.append(one)
    return apart


def _fields(
    data: bytes, start: int, at: int, order: Literal["little", "big"], budget: Budget
) -> tuple[dict[int, tuple[int, ...]], int]:  # fmt: skip
    """Return the fields of the directory at `at`, and where the next one is, from `start` on; 0 if there is none.

    Of a tag that is there again, the first counts.
    """

    def number(place: int, size: int) -> int:
        return int.from_bytes(data[place : place + size], order)

    count = number(at, 2)
    fields: dict[int, tuple[int, ...]] = {}
    if not 0 < count <= MOST_FIELDS or at + 2 + 12 * count > len(data):
        return fields, 0
    for k in budget.steps(count):
        place = at + 2 + 12 * k
        tag, kind, many = number(place, 2), TYPES.get(number(place + 2, 2), ""), number(place + 4, 4)
        if tag not in WANTED or tag in fields or not kind or not 0 < many <= MOST_PIECES:
            continue
        form = struct.Struct(f"{'<' if order == 'little' else '>'}{many}{kind}")
        values = place + 8 if form.size <= 4 else start + number(place + 8, 4)
        if values + form.size <= len(data) and budget.walk(many * STEP // 2):
            fields[tag] = form.unpack_from(data, values)
    return fields, number(at + 2 + 12 * count, 4)


def _picture(fields: dict[int, tuple[int, ...]], start: int, big: bool) -> Found | None:
    def one(tag: int, otherwise: int) -> int:
        return fields.get(tag, (otherwise,))[0]

    compression, samples, bits = one(COMPRESSION, PLAIN), one(SAMPLES, 1), fields.get(BITS, (1,))
    columns, rows, apart = one(WIDTH, 0), one(HEIGHT, 0), one(PLANES, 1) == 2 and samples > 1
    if min(bits) != max(bits) or not (0 < columns < 1 << 24 and 0 < rows < 1 << 24):
        return None
    tiled = TILE_OFFSETS in fields
    offsets, counts = (fields.get(tag, ()) for tag in ((TILE_OFFSETS, TILE_COUNTS) if tiled else (OFFSETS, COUNTS)))
    if not offsets or len(offsets) != len(counts):
        return None
    if tiled:
        columns, high = one(TILE_WIDTH, 0), one(TILE_HEIGHT, 0)
        heights = [high] * len(offsets)
    else:
        high = min(one(ROWS, rows), rows) or rows
        heights = _heights(rows, high, len(offsets), samples if apart else 1)
    ends = [offset + count for offset, count in zip(offsets, counts, strict=True)]
    if not heights or not columns or not high or min(counts) == 0:
        return None
    if any(not 0 <= b - a <= APART for a, b in zip(ends, offsets[1:], strict=False)):
        return None
    channels = 1 if apart else samples
    row = (columns * bits[0] * channels + 7) // 8
    picture = Picture(
        row,
        bits[0] // 8 if bits[0] in (8, 16, 32, 64) else 0,
        channels,
        row * rows if apart and not tiled else 0,
        samples if apart and not tiled else 1,
        big and bits[0] > 8,
        one(COLOURS, 0) == 3,
        one(FORMAT, 1) == 3,
        one(PREDICTOR, 1) == 2 and compression in (LZW, *DEFLATED),
    )
    if (not picture.width and bits[0] != 1) or (one(FILL, 1) != 1 and compression != GROUP4):
        return None
    first, last = offsets[0], ends[-1]
    if compression == PLAIN:
        return Found(start + first, start + last, segment=_segment(picture, last - first)) if last > first else None
    starts = tuple(offset - first for offset in offsets)
    if compression in DEFLATED:
        return _deflated(starts, tuple(end - first for end in ends), start + first, _pixels(picture))
    hints: dict[str, Any] = {
        "cuts": starts[1:],
        "sizes": tuple(high * row for high in heights),
        "row": row,
    }
    if compression == GROUP4 and bits[0] == 1:
        hints |= {"width": columns, "rows": tuple(heights), "turned": one(FILL, 1) == 2}
    opener = {LZW: "lzw", PACKED: "packbits", GROUP4: "fax" if bits[0] == 1 else ""}.get(compression, "")
    return Found(start + first, start + last, opener, hints, inside=_pixels(picture)) if opener else None


def _deflated(
    starts: tuple[int, ...], ends: tuple[int, ...], at: int, inside: Callable[[bytes], Iterable[Found]]
) -> Found:
    """Return zlib streams that follow each other from `at` on: one stretch, or each alone where one is not opened."""
    each = [Found(start, end, "zlib", inside=inside) for start, end in zip(starts, ends, strict=True)]
    hints = {"cuts": starts[1:], "ends": ends} if len(ends) > 1 else {}
    otherwise = None if len(ends) == 1 else lambda coded: each
    return Found(at, at + ends[-1], "zlib", hints, inside=inside, otherwise=otherwise)


def _heights(rows: int, high: int, strips: int, planes: int) -> list[int]:
    """Return the rows of each strip; none if there are not as many strips as there should be."""
    one = [high] * (rows // high) + ([rows % high] if rows % high else [])
    return one * planes if len(one) * planes == strips else []


def _segment(picture: Picture, size: int) -> Segment:
    if not picture.width:
        return Segment("bitmap", size, BITMAP, width=1, channels=1, row=picture.row, confidence=HEADED)
    return Segment(
        "image", size, width=picture.width, channels=picture.channels, stride=picture.width * picture.channels,
        row=picture.row, frame=picture.plane, big=picture.big, indexed=picture.indexed, real=picture.real,
        confidence=HEADED,
    )  # fmt: skip


def _pixels(picture: Picture) -> Callable[[bytes], Iterable[Found]]:
    """Return what finds the picture in its samples as they are coded: differences perhaps, planes perhaps."""

    def leaf(pixels: bytes) -> Iterable[Found]:
        return [Found(0, len(pixels), segment=_segment(picture, len(pixels)))]

    def planes(pixels: bytes) -> Iterable[Found]:
        if picture.width != 1 or picture.planes < 2 or len(pixels) != picture.plane * picture.planes:
            return leaf(pixels)
        whole = picture._replace(
            row=picture.row * picture.planes, channels=picture.planes, plane=0, planes=1,
            differences=False,
        )  # fmt: skip
        return [Found(0, len(pixels), "shuffle", {"width": picture.planes}, inside=_pixels(whole))]

    def differences(pixels: bytes) -> Iterable[Found]:
        hints = {"row": picture.row, "width": picture.width, "channels": picture.channels, "big": picture.big}
        return [Found(0, len(pixels), "differences", hints, inside=planes)]

    return differences if picture.differences and picture.width else planes
