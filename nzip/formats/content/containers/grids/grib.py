"""Fields of GRIB messages, editions 1 and 2 (WMO, Manual on Codes, FM 92), whose integers are packed in bits."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.grids.fields import Array, fields
from nzip.formats.content.containers.streams import Budget

MAGIC, END = b"GRIB", b"7777"
MOST_SECTIONS = 1 << 12
GRID, PACKING, DATA = 3, 5, 7  # sections of edition 2
HAS_GRID, HAS_MAP = 0x80, 0x40  # flags of edition 1: which sections there are
SIMPLE = 0  # template of packing
SHAPED = frozenset((0, 1, 2, 3, 10, 20, 30, 40, 41, 42, 43, 90))  # templates of grids whose columns and rows come first
MOST_BITS = 16


class Shape(NamedTuple):
    """Rows and columns of a field; 0 where they are not known."""

    rows: int = 0
    columns: int = 0


def find(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Return the fields of the message that begins at `at` of `data`."""
    edition = data[at + 7] if at + 16 <= len(data) else 0
    if edition == 2:
        return _second(data, at, budget)
    return _first(data, at, budget) if edition == 1 else []


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _second(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Read the sections of a message of edition 2."""
    stop = at + _number(data, at + 8, 8)
    if stop > len(data) or data[stop - 4 : stop] != END:
        return []
    found, shape, bits, count, place = list[Found](), Shape(), 0, 0, at + 16
    for _ in budget.steps(MOST_SECTIONS):
        size, section = _number(data, place, 4), _number(data, place + 4, 1)
        if size < 5 or place + size > stop - 4:
            break
        if section == GRID:
            known = _number(data, place + 12, 2) in SHAPED and size >= 38
            shape = Shape(_number(data, place + 34, 4), _number(data, place + 30, 4)) if known else Shape()
        elif section == PACKING:
            simple = _number(data, place + 9, 2) == SIMPLE and size >= 20
            bits, count = (data[place + 19], _number(data, place + 5, 4)) if simple else (0, 0)
        elif section == DATA:
            found += _field(data, place + 5, place + size, bits, count, shape)
        place += size
    return found


def _first(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Read the sections of a message of edition 1."""
    stop = at + _number(data, at + 4, 3)
    place = at + 8
    if stop > len(data) or data[stop - 4 : stop] != END or not budget.walk(4):
        return []
    size, flags = _number(data, place, 3), _number(data, place + 7, 1)
    place += size
    shape = Shape()
    if flags & HAS_GRID:
        shape, place = Shape(_number(data, place + 8, 2), _number(data, place + 6, 2)), place + _number(data, place, 3)
    if flags & HAS_MAP:
        return []  # fewer numbers than places
    size, how = _number(data, place, 3), _number(data, place + 3, 1)
    if size < 12 or place + size > stop or how & 0xF0:
        return []  # coefficients, or packed in another way
    bits = data[place + 10]
    count = (8 * (size - 11) - (how & 15)) // bits if bits else 0
    return _field(data, place + 11, place + size, bits, count, shape)


def _field(data: bytes, start: int, stop: int, bits: int, count: int, shape: Shape) -> list[Found]:
    """Return a field of `count` integers that are packed behind each other."""
    if not 1 <= bits <= MOST_BITS or shape.rows * shape.columns != count or (count * bits + 7) // 8 > stop - start:
        return []
    if bits in (8, 16):
        return fields(data, Array(start, bits // 8, tuple(shape), big=True))
    inside = partial(_unpacked, shape, 1 + (bits > 8))
    return [Found(start, stop, "packed", {"bits": bits, "count": count}, inside=inside)]


def _unpacked(shape: Shape, width: int, inner: bytes) -> list[Found]:
    return fields(inner, Array(0, width, tuple(shape)))
