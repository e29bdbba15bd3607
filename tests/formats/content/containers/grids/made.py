"""Files of grids, written here: netCDF of the classic formats, GRIB of both editions."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

KINDS = {"i1": 1, "i2": 3, "i4": 4, "f4": 5, "f8": 6, "u1": 7, "u2": 8}
TAGS = {"dimensions": 10, "variables": 11, "attributes": 12}


class Variable(NamedTuple):
    """An array (records, ...) or (...), as it is written; `recorded` if its first dimension is that of records."""

    values: np.ndarray
    recorded: bool = False


def field(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Return whole numbers that are smooth over rows and columns."""
    y, x = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(seed).normal(size=(rows, columns))
    return np.rint(500 * np.sin(x / 9 + seed) * np.cos(y / 7) + noise).astype(np.int64)


def netcdf(variables: Sequence[Variable], version: int = 1, records: int | None = None) -> bytes:
    """Return a file of the classic formats; `records` is what the header says of them."""
    wide, place = (">Q" if version == 5 else ">I"), (">I" if version == 1 else ">Q")

    def number(value: int) -> bytes:
        return struct.pack(wide, value)

    def name(text: bytes) -> bytes:
        return number(len(text)) + text + bytes(-len(text) % 4)

    def listed(tag: str, items: list[bytes]) -> bytes:
        return struct.pack(">I", TAGS[tag] if items else 0) + number(len(items)) + b"".join(items)

    count = next((len(each.values) for each in variables if each.recorded), 0)
    lengths: list[int] = [0]
    dimensions: list[list[int]] = []
    for each in variables:
        own = list(each.values.shape[each.recorded :])
        dimensions.append(([0] if each.recorded else []) + list(range(len(lengths), len(lengths) + len(own))))
        lengths += own
    text = listed("dimensions", [name(b"d%d" % k) + number(length) for k, length in enumerate(lengths)])
    attribute = name(b"units") + struct.pack(">I", 2) + number(3) + b"m/s\0"
    text += listed("attributes", [attribute])

    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    alone = sum(each.recorded for each in variables) == 1
    big = [each.values.astype(each.values.dtype.newbyteorder(">")) for each in variables]
    fixed = [b"" if each.recorded else padded(values.tobytes()) for each, values in zip(variables, big, strict=True)]
    parts = [
        [record.tobytes() if alone else padded(record.tobytes()) for record in values] if each.recorded else []
        for each, values in zip(variables, big, strict=True)
    ]

    def header(begins: list[int]) -> bytes:
        entries = []
        for k, (each, ids) in enumerate(zip(variables, dimensions, strict=True)):
            entry = name(b"v%d" % k) + number(len(ids)) + b"".join(map(number, ids)) + listed("attributes", [attribute])
            size = len(fixed[k]) if not each.recorded else len(parts[k][0])
            entry += struct.pack(">I", KINDS[each.values.dtype.str[1:]]) + number(size) + struct.pack(place, begins[k])
            entries.append(entry)
        stated = number(count if records is None else records)
        return b"CDF" + bytes((version,)) + stated + text + listed("variables", entries)

    at = len(header([0] * len(variables)))
    begins = []
    for data in fixed:
        begins.append(at)
        at += len(data)
    for k, pieces in enumerate(parts):
        if pieces:
            begins[k] = at
            at += len(pieces[0])
    rows = [b"".join(pieces[number] for pieces in parts if pieces) for number in range(count)]
    return header(begins) + b"".join(fixed) + b"".join(rows)


def packed(values: np.ndarray, bits: int) -> bytes:
    """Return whole numbers of `bits` bits behind each other."""
    each = values.ravel()[:, None] >> np.arange(bits)[::-1] & 1
    return np.packbits(each.astype(np.uint8).ravel()).tobytes()


def grib2(values: np.ndarray, bits: int, template: int = 0, grid: int = 0) -> bytes:
    """Return a message of edition 2 with one field (rows, columns)."""
    rows, columns = values.shape
    data = packed(values, bits)
    shape = struct.pack(">IBBIBBH", 72, 3, 0, values.size, 0, 0, grid) + bytes(16) + struct.pack(">II", columns, rows)
    sections = (
        struct.pack(">IB", 21, 1) + bytes(16),
        shape.ljust(72, b"\0"),
        struct.pack(">IB", 34, 4) + bytes(29),
        struct.pack(">IBIHfhhBB", 21, 5, values.size, template, 1.5, 0, 1, bits, 0),
        struct.pack(">IBB", 6, 6, 255),
        struct.pack(">IB", 5 + len(data), 7) + data,
    )
    body = b"".join(sections) + b"7777"
    return b"GRIB\0\0\0\2" + struct.pack(">Q", 16 + len(body)) + body


def grib1(values: np.ndarray, bits: int, flags: int = 0x80, how: int = 0) -> bytes:
    """Return a message of edition 1 with one field (rows, columns)."""
    rows, columns = values.shape
    data = packed(values, bits)
    spare = 8 * len(data) - bits * values.size
    product = (28).to_bytes(3, "big") + bytes(4) + bytes((flags,)) + bytes(20)
    grid = (32).to_bytes(3, "big") + bytes(3) + struct.pack(">HH", columns, rows) + bytes(22)
    numbers = (11 + len(data)).to_bytes(3, "big") + bytes((how | spare,)) + bytes(6) + bytes((bits,)) + data
    body = product + grid + numbers + b"7777"
    return b"GRIB" + (8 + len(body)).to_bytes(3, "big") + b"\1" + body
