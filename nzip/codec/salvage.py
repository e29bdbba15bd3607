"""What can be saved of a damaged file.

A block decodes alone, so damage costs the blocks that it touches and no others. But a block's check says nothing of
its place, and a payload may hold the blocks of other nzip files, which are as sound. So a block is only given where
its place is proven: by an unbroken chain of chunks from the front, or by the end index of its member, from either end
of it (FORMAT.md 4.1 says which of these are plausible only). What a search finds behind a place where both are lost is
left out unless it is asked for.

Invariants: every byte of the content that is not given is in a fault; work is bounded by the size of the file.
"""

from __future__ import annotations

import contextlib
import io
import operator
import os
import re
import shutil
import tempfile
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal, NamedTuple

import xxhash

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, ENTRY_MEMORY, Limits, decode_block, memory_needed
from nzip.codec.index import MEMBER_MEMORY, last_member
from nzip.codec.inspect import Window, parsed, read_at
from nzip.codec.threads import Task, Workers, thread_count
from nzip.errors import CorruptError, LimitError, NzipError, TruncatedError
from nzip.formats.container.structures import (
    BLOCK,
    END,
    FIELDS,
    FORMAT_VERSION,
    MAGIC,
    MAX_BLOCK_HEADER,
    MAX_HEADER,
    OPTIONAL,
    TRAILER_MAGIC,
    BlockHeader,
    End,
    Header,
    Index,
    IndexEntry,
)
from nzip.formats.container.wire import Reader

Lost = Literal["zeros", "gaps"]
ZEROS = 1 << 20  # bytes of zeros that are handed out at a time
SEARCH = 1 << 16  # bytes of the file that are searched at a time
ZEROS_RATIO = 1024  # bytes of zeros, for a byte of the file, that its word is taken for ...
ZEROS_FREE = 64 << 20  # ... beside these
WORK_RATIO = 16  # bytes that are hashed or decoded in vain, for a byte of the file ...
WORK_FREE = 16 << 20  # ... beside these
MIN_BLOCK_HEAD = 15  # bytes before a payload, at least
TRIED_ENDS = 16  # end indexes behind a break that may be the member's with bytes gone or come
# A block's type, a body of at least 13 bytes, flags without reserved bits, an engine; an end; a header.
_CANDIDATE = re.compile(
    rb"(?=%b(?:[\x0d-\x7f]|[\x80-\xff]{1,4}[\x01-\x7f])[\x00\x01\x40\x41\x80\x81\xc0\xc1][\x00-\x7f])|%b|%b"
    % (bytes((BLOCK,)), bytes((END,)), re.escape(MAGIC)),
    re.DOTALL,
)
_UNPLACED = (
    "nothing behind this is given, as its place in the content is not proven (--unplaced gives what is found there)"
)


@dataclass(frozen=True)
class Fault:
    """What is lost.

    Attributes:
        reason: what is wrong.
        offset: byte of the file at which the damage begins.
        block: number of the block, counted from 0 and by what was found; None where none is lost.
        start: where in the content that is given the loss is; None where nothing is lost.
        size: bytes of the content that are lost; None where that is not known, and may be none: nothing stands in
            their place.
        to_end: all from `start` to the end of the content is lost; `size` is None.
    """

    reason: str
    offset: int
    block: int | None = None
    start: int | None = None
    size: int | None = None
    to_end: bool = False

    def __str__(self) -> str:
        where = f"at byte {self.offset:,} of the file"
        if self.start is None:
            return f"{self.reason} ({where})"
        if self.to_end:
            return (
                f"from byte {self.start:,} of the content (block {self.block:,}) to the end, extent not known, all is "
                f"lost ({where}): {self.reason}"
            )
        if self.size is None:
            return (
                f"at byte {self.start:,} of the content, from block {self.block:,} on, bytes are lost, and how many is "
                f"not known ({where}): {self.reason}"
            )
        last = self.start + self.size - 1
        lost = f"bytes {self.start:,} to {last:,} of the content"
        return f"block {self.block:,}, {lost}, is lost ({where}): {self.reason}"


