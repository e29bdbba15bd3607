"""Finder of the pictures in TIFF files: raw, deflated or packed by LZW, in strips or tiles (TIFF 6.0, and Adobe's note
on deflate)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.pixels import picture, pixels
from nzip.formats.content.containers.streams import Budget

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4, 16: 8}  # bytes of a value, by its type
MOST_ENTRIES = 4096
MOST_STRIPS = 1 << 16
MOST_PICTURES = 64
LARGEST = 1 << 24  # columns or rows
RAW, LZW, DEFLATE, OLD_DEFLATE = 1, 5, 8, 32946
WIDTH, HEIGHT, BITS, COMPRESSION, COLOUR, OFFSETS, CHANNELS, ROWS, COUNTS, PLANAR = (
    256, 257, 258, 259, 262, 273, 277, 278, 279, 284,
)  # fmt: skip
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, FORMAT = 317, 322, 323, 324, 325, 339
PALETTE, REAL = 3, 3


def tiff(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the pictures of the TIFF file that begins at `at`."""
    order: Literal["little", "big"] = "little" if data[at : at + 1] == b"I" else "big"
    found, seen = list[Found](), set[int]()
    place = int.from_bytes(data[at + 4 : at + 8], order)
    while place >= 8 and place not in seen and len(seen) < MOST_PICTURES and budget.walked > 0:
        seen.add(place)
        fields, place = _fields(data, at, place, order, budget)
        found += _strips(data, at, fields, order == "big")
    found.sort()
    apart, stop = list[Found](), 0
    for each in found:
        if each.start >= stop:
            apart.append(each)
            stop = each.stop
    return apart


def _fields(
    data: bytes, base: int, place: int, order: Literal["little", "big"], budget: Budget
) -> tuple[dict[int, list[int]], int]:
    """Return the fields of the directory at `place` of the file that begins at `base`, and where the next one is."""
    at = base + place
    count = int.from_bytes(data[at : at + 2], order)
    stop = at + 2 + 12 * count
    if not 1 <= count <= MOST_ENTRIES or stop > len(data):
        return {}, 0
    fields: dict[int, list[int]] = {}
    for entry in range(at + 2, stop, 12):
        tag, kind = (int.from_bytes(data[entry + k : entry + k + 2], order) for k in (0, 2))
        values, size = int.from_bytes(data[entry + 4 : entry + 8], order), SIZES.get(kind, 0)
        budget.walked -= 32
        if tag < WIDTH or tag > FORMAT or not size or values > MOST_STRIPS:
            continue
        where = entry + 8
        if values * size > 4:
            where = base + int.from_bytes(data[where : where + 4], order)
        if where + values * size <= len(data) and budget.walked > 0:
            budget.walked -= 32 * values
            fields[tag] = [int.from_bytes(data[k : k + size], order) for k in range(where, where + values * size, size)]
    return fields, int.from_bytes(data[stop : stop + 4], order)


def _strips(data: bytes, base: int, fields: dict[int, list[int]], big: bool) -> list[Found]:
    """Return the strips or tiles of one picture; raw ones that follow each other are one stretch."""

    def value(tag: int, other: int) -> int:
        return fields[tag][0] if fields.get(tag) else other

    tiled = TILE_OFFSETS in fields
    columns = value(TILE_WIDTH if tiled else WIDTH, 0)
    offsets, counts = fields.get(TILE_OFFSETS if tiled else OFFSETS, []), fields.get(TILE_COUNTS if tiled else COUNTS, [])
    bits, compression, predictor = value(BITS, 1), value(COMPRESSION, RAW), value(PREDICTOR, 1)
    channels = 1 if value(PLANAR, 1) == 2 else value(CHANNELS, 1)
    if not 0 < columns < LARGEST or not 0 < channels < 64 or len(offsets) != len(counts) or predictor > 2:
        return []
    row = (columns * bits * channels + 7) // 8
    indexed, real = value(COLOUR, 0) == PALETTE, value(FORMAT, 1) == REAL
    found = list[Found]()
    if compression == RAW:
        stretches = list[list[int]]()
        for start, count in zip(offsets, counts, strict=True):
            if stretches and start == stretches[-1][1] and not tiled:
                stretches[-1][1] += count
            else:
                stretches.append([start, start + count])
        for start, stop in stretches:
            segment = picture(stop - start, row, bits, channels, indexed=indexed, big=big, real=real)
            if segment is not None and 8 <= start and base + stop <= len(data):
                found.append(Found(base + start, base + stop, segment=segment))
        return found
    inside: Callable[[bytes], Iterable[Found]] = pixels(row, bits, channels, indexed=indexed, big=big, real=real)
    if predictor == 2 and bits in (8, 16):
        hints = {"row": row, "step": channels * bits // 8, "width": bits // 8, "big": big}
        inside = _differences(hints, inside)
    elif predictor != 1:
        return []
    for start, count in zip(offsets, counts, strict=True):
        start, stop = base + start, base + start + count
        if not base + 8 <= start < stop <= len(data):
            continue
        if compression == LZW:
            found.append(Found(start, stop, "lzw", {"high": True, "minimum": 8}, inside=inside))
        elif compression in (DEFLATE, OLD_DEFLATE):
            found.append(Found(start, stop, "zlib", inside=inside))
    return found


def _differences(
    hints: dict[str, int], inside: Callable[[bytes], Iterable[Found]]
) -> Callable[[bytes], Iterable[Found]]:
    return lambda inner: [Found(0, len(inner), "rows", hints, inside=inside)] if inner else []
