"""What can be saved of a damaged file.

A block decodes alone, so damage costs the blocks that it touches and no others. Where the borders of blocks are lost
too, they are found again: by the end index of the member, or else by a search for the next block, member or end that
its checks prove. A block that a search found is only believed when it decodes to bytes that match its check.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal, NamedTuple

import xxhash

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, ENTRY_MEMORY, Limits, decode_block, memory_needed
from nzip.codec.index import MEMBER_MEMORY, last_member
from nzip.codec.inspect import Window, parsed, read_at
from nzip.codec.threads import Task, Workers, thread_count
from nzip.errors import CorruptError, NzipError, TruncatedError
from nzip.formats.container import (
    BLOCK,
    END,
    MAGIC,
    MAX_BLOCK_HEADER,
    MAX_HEADER,
    OPTIONAL,
    TRAILER_MAGIC,
    BlockHeader,
    End,
    Header,
    Index,
    Reader,
)

Lost = Literal["zeros", "gaps"]
ZEROS = 1 << 20  # bytes of zeros that are handed out at a time
SEARCH = 1 << 16  # bytes of the file that are searched at a time
_CANDIDATE = re.compile(b"[%c%c]|%s" % (BLOCK, END, re.escape(MAGIC)), re.DOTALL)


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
    """

    reason: str
    offset: int
    block: int | None = None
    start: int | None = None
    size: int | None = None

    def __str__(self) -> str:
        where = f"at byte {self.offset:,} of the file"
        if self.start is None:
            return f"{self.reason} ({where})"
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
        lost: `"zeros"` puts zeros in the place of what is lost, where its size is known; `"gaps"` leaves it out.
        max_memory: as for `Decompressor`; a block that needs more is lost.
        threads: blocks decoded at the same time; 0 for all cores.

    Attributes:
        faults: what was found to be lost so far.
        header: the first header of a member that could be read, once it was read.
        size: bytes of content given so far.

    Raises:
        ValueError: `lost` is neither of the two.
    """

    def __init__(
        self, file: BinaryIO, *, lost: Lost = "zeros", max_memory: int = DEFAULT_MAX_MEMORY, threads: int = 1
    ):
        if lost not in ("zeros", "gaps"):
            raise ValueError(f"lost is 'zeros' or 'gaps', not {lost!r}")
        self._file = file
        self._zeros = lost == "zeros"
        self._limits = Limits(max_memory)
        self._workers = Workers(thread_count(threads))
        self._pieces = self._run()
        self._blocks = 0
        self._tried = 0
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
        self.faults.append(Fault(part.reason, part.offset, self._blocks, self.size, part.size))
        self._blocks += 1
        left = part.size or 0
        while self._zeros and left:
            count = min(left, ZEROS)
            left -= count
            self.size += count
            yield bytes(count)

    # From bytes to parts

    def _parts(self, file: BinaryIO, start: int) -> Iterator[_Part]:
        window = Window(file)
        known = self._known(file, start, window.size)
        position = start
        while True:
            end = known.pop(position, None)
            yield _Begun(position)
            try:
                if end is not None:
                    yield from self._by_index(window, position, end)
                    position += end.member_size
                else:
                    position = yield from self._forward(window, position, known)
            except _GivenUpError as error:
                yield _Missing(position, str(error), None)
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
            if end.gap or end.index.has_gaps or not self._leads_to(file, position, end):
                break
            blocks += len(end.index) + MEMBER_MEMORY // ENTRY_MEMORY
            if ENTRY_MEMORY * blocks > self._limits.max_memory:
                break
            found[position] = end
        return found

    def _leads_to(self, file: BinaryIO, start: int, end: End) -> bool:
        """Whether an end index leads to a member: its header, or any of its first blocks, is where it should be."""
        header = _header(read_at(file, start, min(MAX_HEADER, end.header_size)))
        if header is not None:
            return not header.solo and header.size == end.header_size
        offset = start + end.header_size
        for entry in end.index[:16]:
            block = _block(read_at(file, offset, MAX_BLOCK_HEADER))
            if block is not None and (block.size, block.raw_size) == (entry.chunk_size, entry.raw_size):
                return True
            offset += entry.chunk_size
        return False

    def _by_index(self, window: Window, start: int, end: End) -> Iterator[_Part]:
        header = _header(window.at(start, end.header_size))
        if header is None:
            yield _Missing(start, "the header is damaged; the member's blocks were found by its end index", 0)
        self.header = self.header or header
        offset = start + end.header_size
        for entry in end.index:
            block = _block(window.at(offset, min(MAX_BLOCK_HEADER, entry.chunk_size)))
            if block is None or (block.size, block.raw_size) != (entry.chunk_size, entry.raw_size):
                yield _Missing(offset, "the block's header is damaged", entry.raw_size)
            else:
                yield self._found(window, offset, block)
            offset += entry.chunk_size
        yield _Ended(offset, end, None if header is None else header.content_size)

    def _forward(self, window: Window, start: int, known: dict[int, End]) -> Generator[_Part, None, int]:
        """Walk a member, or what is left of one, and return where the next begins."""
        position = start
        trouble: NzipError | None = None
        solo, content_size, unknown = False, None, False
        index: Index | None = Index()  # of a member that is whole so far
        gap = header_size = 0
        try:
            header = parsed(window, start, Header.parse, MAX_HEADER)
            self.header = self.header or header
            solo, content_size = header.solo, header.content_size
            header_size = header.size
            position += header.size
        except NzipError as error:
            trouble, unknown = error, True
        while position < window.size or trouble is not None:
            part: _Part | None = None
            if trouble is None:
                try:
                    part, after, ended = self._next(window, position, solo, content_size)
                except NzipError as error:
                    trouble = error
            size: int | None = None
            search = position + 1
            if trouble is None and isinstance(part, _Found) and not ended and not _begins(window, after):
                # Its end may not be where its header says: bytes may have gone, or come.
                part = self._proof(part)
                if part is None:
                    trouble = CorruptError("the block is damaged, and so is what follows it")
            if trouble is None:
                if isinstance(part, _Found) and index is not None and part.header.raw_size:
                    index.add(gap, part.header.size, part.header.raw_size)
                if isinstance(part, _Ended) and index is not None:
                    end = part.end
                    if (end.header_size, end.index, end.gap) != (header_size, index, gap):
                        yield _Missing(position, "the end index does not describe the blocks before it", 0)
                gap = gap + after - position if part is None else 0
                if part is not None:
                    yield part
                position = after
                if ended:
                    return position
                continue
            index = None
            if position > start and _header(window.at(position, MAX_HEADER)) is not None:
                if not unknown:  # a member whose header is lost may have been solo, and have no end
                    yield _Missing(position, "the end of the member before is missing", 0)
                return position
            block = _block(window.at(position, MAX_BLOCK_HEADER))
            if block is not None and block.raw_size:
                size, search = block.raw_size, position + block.size - block.payload_size
            yield _Missing(position, str(trouble), size)
            trouble = None
            at, found = self._search(window, search, known)
            if found is not None:
                if size is not None and block is not None and at > position + block.size:
                    yield _Missing(position + block.size, "no block can be found here", None)
                yield found
                position = at + found.header.size
            elif at in known or at >= window.size or _header(window.at(at, MAX_HEADER)) is not None:
                return at
            else:
                position = at  # of an end chunk
        if not unknown:
            yield _Missing(window.size, "the file is cut: the end of its last member is missing", 0)
        return window.size

    def _next(
        self, window: Window, position: int, solo: bool, content_size: int | None
    ) -> tuple[_Part | None, int, bool]:
        """Return what stands at `position`, what follows it, and whether the member ends there.

        Raises:
            CorruptError, UnsupportedError: nothing that can be read, or not all of it.
        """
        kind = window.at(position, 1)[0]
        if kind == BLOCK:
            block = parsed(window, position, BlockHeader.parse, MAX_BLOCK_HEADER)
            if position + block.size > window.size:
                raise TruncatedError("the file ends within the block")
            if not block.raw_size and not solo:
                raise CorruptError("an empty block is only allowed alone")
            return self._found(window, position, block), position + block.size, solo
        if solo:
            raise CorruptError("a solo member holds something other than one block")
        end = _end(window, position) if kind == END else None
        if end is not None:
            return _Ended(position, end, content_size), position + end.size, True
        reader = Reader(window.at(position, 10))
        reader.u8()
        after = position + reader.uleb() + reader.pos
        # The first byte of a member could also begin an optional chunk.
        if not kind & OPTIONAL or after > window.size or _header(window.at(position, MAX_HEADER)) is not None:
            raise CorruptError("what stands here is no block")
        return None, after, False

    def _search(self, window: Window, position: int, known: dict[int, End]) -> tuple[int, _Found | None]:
        """Return where the next block, end or member begins, from `position` on, and the block where it is one."""
        stop = min((at for at in known if at >= position), default=window.size)
        while position < stop:
            data = window.read(position, min(SEARCH + MAX_BLOCK_HEADER, stop - position))
            for match in _CANDIDATE.finditer(data):
                at = match.start()
                if at >= SEARCH:
                    break
                if data[at] == END:
                    if _end(window, position + at) is not None:
                        return position + at, None
                elif data[at] == BLOCK:
                    block = _block(data[at : at + MAX_BLOCK_HEADER])
                    if block is not None and block.raw_size and position + at + block.size <= stop:
                        found = self._proven(window, position + at, block)
                        if found is not None:
                            return position + at, found
                elif _header(window.at(position + at, MAX_HEADER)) is not None:
                    return position + at, None
            position += SEARCH
        return stop, None

    def _proven(self, window: Window, offset: int, block: BlockHeader) -> _Found | None:
        """Return a block that a search came upon, if it decodes to bytes that match its check."""
        # A file can be full of what only looks like blocks; their decoding is bounded by the file's size.
        self._tried += block.size + block.raw_size
        if self._tried > 64 * window.size + (1 << 28):
            raise _GivenUpError("the file is full of what looks like blocks and is none; nothing more is saved")
        part = self._found(window, offset, block)
        return self._proof(part) if isinstance(part, _Found) else None

    def _proof(self, part: _Found) -> _Found | None:
        try:
            return part._replace(raw=decode_block(part.header, part.payload))
        except NzipError:
            return None

    def _found(self, window: Window, offset: int, block: BlockHeader) -> _Part:
        try:
            self._limits.admit(block)
        except NzipError as error:
            return _Missing(offset, str(error), block.raw_size)
        head = block.size - block.payload_size
        return _Found(offset, block, window.read(offset + head, block.payload_size))


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


def _block(data: bytes) -> BlockHeader | None:
    """Return the block header that `data` begins with, if one is there and sound."""
    try:
        return BlockHeader.parse(Reader(data))
    except NzipError:
        return None


def _end(window: Window, offset: int) -> End | None:
    """Return the end chunk at `offset`, if one is there and sound."""
    reader = Reader(window.at(offset, 10))
    try:
        reader.u8()
        size = reader.uleb() + reader.pos
        if offset + size > window.size or window.read(offset + size - 4, 4) != TRAILER_MAGIC:
            return None
        return End.parse(window.read(offset, size))
    except NzipError:
        return None


def _begins(window: Window, offset: int) -> bool:
    """Whether something that can follow a block begins at `offset`, or the file ends there."""
    if offset >= window.size:
        return True
    kind = window.at(offset, 1)[0]
    if kind == BLOCK:
        return _block(window.at(offset, MAX_BLOCK_HEADER)) is not None
    return kind == END and _end(window, offset) is not None


def salvage(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    lost: Lost = "zeros",
    max_memory: int = DEFAULT_MAX_MEMORY,
    threads: int = 1,
) -> tuple[bytes, list[Fault]]:
    """Return all that is sound of a damaged nzip file, and what is lost.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        lost, max_memory, threads: as for `Salvage`, which gives the content piece by piece.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            saved = Salvage(file, lost=lost, max_memory=max_memory, threads=threads)
            return saved.read(), saved.faults
    saved = Salvage(source, lost=lost, max_memory=max_memory, threads=threads)
    return saved.read(), saved.faults
