"""The places of all blocks of a file, for random access.

The end index of each member is read from the file's end backwards. Where a member has none (it is solo), or what
is found does not fit, the file is walked from the start: the forward reading is the normative one, and every block
read through an index is compared with what the index said of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from nzip.codec.inspect import inspect, read_at
from nzip.errors import CorruptError, NzipError
from nzip.formats.container import MAX_HEADER, TRAILER_MAGIC, End, Header, Reader


@dataclass(frozen=True)
class Place:
    """Where a block lies: offset and size of its chunk, offset and size of its decoded bytes."""

    offset: int
    size: int
    raw_offset: int
    raw_size: int


def load_index(file: BinaryIO) -> list[Place]:
    """Return the place of every block of `file` that is not empty, in order.

    Raises:
        CorruptError, UnsupportedError: the file cannot be walked.
    """
    try:
        ends = _ends(file)
    except NzipError:
        ends = None
    if ends is None:
        return [Place(b.offset, b.size, b.raw_offset, b.raw_size) for b in inspect(file).blocks if b.raw_size]
    places: list[Place] = []
    raw_offset = 0
    for start, end in ends:
        offset = start + end.header_size
        for entry in end.entries:
            offset += entry.gap
            places.append(Place(offset, entry.chunk_size, raw_offset, entry.raw_size))
            offset += entry.chunk_size
            raw_offset += entry.raw_size
    return places


def _ends(file: BinaryIO) -> list[tuple[int, End]] | None:
    """Return the start and the end chunk of every member, or None when one of them has no end index."""
    position = file.seek(0, os.SEEK_END)
    found: list[tuple[int, End]] = []
    while position:
        if position < 8:
            return None
        tail = Reader(read_at(file, position - 8, 8))
        end_size = tail.u32()
        if tail.bytes(4) != TRAILER_MAGIC or end_size > position:
            return None
        end = End.parse(read_at(file, position - end_size, end_size))
        start = position - end.member_size
        if start < 0:
            return None
        header = Header.parse(Reader(read_at(file, start, min(MAX_HEADER, position - start))))
        if header.solo or header.size != end.header_size:
            raise CorruptError("the end index does not belong to the header it leads to")
        # What a gap hides is only known after a walk: optional chunks, or blocks of a file made to read differently
        # from the front. This version writes no gaps.
        if end.gap or any(entry.gap for entry in end.entries):
            return None
        if header.content_size is not None and header.content_size != end.raw_size:
            return None
        found.append((start, end))
        position = start
    return found[::-1]
