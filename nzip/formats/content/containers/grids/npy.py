"""The fields, or signals, of NumPy's files of one array (NEP 1, "A simple file format for NumPy arrays")."""

from __future__ import annotations

import re

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.grids.fields import Array, in_order, signal, without_ones
from nzip.formats.content.containers.streams import Budget

MAGIC = b"\x93NUMPY"
HEADER = 1 << 16  # bytes
TYPE = re.compile(rb"'descr': *'([<>|])([iuf])([1248])'")
SHAPE = re.compile(rb"'shape': *\(([\d, ]{0,200})\)")
FORTRAN = re.compile(rb"'fortran_order': *True")
MOST_AXES = 32


def arrays(data: bytes, at: int, budget: Budget) -> list[Array]:
    """Return the array of the file that begins at `at`, if it is one of fields."""
    return in_order(_arrays(data, at, budget))


def signals(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Return the floating point numbers of the file that begins at `at`, if its array is none of fields."""
    return [each for array in _arrays(data, at, budget) for each in signal(data, array)]


def _arrays(data: bytes, at: int, budget: Budget) -> list[Array]:
    sized = 2 if data[at + 6 : at + 7] == b"\1" else 4
    start = at + 8 + sized
    length = int.from_bytes(data[at + 8 : start], "little")
    if not data.startswith(MAGIC, at) or length > HEADER or not budget.walk(length):
        return []
    text = data[start : start + length]
    kind, shape = TYPE.search(text), SHAPE.search(text)
    if kind is None or shape is None:
        return []
    axes = tuple(int(number[:15]) for number in re.findall(rb"\d+", shape[1]))
    if len(axes) > MOST_AXES:
        return []
    if FORTRAN.search(text):
        axes = axes[::-1]
    axes = without_ones(axes)
    return [Array(start + length, int(kind[3]), axes, kind[1] == b">", kind[2] == b"f")] if axes else []
