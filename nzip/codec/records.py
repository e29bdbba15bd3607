"""Sets of records in files: pictures of one shape, rows of one length; what `nzip train records` learns from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from nzip.codec.like import Old
from nzip.errors import FileError
from nzip.formats.content.detection import look

MOST_BYTES = 1 << 30  # of all records
MOST_HEAD = 64  # bytes before records that are worth knowing
UBYTE = 8  # the type of bytes, in idx files


class Records(NamedTuple):
    """Records of one shape.

    Attributes:
        values: uint8 (N, size).
        line: bytes of a line of a record; 0 if it has none.
        head: what stands before the records of each file, if that is always the same; else empty.
    """

    values: Any
    line: int
    head: bytes


class _Shape(NamedTuple):
    """How records lie in a file: where they begin, bytes of each, bytes of a line of one (or 0)."""

    offset: int
    size: int
    line: int


def read_records(paths: Iterable[str], size: int | None = None) -> Records:
    """Return the records of files, and of the files of directories.

    Args:
        paths: idx files, pictures without a coding (PGM, PPM, BMP), arrays, or anything where `size` is given.
        size: bytes of a record, in files that do not say so; what is over stands before the first.

    Raises:
        FileError: a file does not say what its records are, or has others than the files before it.
        ValueError: there is no record, or too much of them.
        OSError: a file cannot be read.
    """
    import numpy as np

    parts, heads, total = list[Any](), set[bytes](), 0
    first: _Shape | None = None
    for path in _files(paths):
        data = bytes(Old(path).data)
        shape = _shape(data, size)
        if shape is None:
            raise FileError(path, "does not say where its records are; say how many bytes each has")
        if first is None:
            first = shape
        if shape[1:] != first[1:]:
            raise FileError(path, f"has records of {shape.size:,} bytes, and those before of {first.size:,}")
        count = (len(data) - shape.offset) // shape.size
        total += count * shape.size
        if total > MOST_BYTES:
            raise ValueError(f"the records have more than {MOST_BYTES:,} bytes; name fewer files")
        parts.append(np.frombuffer(data, np.uint8, count * shape.size, shape.offset).reshape(count, shape.size))
        heads.add(data[: shape.offset])
    if first is None or not total:
        raise ValueError("the files hold no records")
    head = heads.pop() if len(heads) == 1 else b""
    return Records(np.concatenate(parts), first.line, head if len(head) <= MOST_HEAD else b"")


def _files(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        else:
            yield path


def _shape(data: bytes, size: int | None) -> _Shape | None:
    """Return how records lie in a file; None where nothing says so."""
    segment = look(data, closely=False) if data else None
    if segment is None or not segment.sure or not segment.row:
        return _Shape(len(data) % size, size, 0) if size else None
    if data[:3] == bytes((0, 0, UBYTE)):
        whole = segment.row
        for axis in range(1, data[3] - 1):
            whole *= int.from_bytes(data[4 + 4 * axis : 8 + 4 * axis], "big")
    elif segment.kind in ("image", "bitmap"):
        whole = segment.frame or (segment.length - segment.offset) // segment.row * segment.row
    else:
        whole = segment.row
    if size is not None:
        whole = size
    if whole < 1 or segment.offset + whole > len(data):
        return None
    return _Shape(segment.offset, whole, segment.row if segment.row < whole and whole % segment.row == 0 else 0)
