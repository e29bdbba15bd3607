"""What stands at a place of a damaged file, as far as it proves itself; and what a walk knows of its member."""

from __future__ import annotations

import contextlib
import operator
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from nzip.codec.members import Window, parsed, read_at
from nzip.errors import NzipError
from nzip.formats.container.structures import (
    END,
    FIELDS,
    FORMAT_VERSION,
    MAGIC,
    MAX_BLOCK_HEADER,
    MAX_HEADER,
    BlockHeader,
    End,
    Header,
    Index,
    IndexEntry,
)
from nzip.formats.container.wire import Reader


class Found(NamedTuple):
    """A block that may be sound: where it lies, its header, its payload and, when it was decoded, its bytes."""

    offset: int
    header: BlockHeader
    payload: bytes
    raw: bytes | None = None


class Missing(NamedTuple):
    """A stretch without a block that can be read, with the decoded bytes of what stood there, if that is known."""

    offset: int
    reason: str
    size: int | None
    to_end: bool = False


class Ended(NamedTuple):
    """The end of a member: where it stands, what it says, and the size of the content as the header has it."""

    offset: int
    end: End
    size: int | None


class Begun(NamedTuple):
    """The start of a member, and its header, if that can be read."""

    offset: int
    header: Header | None


Part = Begun | Found | Missing | Ended


class Ends(NamedTuple):
    """Sound end chunks: by the start of the member that they say is theirs; and those that lead to none, in order."""

    exact: dict[int, int]
    loose: array[int]


class Walk:
    """What a walk knows of the member that it is in.

    Attributes:
        start: where the member begins.
        header: of the member, if it can be read.
        index: of the blocks so far.
        gap: bytes of optional chunks since the last of them.
        skipped: whether there were any. One changed bit makes one of a block, so only the end index proves them.
        placed: whether the chain of chunks is unbroken, so that `index` says where in the member the walk is.
    """

    def __init__(self, start: int):
        self.start = start
        self.header: Header | None = None
        self.index = Index()
        self.gap = 0
        self.skipped = False
        self.placed = True

    def pass_by(self, part: Part | None, size: int) -> None:
        """Note a chunk of `size` bytes."""
        if part is None:
            self.gap += size
            self.skipped = True
            return
        if isinstance(part, Ended) or not self.placed:
            return
        raw_size = part.header.raw_size if isinstance(part, Found) else part.size if isinstance(part, Missing) else 0
        if raw_size:
            self.index.add(self.gap, size, raw_size)
        self.gap = 0

    def agrees(self, end: End, block: BlockHeader | None) -> bool:
        """Whether an end index can be that of this member, by its header, the blocks so far, and the next if known."""
        if self.header is not None and self.header.size != end.header_size:
            return False
        if len(end.index) < len(self.index) or self.gap or self.index.has_gaps:
            return False
        if block is not None and block.raw_size:
            at = len(self.index)
            if [(e.chunk_size, e.raw_size) for e in end.index[at : at + 1]] != [(block.size, block.raw_size)]:
                return False
        return all(a == b for a, b in zip(self.index, end.index, strict=False))


def is_among(places: Sequence[int], place: int) -> bool:
    """Whether a place is among others in order."""
    at = bisect_left(places, place)
    return at < len(places) and places[at] == place


def damaged_end(window: Window, walk: Walk, position: int) -> int:
    """Return where the member ends, if what stands at `position` is its end chunk, damaged or cut; -1 if not.

    What the chunk should say is known, and so is its size.
    """
    if walk.header is None:
        return -1
    expected = End(walk.header.size, walk.index, walk.gap, 0).encode()
    after = position + len(expected)
    if after < window.size and header_at(window, after) is None:
        return -1
    if walk.header.content_size is not None and walk.header.content_size == walk.index.raw_size:
        return min(after, window.size)
    found = window.read(position, len(expected))
    checks = range(len(expected) - 20, len(expected) - 8)
    places = [at for at in range(len(found)) if at not in checks]
    alike = sum(found[at] == expected[at] for at in places)
    return min(after, window.size) if len(places) >= 4 and alike * 4 >= len(places) * 3 else -1


def first_block(window: Window, start: int) -> int:
    """Return where the first block is of a member whose header is damaged, or `start` where that cannot be told."""
    data = window.at(start, 16)
    if sum(map(operator.eq, data, MAGIC + bytes((FORMAT_VERSION,)))) < 3:
        return start
    reader = Reader(data, 4)
    size = 9
    with contextlib.suppress(NzipError):
        if reader.u8() & FIELDS:
            size = reader.uleb() + reader.pos + 4
    if size > MAX_HEADER or block_in(window.at(start + size, MAX_BLOCK_HEADER)) is None:
        return start
    return start + size


def block_of(window: Window, offset: int, entry: IndexEntry) -> BlockHeader | None:
    """Return the block header at `offset`, if it is that of the block which an index entry describes."""
    block = block_in(window.at(offset, min(MAX_BLOCK_HEADER, entry.chunk_size)))
    return block if block and (block.size, block.raw_size) == (entry.chunk_size, entry.raw_size) else None


def leads_to(file: BinaryIO, start: int, end: End) -> bool:
    """Whether an end index leads to a member: its header, or any of its first blocks, is where it should be."""
    header = header_in(read_at(file, start, min(MAX_HEADER, end.header_size)))
    if header is not None:
        return not header.solo and header.size == end.header_size
    return any_stands(Window(file), start, end, 16)


def any_stands(window: Window, start: int, end: End, count: int) -> bool:
    """Whether any of a member's first `count` blocks is where its end index says."""
    offset = start + end.header_size
    for entry in end.index[:count]:
        if block_of(window, offset, entry) is not None:
            return True
        offset += entry.chunk_size
    return False


def header_in(data: bytes) -> Header | None:
    """Return the header of a member that `data` begins with, if one is there and sound."""
    try:
        return Header.parse(Reader(data))
    except NzipError:
        return None


def header_at(window: Window, offset: int) -> Header | None:
    """Return the header of a member that begins at `offset`, if one is there and sound."""
    try:
        return parsed(window, offset, Header.parse, MAX_HEADER)
    except NzipError:
        return None


def block_in(data: bytes, at: int = 0) -> BlockHeader | None:
    """Return the block header that stands in `data` at `at`, if one is there and sound."""
    try:
        return BlockHeader.parse(Reader(data, at))
    except NzipError:
        return None


def end_size(data: bytes) -> int:
    """Return the bytes of the end chunk that begins with `data`, 0 if none does."""
    reader = Reader(data)
    try:
        if reader.u8() != END:
            return 0
        size = reader.uleb()
        return size + reader.pos
    except NzipError:
        return 0