class _Found(NamedTuple):
    """A block that may be sound: where it lies, its header, its payload and, when it was decoded, its bytes."""

    offset: int
    header: BlockHeader
    payload: bytes
    raw: bytes | None = None


class _Missing(NamedTuple):
    """A stretch without a block that can be read, with the decoded bytes of what stood there, if that is known."""

    offset: int
    reason: str
    size: int | None
    to_end: bool = False


class _Ended(NamedTuple):
    """The end of a member: where it stands, what it says, and the size of the content as the header has it."""

    offset: int
    end: End
    size: int | None


class _Begun(NamedTuple):
    """The start of a member."""

    offset: int


_Part = _Begun | _Found | _Missing | _Ended


class _GivenUpError(Exception):
    """The search takes too long."""


class Salvage:
    """Gives, piece by piece, all of a file's content that is sound.

    Args:
        file: a binary file; one that cannot seek is first copied to a temporary one.
        lost: `"zeros"` puts zeros in the place of what is lost, where its size is known and, in all, not above 64 MiB
            and 1,024 times the file's size; `"gaps"` leaves it out.
        max_memory: as for `Decompressor`; a block that needs more is lost.
        threads: blocks decoded at the same time; 0 for all cores.
        unplaced: give as well the sound blocks that are found by search where their place in the content is not
            known. They may be those of other nzip files that lay in what is lost.
        max_output_size: most bytes to give, zeros included; None for no limit.

    Attributes:
        faults: what was found to be lost so far.
        header: the first header of a member that could be read, once it was read.
        size: bytes of content given so far.

    Raises:
        ValueError: `lost` is neither of the two.
        LimitError: when iterated, there is more content than `max_output_size`.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        lost: Lost = "zeros",
        max_memory: int = DEFAULT_MAX_MEMORY,
        threads: int = 1,
        unplaced: bool = False,
        max_output_size: int | None = None,
    ):
        if lost not in ("zeros", "gaps"):
            raise ValueError(f"lost is 'zeros' or 'gaps', not {lost!r}")
        self._file = file
        self._zeros = lost == "zeros"
        self._limits = Limits(max_memory)
        self._workers = Workers(thread_count(threads))
        self._pieces = self._run()
        self._unplaced = unplaced
        self._max_output_size = max_output_size
        self._blocks = 0
        self._work = 0  # bytes that may still be hashed or decoded in vain
        self._zeros_left = 0
        self._ends: _Ends | None = None  # behind the first break
        self._tiled: bool | None = None  # whether whole members are known to follow up to the file's end
        self._begun = 0  # where the member's content begins
        self._hash: xxhash.xxh3_64 | None = xxhash.xxh3_64()  # of the member's content; None where some is lost
        self.faults: list[Fault] = []
        self.header: Header | None = None
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        """Give the content; each byte once, whatever number of iterators there are."""
        return self._pieces

    def read(self) -> bytes:
        """Return all of the content that was not given yet."""
        return b"".join(self)

    # From parts to content

    def _run(self) -> Iterator[bytes]:
        with tempfile.TemporaryFile() if not _can_seek(self._file) else _Unowned(self._file) as file:
            if file is not self._file:
                shutil.copyfileobj(self._file, file)
            start = 0 if file is not self._file else file.tell()
            try:
                yield from self._decoded(self._parts(file, start))
            finally:
                self._workers.close()

    def _decoded(self, parts: Iterator[_Part]) -> Iterator[bytes]:
        """Decode what was found, some blocks ahead, in order."""
        queue: deque[tuple[_Part, Task[bytes] | None]] = deque()
        memory = 0
        for part in parts:
            needed = memory_needed(part.header) if isinstance(part, _Found) else 0
            while queue and (len(queue) >= self._workers.count or memory + needed > self._limits.max_memory):
                memory -= memory_needed(queue[0][0].header) if isinstance(queue[0][0], _Found) else 0
                yield from self._content(*queue.popleft())
            task = None
            if isinstance(part, _Found) and part.raw is None:
                task = self._workers.submit(partial(decode_block, part.header, part.payload))
            queue.append((part, task))
            memory += needed
        while queue:
            yield from self._content(*queue.popleft())

    def _content(self, part: _Part, task: Task[bytes] | None) -> Iterator[bytes]:
        if isinstance(part, _Begun):
            self._hash = xxhash.xxh3_64()
            self._begun = self.size
            return
        if isinstance(part, _Ended):
            if self._hash is not None and self._hash.intdigest() != part.end.check:
                self.faults.append(Fault("all blocks match, and the check of the whole content does not", part.offset))
            elif self._hash is not None and part.size not in (None, self.size - self._begun):
                self.faults.append(Fault("the header states another content size than the blocks have", part.offset))
            return
        if isinstance(part, _Found):
            try:
                raw = part.raw if task is None else task.result()
            except NzipError as error:
                part = _Missing(part.offset, str(error), part.header.raw_size)
            else:
                assert raw is not None
                self._admit(len(raw))
                self._blocks += 1
                self.size += len(raw)
                if self._hash is not None:
                    self._hash.update(raw)
                yield raw
                return
        if part.size == 0:
            self.faults.append(Fault(part.reason, part.offset))
            return
        self._hash = None
        left = part.size or 0
        if self._zeros and left > self._zeros_left:
            # A few bytes of an index can claim any size.
            reason = f"{part.reason}; the file says that it held {left:,} bytes, which are too many to stand as zeros"
            part = _Missing(part.offset, reason, None)
            left = 0
        self.faults.append(Fault(part.reason, part.offset, self._blocks, self.size, part.size, part.to_end))
        self._blocks += 1
        if self._zeros:
            self._admit(left)
            self._zeros_left -= left
        while self._zeros and left:
            count = min(left, ZEROS)
            left -= count
            self.size += count
            yield bytes(count)

    def _admit(self, count: int) -> None:
        if self._max_output_size is not None and self.size + count > self._max_output_size:
            raise LimitError(
                f"what can be saved is larger than {self._max_output_size:,} bytes (max_output_size); raise it"
            )

    def _spend(self, count: int) -> None:
        self._work -= count
        if self._work < 0:
            raise _GivenUpError("the file is full of what looks like blocks and is none; nothing more is saved")

    # From bytes to parts

    def _parts(self, file: BinaryIO, start: int) -> Iterator[_Part]:
        window = Window(file)
        self._work = WORK_RATIO * window.size + WORK_FREE
        self._zeros_left = ZEROS_RATIO * window.size + ZEROS_FREE
        known = self._known(file, start, window.size)
        places = sorted(known)
        position = start
        while True:
            end = known.get(position)
            yield _Begun(position)
            try:
                if end is not None:
                    yield from self._by_index(window, position, end, position + end.member_size)
                    position += end.member_size
                else:
                    position = yield from self._forward(window, position, places)
            except _GivenUpError as error:
                yield _Missing(position, str(error), None, True)
                return
            if position >= window.size:
                return

    def _known(self, file: BinaryIO, start: int, position: int) -> dict[int, End]:
        """Return the end chunks of members by their starts, as far as they lead back from the file's end."""
        found: dict[int, End] = {}
        blocks = 0
        while position > start:
            try:
                member = last_member(file, position)
            except NzipError:
                break
            if member is None or member[0] < start or member[0] >= position:
                break
            position, end = member
            if end.gap or end.index.has_gaps or not _leads_to(file, position, end):
                break
            blocks += len(end.index) + MEMBER_MEMORY // ENTRY_MEMORY
            if ENTRY_MEMORY * blocks > self._limits.max_memory:
                break
            found[position] = end
        return found

    def _by_index(
        self, window: Window, start: int, end: End, stop: int, first: int = 0, position: int = 0
    ) -> Iterator[_Part]:
        """Give the blocks from number `first` on of a member from `start` to `stop`, by its end index.

        Where bytes went or came, only those that form an unbroken chain to the end, none of it up to `position`.
        """
        header = _header(window.at(start, end.header_size))
        if header is None and not first:
            yield _Missing(start, "the header is damaged; the member's blocks were found by its end index", 0)
        self.header = self.header or header
        shift = stop - end.member_size - start
        place = stop - end.size
        placed = len(end.index) if shift else first  # number of the first block whose place is known
        while placed > first:
            entry = end.index[placed - 1]
            if place - entry.chunk_size <= position or not _stands(window, place - entry.chunk_size, entry):
                break
            place -= entry.chunk_size
            placed -= 1
        offset = start + end.header_size
        for number, entry in enumerate(end.index):
            if number >= first:
                at = offset + shift if number >= placed else offset
                if number < placed:
                    yield _Missing(position, "the block is damaged, or its place is not known", entry.raw_size)
                elif (block := _stands(window, at, entry)) is not None:
                    yield self._found(window, at, block)
                else:
                    yield _Missing(at, "the block's header is damaged", entry.raw_size)
            offset += entry.chunk_size
        yield _Ended(stop - end.size, end, None if header is None else header.content_size)

    def _forward(self, window: Window, start: int, known: list[int]) -> Generator[_Part, None, int]:
        """Walk a member, or what is left of one, and return where the next begins."""
        walk = _Walk(start)
        position = start
        trouble: NzipError | None = None
        try:
            walk.header = parsed(window, start, Header.parse, MAX_HEADER)
            self.header = self.header or walk.header
            position += walk.header.size
        except NzipError as error:
            position = _first_block(window, start)
            if position > start:
                yield _Missing(start, f"{error}; what follows it is sound", 0)
            else:
                trouble = error
        # Where bytes went, what seems to follow a damaged block can be a block inside of another's payload.
        careful = not self._unplaced and trouble is None and not self._holds(window, walk, position, known)
        while True:
            part: _Part | None = None
            if trouble is None and position >= window.size:
                trouble = TruncatedError("the file is cut: the end of its last member is missing")
            if trouble is None:
                try:
                    part, after, ended = self._next(window, position, walk)
                except NzipError as error:
                    trouble = error
            if trouble is None and part is None and careful:
                trouble = CorruptError("what stands here is no block that is known")
            if (
                trouble is None
                and isinstance(part, _Found)
                and (not ended or careful)
                and ((careful and walk.placed) or not self._begins(window, after))
            ):
                # Its end may not be where its header says: bytes may have gone, or come.
                part = self._proof(part)
                if part is None:
                    trouble = CorruptError("the block is damaged, and so is what follows it")
            if trouble is None:
                if isinstance(part, _Ended) and walk.placed:
                    end = part.end
                    size = walk.header.size if walk.header is not None else end.header_size
                    if (end.header_size, end.index, end.gap) != (size, walk.index, walk.gap):
                        # Whole blocks may have gone, and where is not known.
                        reason = "the end index does not describe the blocks before it"
                        if end.index.raw_size == walk.index.raw_size:
                            yield _Missing(position, reason, 0)
                        elif self._unplaced:
                            yield _Missing(position, reason, None)
                        else:
                            yield _Missing(position, f"{reason}; {_UNPLACED}", None, True)
                            return window.size
                walk.pass_by(part, after - position)
                if part is not None:
                    yield part
                position = after
                if ended:
                    return position
                continue
            after = yield from self._broken(window, walk, position, trouble, known)
            trouble = None
            if after < 0:  # found by search, within the member
                position = -after
            else:
                return after

    def _holds(self, window: Window, walk: _Walk, position: int, known: list[int]) -> bool:
        """Whether chunks follow each other up to the member's end, or to that of a file that is cut.

        A solo member has no end chunk: what follows it must be members up to the file's end.
        """
        ahead = _Walk(walk.start)
        ahead.header = walk.header
        head = position - walk.start
        while position < window.size:
            try:
                part, after, ended = self._next(window, position, ahead, read=False)
            except TruncatedError:
                return not ahead.skipped
            except NzipError:
                return not ahead.skipped and _damaged_end(window, ahead, position) >= 0
            if isinstance(part, _Ended):
                return (part.end.header_size, part.end.index, part.end.gap) == (head, ahead.index, ahead.gap)
            if ended:
                if self._tiled is None:  # asked once: what follows later members is part of it
                    self._tiled = self._tile(window, after, known)
                return self._tiled
            ahead.pass_by(part, after - position)
            position = after
        return not ahead.skipped

    def _tile(self, window: Window, position: int, known: list[int]) -> bool:
        """Whether whole members, the last of which may be cut, follow each other from `position` to the file's end."""
        while position < window.size and not _holds(known, position):
            header = _header_at(window, position)
            if header is None:
                return False
            walk = _Walk(position)
            walk.header = header
            position += header.size
            ended = False
            while position < window.size and not ended:
                try:
                    part, after, ended = self._next(window, position, walk, read=False)
                except TruncatedError:
                    return True
                except NzipError:
                    after = _damaged_end(window, walk, position)
                    if after < 0:
                        return False
                    ended = True
                else:
                    walk.pass_by(part, after - position)
                position = after
        return True

    def _broken(
        self, window: Window, walk: _Walk, position: int, trouble: NzipError, known: list[int]
    ) -> Generator[_Part, None, int]:
        """Go on where the chain of a member's chunks breaks.

        Returns:
            Where the next member begins; or, negated, where this one goes on.
        """
        solo = walk.header is not None and walk.header.solo
        block = _block(window.at(position, MAX_BLOCK_HEADER))
        if block is not None and not block.raw_size:
            block = None
        if walk.placed and not solo:
            after = _damaged_end(window, walk, position)
            if after >= 0:
                reason = "the member's end is damaged; nothing of its content is lost"
                if after >= window.size and window.read(window.size - 4, 4) != TRAILER_MAGIC:
                    reason = "the file is cut in a member's end: nothing of it is lost, and members behind it may be"
                yield _Missing(position, reason, 0)
                return after
            own = self._own_end(window, walk, position, known)
            if own is not None:
                end, stop = own
                lost = block is not None
                for part in self._by_index(window, walk.start, end, stop, len(walk.index), position):
                    lost = lost or isinstance(part, _Missing)
                    yield part
                if not lost:
                    yield _Missing(position, f"{trouble}; the blocks behind it were found by the end index", 0)
                return stop
        if block is not None:
            yield _Missing(position, str(trouble), block.raw_size)
        if not self._unplaced:
            if block is not None:
                position = min(position + block.size, window.size)
                trouble = CorruptError("what should follow the block is not there")
            reason = f"{trouble}; {_UNPLACED}" if position < window.size else str(trouble)
            yield _Missing(position, reason, None, True)
            return window.size
        walk.placed = False
        if position >= window.size:
            yield _Missing(position, str(trouble), None, True)
            return window.size
        if position > walk.start and _header_at(window, position) is not None:
            yield _Missing(position, "the end of the member before is missing", None)
            return position
        search = position + 1 if block is None else position + block.size - block.payload_size
        at, found = self._search(window, search, known)
        if block is None or at != position + block.size:
            reason = str(trouble) if block is None else "what follows the block was found by a search"
            yield _Missing(position, reason, None, at >= window.size)
        if found is not None:
            yield found
            return -at - found.header.size
        of_member = _holds(known, at) or _header_at(window, at) is not None
        return at if at >= window.size or of_member else -at

    def _next(self, window: Window, position: int, walk: _Walk, *, read: bool = True) -> tuple[_Part | None, int, bool]:
        """Return what stands at `position`, what follows it, and whether the member ends there.

        A block's payload is empty where it is not to be read.

        Raises:
            CorruptError, UnsupportedError: nothing that can be read, or not all of it.
        """
        solo = walk.header is not None and walk.header.solo
        kind = window.at(position, 1)[0]
        if kind == BLOCK:
            block = parsed(window, position, BlockHeader.parse, MAX_BLOCK_HEADER)
            after = position + block.size
            if after > window.size:
                raise TruncatedError("the file ends within the block")
            if not block.raw_size and not solo:
                raise CorruptError("an empty block is only allowed alone")
            # Where the header is lost, a first block that another member, or nothing, follows was alone.
            alone = walk.header is None and walk.placed and not len(walk.index)
            ended = solo or (alone and (after == window.size or _header_at(window, after) is not None))
            return self._found(window, position, block) if read else _Found(position, block, b""), after, ended
        if solo:
            raise CorruptError("a solo member holds something other than one block")
        end = self._end(window, position) if kind == END else None
        if end is not None:
            content_size = None if walk.header is None else walk.header.content_size
            return _Ended(position, end, content_size), position + end.size, True
        reader = Reader(window.at(position, 10))
        reader.u8()
        after = position + reader.uleb() + reader.pos
        # The first byte of a member could also begin an optional chunk.
        if not kind & OPTIONAL or after > window.size or _header_at(window, position) is not None:
            raise CorruptError("what stands here is no block")
        return None, after, False

    def _begins(self, window: Window, offset: int) -> bool:
        """Whether something that can follow a block begins at `offset`, or the file ends there."""
        if offset >= window.size:
            return True
        kind = window.at(offset, 1)[0]
        if kind == BLOCK:
            return _block(window.at(offset, MAX_BLOCK_HEADER)) is not None
        return kind == END and self._end(window, offset) is not None

    def _end(self, window: Window, offset: int) -> End | None:
        """Return the end chunk at `offset`, if one is there and sound."""
        size = _end_size(window.at(offset, 10))
        if size < 14 or offset + size > window.size:
            return None
        # One start only fits a trailer, so that not every byte can be taken for the start of the same long chunk.
        if window.read(offset + size - 8, 8) != size.to_bytes(4, "little") + TRAILER_MAGIC:
            return None
        self._spend(size)
        try:
            return End.parse(window.read(offset, size))
        except NzipError:
            return None

    def _own_end(self, window: Window, walk: _Walk, position: int, known: list[int]) -> tuple[End, int] | None:
        """Return the end chunk, at `position` or behind it, of the member that is walked, and where it ends."""
        if self._ends is None:
            self._ends = self._find_ends(window, position)
        ends = self._ends
        block = _block(window.at(position, MAX_BLOCK_HEADER))
        exact = ends.exact.get(walk.start)
        if exact is not None and exact >= position:
            end = self._end(window, exact)
            # With no block before the break, one behind it must show that the index is this member's; without a header
            # the very first: an engine that shrinks a file within a little moves what its index leads to.
            if (
                end is not None
                and walk.agrees(end, block)
                and (len(walk.index) or _stand(window, walk.start, end, 1 if walk.header is None else 16))
            ):
                return end, exact + end.size
        # Bytes may have gone or come: then the index leads to no member, and says of all blocks so far what they are.
        if walk.header is None or not len(walk.index):
            return None
        inside = position if block is None else position + block.size
        first = bisect_left(ends.loose, position)
        for at in ends.loose[first : first + TRIED_ENDS]:
            end = self._end(window, at)
            if end is not None and walk.agrees(end, block):
                stop = at + end.size
                # A file within the file begins behind the header of a first block. It may be followed by another one,
                # but hardly by the end of the file.
                ours = stop - end.member_size < walk.start + walk.header.size + MIN_BLOCK_HEAD
                if ours and stop > inside and (stop == window.size or _holds(known, stop)):
                    return end, stop
        return None

    def _find_ends(self, window: Window, position: int) -> _Ends:
        """Return the sound end chunks from `position` on."""
        ends = _Ends({}, array("Q"))
        begin = position
        while position < window.size:
            data = window.read(position, SEARCH + 8)
            at = data.find(TRAILER_MAGIC, 4)
            while 0 <= at < SEARCH + 4:
                size = int.from_bytes(data[at - 4 : at], "little")
                start = position + at + 4 - size
                if size >= 14 and begin <= start and _end_size(window.read(start, 10)) == size:
                    end = self._end(window, start)
                    if end is not None and not end.gap and not end.index.has_gaps:
                        member = start + end.size - end.member_size
                        ends.exact.setdefault(member, start)
                        # One of a member that lies whole in a payload leads to a place behind.
                        if member < begin and (member < 0 or _header(window.at(member, end.header_size)) is None):
                            ends.loose.append(start)
                at = data.find(TRAILER_MAGIC, at + 1)
            position += SEARCH
        return ends

    def _search(self, window: Window, position: int, known: list[int]) -> tuple[int, _Found | None]:
        """Return where the next block, end or member begins, from `position` on, and the block where it is one."""
        next_known = bisect_left(known, position)
        stop = known[next_known] if next_known < len(known) else window.size
        while position < stop:
            data = window.read(position, min(SEARCH + MAX_BLOCK_HEADER, stop - position))
            for match in _CANDIDATE.finditer(data):
                at = match.start()
                if at >= SEARCH:
                    break
                if data[at] == END:
                    if self._end(window, position + at) is not None:
                        return position + at, None
                elif data[at] == BLOCK:
                    block = _block(data, at)
                    if block is not None and block.raw_size and position + at + block.size <= stop:
                        part = self._found(window, position + at, block)
                        found = self._proof(part) if isinstance(part, _Found) else None
                        if found is not None:
                            return position + at, found
                elif _header_at(window, position + at) is not None:
                    return position + at, None
            position += SEARCH
        return stop, None

    def _proof(self, part: _Found) -> _Found | None:
        """Return a block with its bytes, if they match its check."""
        try:
            return part._replace(raw=decode_block(part.header, part.payload))
        except NzipError:
            self._spend(part.header.size + part.header.raw_size)
            return None

    def _found(self, window: Window, offset: int, block: BlockHeader) -> _Part:
        try:
            self._limits.admit(block)
        except NzipError as error:
            return _Missing(offset, str(error), block.raw_size)
        head = block.size - block.payload_size
        return _Found(offset, block, window.read(offset + head, block.payload_size))


