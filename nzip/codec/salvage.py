"""What can be saved of a damaged file.

A block decodes alone, so damage costs the blocks that it touches and no others. Where the borders of blocks are lost
too, they are found again: by the end index of the member, or else by a search for the next block, member or end that
its checks prove. A block that a search found is only believed when it decodes to bytes that match its check.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal, NamedTuple

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, ENTRY_MEMORY, Limits, decode_block, memory_needed
from nzip.codec.index import last_member
from nzip.codec.inspect import Window, parsed, read_at
from nzip.codec.threads import Task, Workers, thread_count
from nzip.errors import CorruptError, NzipError
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
    OutOfBytes,
    Reader,
)

Lost = Literal["zeros", "gaps"]
ZEROS = 1 << 20  # bytes of zeros that are handed out at a time
SEARCH = 1 << 16  # bytes of the file that are searched at a time


@dataclass(frozen=True)
class Fault:
    """What is lost.

    Attributes:
        reason: what is wrong.
        offset: byte of the file at which the damage begins.
        block: number of the block, the first of the file being 0; None where it is not known, or no block is lost.
        start: the first byte of the content that is lost; None where none is.
        size: bytes of the content that are lost; None where that is not known. Then nothing stands in their place.
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
        block = "" if self.block is None else f"block {self.block:,}, "
        if self.size is None:
            return f"{block}what stood behind byte {self.start:,} of the content is lost ({where}): {self.reason}"
        last = self.start + self.size - 1
        return f"{block}bytes {self.start:,} to {last:,} of the content are lost ({where}): {self.reason}"


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
    blocks: int = 1


_Part = _Found | _Missing


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
        self._members = 0
        self._tried = 0
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
        if isinstance(part, _Found):
            try:
                raw = part.raw if task is None else task.result()
            except NzipError as error:
                part = _Missing(part.offset, str(error), part.header.raw_size)
            else:
                assert raw is not None
                self._blocks += 1
                self.size += len(raw)
                yield raw
                return
        one = part.blocks == 1 and part.size != 0
        start = None if part.size == 0 else self.size
        self.faults.append(Fault(part.reason, part.offset, self._blocks if one else None, start, part.size or None))
        self._blocks += part.blocks if part.size != 0 else 0
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
        while position < window.size or position == start:
            if position in known:
                end = known.pop(position)
                yield from self._by_index(window, position, end)
                position += end.member_size
            else:
                position = yield from self._forward(window, position, known)
            self._members += 1

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
            blocks += len(end.index)
            self._limits.admit_memory(ENTRY_MEMORY * blocks, f"a list of {blocks:,} blocks")
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

    def _forward(self, window: Window, start: int, known: dict[int, End]) -> Iterator[_Part]:  # type: ignore[misc]
        """Walk a member, or what is left of one, and return where the next begins."""
        position = start
        reason = ""
        try:
            header = parsed(window, start, Header.parse, MAX_HEADER)
            self.header = self.header or header
            position += header.size
        except NzipError as error:
            header, reason = None, str(error)
        empty = header is not None  # a member without a block is whole
        while position < window.size or reason:
            if not reason:
                try:
                    kind, size, block = _chunk(window, position)
                    if kind == BLOCK:
                        empty = False
                        assert block is not None
                        if block.raw_size == 0 and not (header is not None and header.solo):
                            raise CorruptError("an empty block is only allowed alone")
                        if position + size > window.size:
                            yield _Missing(position, "the file ends within the block", None)
                            return window.size
                        part = self._found(window, position, block)
                        if header is not None and header.solo:
                            yield part
                            return position + size
                        if _begins(window, position + size):
                            yield part
                            position += size
                            continue
                        # Its end may not be where it says: bytes may have gone or come.
                        try:
                            raw = decode_block(block, part.payload) if isinstance(part, _Found) else None
                        except NzipError:
                            raw = None
                        if isinstance(part, _Found) and raw is not None:
                            yield part._replace(raw=raw)
                            position += size
                        else:
                            yield _Missing(position, "the block is damaged, and so is what follows", block.raw_size)
                            position += block.size - block.payload_size
                            reason = "skip"
                        continue
                    if kind == END:
                        return position + size
                    if kind & OPTIONAL and position + size <= window.size:
                        position += size
                        continue
                    raise CorruptError("what stands there is no block")
                except NzipError as error:
                    reason = str(error)
            begin = position
            position, found = self._search(window, max(position, start + 1 if header is None else position), known)
            if reason != "skip":
                at_end = position >= window.size
                yield _Missing(begin, "the file ends here or is damaged up to its end" if at_end else reason, None)
            reason = ""
            empty = False
            if found is not None:
                yield found
                position += found.header.size
            elif position >= window.size or position in known or _header(window.at(position, MAX_HEADER)) is not None:
                return position
        if empty or not reason:
            yield _Missing(window.size, "the file is cut: the end of its last member is missing", 0)
        return window.size

    def _search(self, window: Window, position: int, known: dict[int, End]) -> tuple[int, _Found | None]:
        """Return where the next block, end or member begins, from `position` on, and the block where it is one."""
        stop = min((at for at in known if at >= position), default=window.size)
        while position < stop:
            data = window.at(position, SEARCH + MAX_BLOCK_HEADER)[: stop - position]
            for at in _candidates(data, SEARCH):
                if data[at] == MAGIC[0]:
                    if _header(window.at(position + at, MAX_HEADER)) is not None:
                        return position + at, None
                elif data[at] == END:
                    if _end_size(window, position + at):
                        return position + at, None
                else:
                    block = _block(data[at : at + MAX_BLOCK_HEADER])
                    if block is None or position + at + block.size > stop or not block.raw_size:
                        continue
                    found = self._proven(window, position + at, block)
                    if found is not None:
                        return position + at, found
            position += SEARCH
        return stop, None

    def _proven(self, window: Window, offset: int, block: BlockHeader) -> _Found | None:
        """Return a block that a search came upon, if it decodes to bytes that match its check."""
        # A file can be full of what only looks like blocks; their decoding is bounded by the file's size.
        self._tried += block.size + block.raw_size
        if self._tried > 64 * window.size + (1 << 28):
            raise CorruptError("the file is full of what looks like blocks and is none; nothing more can be saved")
        part = self._found(window, offset, block)
        if isinstance(part, _Missing):
            return None
        try:
            return part._replace(raw=decode_block(block, part.payload))
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


