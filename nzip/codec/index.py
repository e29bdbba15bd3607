"""The places of all blocks of a file, for random access.

The end index of each member is read from the file's end backwards. Where a member has none (it is solo), or what
is found does not fit, the file is walked from the start: the forward reading is the normative one, and every block
read through an index is compared with what the index said of it.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, ENTRY_MEMORY, Limits
from nzip.codec.members import Window, read_at, walk
from nzip.errors import CorruptError, LimitError, NzipError
from nzip.formats.container import entries, search
from nzip.formats.container.structures import MAX_HEADER, TRAILER_MAGIC, End, Header
from nzip.formats.container.wire import Reader

MEMBER_MEMORY = 600  # bytes that the end chunk of a member takes beside its entries



@dataclass(frozen=True)
class Place:
    """Where a block lies: offset and size of its chunk, offset and size of its decoded bytes."""

    offset: int
    size: int
    raw_offset: int
    raw_size: int


class Gap(NamedTuple):
    """Optional chunks behind the blocks of a member: its first block and the one behind its last, their place and
    size."""

    first: int
    stop: int
    offset: int
    size: int


class Places:
    """The places of the blocks of a file that are not empty, in order; 20 bytes each.

    Attributes:
        raw_size: decoded bytes of all.
        gaps: what stands between the blocks of a member and its end.
    """

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._sizes = array("I")
        self._raw_offsets = array("Q")
        self._firsts = array("Q")  # number of the first block of each member that has a check of its content
        self._ends = array("Q")  # number behind its last block
        self._checks = array("Q")
        self._member_firsts = array("Q")  # number of the first block of each member, ascending,
        self._member_offsets = array("Q")  # and where the member begins
        self.raw_size = 0
        self.gaps: list[Gap] = []

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Place:
        raw_offset = self._raw_offsets[number]
        raw_end = self._raw_offsets[number + 1] if number + 1 < len(self) else self.raw_size
        return Place(self._offsets[number], self._sizes[number], raw_offset, raw_end - raw_offset)

    def add(self, offset: int, size: int, raw_size: int) -> None:
        """Add the next block."""
        self._offsets.append(offset)
        self._sizes.append(size)
        self._raw_offsets.append(self.raw_size)
        self.raw_size += raw_size

    def begin_member(self, offset: int) -> None:
        """Say that the next block is the first of the member that begins at `offset`."""
        if self._member_firsts and self._member_firsts[-1] == len(self):
            self._member_offsets[-1] = offset  # the one before has no blocks
            return
        self._member_firsts.append(len(self))
        self._member_offsets.append(offset)

    def start_of(self, number: int) -> tuple[int, int]:
        """Return the first block of the member of a block, and where that member begins."""
        member = bisect_right(self._member_firsts, number) - 1
        return self._member_firsts[member], self._member_offsets[member]

    def close_member(self, first: int, check: int) -> None:
        """Say that the blocks from number `first` on are a member whose content has the check `check`."""
        if first < len(self):
            self._firsts.append(first)
            self._ends.append(len(self))
            self._checks.append(check)

    def add_gap(self, first: int, offset: int, size: int) -> None:
        """Say what stands behind the blocks of the member whose first is number `first`."""
        if size and first < len(self):
            self.gaps.append(Gap(first, len(self), offset, size))

    def at(self, position: int) -> int:
        """Return the number of the block that holds a byte of the content; -1 where none does."""
        return bisect_right(self._raw_offsets, position) - 1 if 0 <= position < self.raw_size else -1

    def member_of(self, number: int) -> tuple[int, int, int] | None:
        """Return first block, the one behind the last, and check of the member of a block; None where it has none."""
        member = bisect_right(self._firsts, number) - 1
        if member < 0 or number >= self._ends[member]:
            return None
        return self._firsts[member], self._ends[member], self._checks[member]


def load_index(file: BinaryIO, max_memory: int = DEFAULT_MAX_MEMORY) -> Places:
    """Return the places of the blocks of `file`.

    Raises:
        CorruptError, UnsupportedError: the file cannot be walked.
        LimitError: the places of so many blocks take more memory than `max_memory`.
    """
    try:
        ends = members_from_the_end(file, max_memory)
    except LimitError:
        raise
    except NzipError:
        ends = None
    places = Places()
    if ends is None:
        limits, first = Limits(max_memory), 0
        for offset, event in walk(Window(file)):
            if isinstance(event, Header):
                first = len(places)
                places.begin_member(offset)
            elif isinstance(event, End):
                places.close_member(first, event.check)
                places.add_gap(first, offset - event.gap, event.gap)
            elif event.header.raw_size:
                places.add(offset, event.header.size, event.header.raw_size)
                if len(places) % 4096 == 0:
                    limits.admit_memory(ENTRY_MEMORY * len(places), f"a list of {len(places):,} blocks")
        limits.admit_memory(ENTRY_MEMORY * len(places), f"a list of {len(places):,} blocks")
        return places
    for start, end in ends:
        offset = start + end.header_size
        first = len(places)
        places.begin_member(start)
        for entry in end.index:
            places.add(offset, entry.chunk_size, entry.raw_size)
            offset += entry.chunk_size
        places.close_member(first, end.check)
        places.add_gap(first, offset, end.gap)
    return places


def members_from_the_end(file: BinaryIO, max_memory: int = DEFAULT_MAX_MEMORY) -> list[tuple[int, End]] | None:
    """Return the start and the end chunk of every member, or None when one of them has no end index to go by."""
    found: list[tuple[int, End]] = []
    position = file.seek(0, os.SEEK_END)
    blocks = 0
    while position:
        member = last_member(file, position)
        if member is None:
            return None
        start, end = member
        header = Header.parse(Reader(read_at(file, start, min(MAX_HEADER, position - start))))
        if header.solo or header.size != end.header_size:
            raise CorruptError("the end index does not belong to the header it leads to")
        # What a gap hides is only known after a walk: optional chunks, or blocks of a file made to read differently
        # from the front. The gaps that this version writes hold tables, which are seen at their beginnings.
        if end.index.has_gaps or (end.gap and not _is_tables(file, position - end.size - end.gap, end.gap)):
            return None
        if header.content_size is not None and header.content_size != end.raw_size:
            return None
        blocks += len(end.index)
        needed = ENTRY_MEMORY * blocks + MEMBER_MEMORY * len(found)
        Limits(max_memory).admit_memory(needed, f"a list of {blocks:,} blocks")
        found.append((start, end))
        position = start
    return found[::-1]


def _is_tables(file: BinaryIO, offset: int, size: int) -> bool:
    """Whether tables of a directory's entries and for searches, at most one of each and in this order, fill `size`
    bytes at `offset`."""
    for of in (entries.chunk_size, search.chunk_size):
        found = of(read_at(file, offset, min(size, entries.TABLE_HEAD)))
        if found is not None and found <= size:
            offset, size = offset + found, size - found
    return not size


def last_member(file: BinaryIO, position: int) -> tuple[int, End] | None:
    """Return the start and the end chunk of the member that ends at `position`; None when no end chunk is there.

    Raises:
        CorruptError: one is there and is damaged.
    """
    if position < 8:
        return None
    tail = Reader(read_at(file, position - 8, 8))
    end_size = tail.u32()
    if tail.bytes(4) != TRAILER_MAGIC or end_size > position:
        return None
    end = End.parse(read_at(file, position - end_size, end_size))
    start = position - end.member_size
    return None if start < 0 else (start, end)