class _Ends(NamedTuple):
    """Sound end chunks: by the start of the member that they say is theirs; and those that lead to none, in order."""

    exact: dict[int, int]
    loose: array[int]


class _Walk:
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

    def pass_by(self, part: _Part | None, size: int) -> None:
        """Note a chunk of `size` bytes."""
        if part is None:
            self.gap += size
            self.skipped = True
            return
        if isinstance(part, _Ended) or not self.placed:
            return
        raw_size = part.header.raw_size if isinstance(part, _Found) else part.size if isinstance(part, _Missing) else 0
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


def _holds(places: Sequence[int], place: int) -> bool:
    """Whether a place is among others in order."""
    at = bisect_left(places, place)
    return at < len(places) and places[at] == place


def _damaged_end(window: Window, walk: _Walk, position: int) -> int:
    """Return where the member ends, if what stands at `position` is its end chunk, damaged or cut; -1 if not.

    What the chunk should say is known, and so is its size.
    """
    if walk.header is None:
        return -1
    expected = End(walk.header.size, walk.index, walk.gap, 0).encode()
    after = position + len(expected)
    if after < window.size and _header_at(window, after) is None:
        return -1
    if walk.header.content_size is not None and walk.header.content_size == walk.index.raw_size:
        return min(after, window.size)
    found = window.read(position, len(expected))
    checks = range(len(expected) - 20, len(expected) - 8)
    places = [at for at in range(len(found)) if at not in checks]
    alike = sum(found[at] == expected[at] for at in places)
    return min(after, window.size) if len(places) >= 4 and alike * 4 >= len(places) * 3 else -1