def _chunk(window: Window, offset: int) -> tuple[int, int, BlockHeader | None]:
    """Return type and size of the chunk at `offset`, and its header where it is a block.

    Raises:
        CorruptError, UnsupportedError: it is damaged.
    """
    kind = window.at(offset, 1)[0]
    if kind == BLOCK:
        block = parsed(window, offset, BlockHeader.parse, MAX_BLOCK_HEADER)
        return kind, block.size, block
    if kind == END:
        size = _end_size(window, offset)
        if not size:
            raise CorruptError("the end index is damaged")
        return kind, size, None
    reader = Reader(window.at(offset, 10), partial=True)
    try:
        reader.u8()
        return kind, reader.uleb() + reader.pos, None
    except OutOfBytes:
        raise CorruptError("the file ends within a chunk") from None


def _end_size(window: Window, offset: int) -> int:
    """Return the size of the end chunk at `offset`; 0 where there is no sound one."""
    reader = Reader(window.at(offset, 10))
    try:
        reader.u8()
        size = reader.uleb() + reader.pos
        if offset + size > window.size or window.at(offset + size - 4, 4) != TRAILER_MAGIC:
            return 0
        return End.parse(window.read(offset, size)).size
    except NzipError:
        return 0


def _begins(window: Window, offset: int) -> bool:
    """Whether something that can follow a block begins at `offset`, or the file ends there."""
    if offset >= window.size:
        return True
    kind = window.at(offset, 1)[0]
    if kind == BLOCK:
        return _block(window.at(offset, MAX_BLOCK_HEADER)) is not None
    return kind == END and _end_size(window, offset) > 0


def _candidates(data: bytes, most: int) -> Iterator[int]:
    """Give the places below `most` at which a block, an end chunk or a header may begin."""
    for at in range(min(len(data), most)):
        byte = data[at]
        # A block's flags, two or more bytes behind its type, have no reserved bit; a header's magic is whole.
        if byte == BLOCK or byte == END or (byte == MAGIC[0] and data.startswith(MAGIC, at)):
            yield at


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
        import io

        source = io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            saved = Salvage(file, lost=lost, max_memory=max_memory, threads=threads)
            return saved.read(), saved.faults
    saved = Salvage(source, lost=lost, max_memory=max_memory, threads=threads)
    return saved.read(), saved.faults
