"""Finder of the values in NumPy's files of one array (NEP 1)."""

from __future__ import annotations

import re
from math import prod

from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors.tensor import F16, F32, F64, Tensor

MAGIC = b"\x93NUMPY"
HEADER = 1 << 16
TYPE = re.compile(rb"'descr': *'([<>])([fc])(\d{1,2})'")
SHAPE = re.compile(rb"'shape': *\(([\d, ]{0,200})\)")
FORTRAN = re.compile(rb"'fortran_order': *True")
FORMS = {(b"f", 2): F16, (b"f", 4): F32, (b"f", 8): F64, (b"c", 8): F32, (b"c", 16): F64}


def begins(data: bytes, at: int) -> bool:
    """Return whether a file may begin at `at`."""
    return data.startswith(MAGIC, at)


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the values of the file that begins at `at`; nothing if they are no floats."""
    sized = 2 if data[at + 6 : at + 7] == b"\1" else 4
    start = at + 8 + sized
    length = int.from_bytes(data[at + 8 : start], "little")
    if length > HEADER or not budget.walk(length):
        return []
    text = data[start : start + length]
    kind, shape = TYPE.search(text), SHAPE.search(text)
    form = FORMS.get((kind[2], int(kind[3]))) if kind else None
    if kind is None or form is None or shape is None:
        return []
    sizes = [int(number[:15]) for number in re.findall(rb"\d+", shape[1])]
    if len(sizes) > 32:
        return []
    row = prod(sizes[:-1] if FORTRAN.search(text) else sizes[1:]) if len(sizes) > 1 else 0
    first, parts = start + length, int(kind[3]) // form[0]
    stop = first + min(prod(sizes) * int(kind[3]), 1 << 50)
    return [Tensor(first, stop, *form, min(row, 1 << 40) * parts, kind[1] == b">")]