def _first_block(window: Window, start: int) -> int:
    """Return where the first block is of a member whose header is damaged, or `start` where that cannot be told."""
    data = window.at(start, 16)
    if sum(map(operator.eq, data, MAGIC + bytes((FORMAT_VERSION,)))) < 3:
        return start
    reader = Reader(data, 4)
    size = 9
    with contextlib.suppress(NzipError):
        if reader.u8() & FIELDS:
            size = reader.uleb() + reader.pos + 4
    if size > MAX_HEADER or _block(window.at(start + size, MAX_BLOCK_HEADER)) is None:
        return start
    return start + size


def _stands(window: Window, offset: int, entry: IndexEntry) -> BlockHeader | None:
    """Return the block header at `offset`, if it is that of the block which an index entry describes."""
    block = _block(window.at(offset, min(MAX_BLOCK_HEADER, entry.chunk_size)))
    return block if block and (block.size, block.raw_size) == (entry.chunk_size, entry.raw_size) else None


def _leads_to(file: BinaryIO, start: int, end: End) -> bool:
    """Whether an end index leads to a member: its header, or any of its first blocks, is where it should be."""
    header = _header(read_at(file, start, min(MAX_HEADER, end.header_size)))
    if header is not None:
        return not header.solo and header.size == end.header_size
    return _stand(Window(file), start, end, 16)


def _stand(window: Window, start: int, end: End, count: int) -> bool:
    """Whether any of a member's first `count` blocks is where its end index says."""
    offset = start + end.header_size
    for entry in end.index[:count]:
        if _stands(window, offset, entry) is not None:
            return True
        offset += entry.chunk_size
    return False


def _can_seek(file: BinaryIO) -> bool:
    return hasattr(file, "seekable") and file.seekable()


class _Unowned:
    """A file for a `with` that does not close it."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def __enter__(self) -> BinaryIO:
        return self._file

    def __exit__(self, *_: object) -> None:
        pass


def _header(data: bytes) -> Header | None:
    """Return the header of a member that `data` begins with, if one is there and sound."""
    try:
        return Header.parse(Reader(data))
    except NzipError:
        return None


def _header_at(window: Window, offset: int) -> Header | None:
    """Return the header of a member that begins at `offset`, if one is there and sound."""
    try:
        return parsed(window, offset, Header.parse, MAX_HEADER)
    except NzipError:
        return None


def _block(data: bytes, at: int = 0) -> BlockHeader | None:
    """Return the block header that stands in `data` at `at`, if one is there and sound."""
    try:
        return BlockHeader.parse(Reader(data, at))
    except NzipError:
        return None


def _end_size(data: bytes) -> int:
    """Return the bytes of the end chunk that begins with `data`, 0 if none does."""
    reader = Reader(data)
    try:
        if reader.u8() != END:
            return 0
        size = reader.uleb()
        return size + reader.pos
    except NzipError:
        return 0


def salvage(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    lost: Lost = "zeros",
    max_memory: int = DEFAULT_MAX_MEMORY,
    threads: int = 1,
    unplaced: bool = False,
    max_output_size: int | None = None,
) -> tuple[bytes, list[Fault]]:
    """Return all that is sound of a damaged nzip file, and what is lost.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        lost, max_memory, threads, unplaced, max_output_size: as for `Salvage`, which gives the content piece by piece.

    Raises:
        LimitError: there is more content than `max_output_size`.
        OSError: the file cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes | bytearray | memoryview):
            source = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            source = stack.enter_context(open(source, "rb"))
        saved = Salvage(
            source,
            lost=lost,
            max_memory=max_memory,
            threads=threads,
            unplaced=unplaced,
            max_output_size=max_output_size,
        )
        return saved.read(), saved.faults
